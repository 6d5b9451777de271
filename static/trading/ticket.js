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
