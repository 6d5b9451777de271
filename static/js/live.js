// Parts that ask again without moving under the pointer.
//   <div data-bo-live="/today/inbox/" data-bo-every="15" data-bo-mark="a1b2">...</div>
// The answer's first element carries its own data-bo-mark. While nothing it asks for has changed, nothing moves. When it has,
// and the pointer or the focus is inside, a button says so at the top and waits; else the new content is put in place.
// `data-bo-at-once` is for a part in which nothing can move, such as a count.

const timers = new WeakMap();

async function ask(part) {
  if (document.hidden || !part.isConnected) return;
  let answer;
  try {
    answer = await fetch(part.dataset.boLive, { headers: { "HX-Request": "true", "X-Background": "1" }, redirect: "error" });
  } catch {
    document.dispatchEvent(new Event("htmx:sendError"));
    return;
  }
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").body.firstElementChild;
  if (!fresh || fresh.dataset.boMark === part.dataset.boMark) return;
  const busy = !("boAtOnce" in part.dataset) && (part.matches(":hover, :focus-within") || document.querySelector("dialog[open]"));
  if (busy) wait(part, fresh); else put(part, fresh);
}

function put(part, fresh) {
  const current = part.querySelector(".is-current")?.dataset.boRow;
  part.dataset.boMark = fresh.dataset.boMark;
  part.replaceChildren(...fresh.childNodes);
  if (current) part.querySelector(`[data-bo-row="${CSS.escape(current)}"]`)?.classList.add("is-current");
  window.htmx?.process(part);
  const place = document.getElementById("announcer");
  if (place) place.textContent = part.dataset.boSays ?? "The list has changed";
}

function wait(part, fresh) {
  part.querySelector(".bo-inbox__new")?.remove();
  const holder = document.createElement("div");
  holder.className = "bo-inbox__new";
  const button = document.createElement("button");
  button.type = "button";
  button.className = "bo-button bo-button--primary bo-button--small";
  const before = part.querySelectorAll("[data-bo-row]").length;
  const after = fresh.querySelectorAll("[data-bo-row]").length;
  button.textContent = after > before ? `${after - before} new, show` : "Changed, show";
  button.addEventListener("click", () => put(part, fresh));
  holder.append(button);
  part.prepend(holder);
}

function start(root) {
  for (const part of root.querySelectorAll("[data-bo-live]")) {
    if (timers.has(part)) continue;
    timers.set(part, setInterval(() => ask(part), Number(part.dataset.boEvery || 15) * 1000));
  }
}
document.addEventListener("htmx:load", (event) => start(event.detail.elt.parentElement ?? document));
start(document);
