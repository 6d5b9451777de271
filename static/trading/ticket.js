// A ticket that was changed after its preview cannot be sent; the server refuses it too.
const form = document.getElementById("ticket");
const send = document.getElementById("send");

function lock(why) {
  if (!send || send.getAttribute("aria-disabled") === "true") return;
  send.setAttribute("aria-disabled", "true");
  const words = document.getElementById("send-why");
  if (words) words.textContent = why;
}

form?.addEventListener("input", (event) => { if (event.target.name && event.target.name !== "text") lock("Send opens again after a new preview: the ticket was changed."); });
document.addEventListener("htmx:afterSwap", (event) => { if (event.detail.target.id === "instrument" && event.detail.target.dataset.boChosen !== undefined) lock("Send opens again after a new preview: the instrument was changed."); });

const until = Date.parse(send?.dataset.boFreshUntil ?? "");
if (until) setInterval(() => { if (Date.now() > until) lock("Send opens after a new preview: this one is over 2 min old."); }, 1000);

// The found instruments are walked with the arrows. Enter in the field leads to them: it would else preview a ticket without one.
document.addEventListener("keydown", (event) => {
  const field = document.getElementById("instrument-text");
  const found = [...document.querySelectorAll("#instrument-hits button")];
  const here = found.indexOf(event.target);
  if (!field || (here < 0 && event.target !== field)) return;
  if (here < 0 && event.key === "Enter") {
    event.preventDefault();
    found[0]?.focus();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    (found[here + (event.key === "ArrowDown" ? 1 : -1)] ?? field).focus();
  }
});
// What was pressed is gone after the choice: the focus goes on to the next thing to fill in.
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id !== "instrument" || document.activeElement !== document.body) return;
  (document.getElementById("instrument-text") ?? form?.querySelector("[name=quantity]"))?.focus();
});
