// What every page does: menus, theme, toasts, copying, dialogs, forms that leave once, and saying so when a request fails.

const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const announce = (text) => { const place = document.getElementById("announcer"); if (place) place.textContent = text; };

// ---- theme and shortcuts, as chosen

function showChoices() {
  const theme = localStorage.getItem("theme") || "system";
  all("[data-bo-theme]").forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.boTheme === theme)));
  const off = localStorage.getItem("keys") === "off";
  all("[data-bo-keys-switch]").forEach((button) => {
    button.setAttribute("aria-pressed", String(!off));
    button.querySelector("span").textContent = `Keyboard shortcuts: ${off ? "off" : "on"}`;
  });
}

// ---- one listener for every click

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-bo-theme], [data-bo-keys-switch], [data-bo-copy], [data-bo-dismiss], [data-bo-dialog], [data-bo-close], [data-bo-side], [data-bo-locked], [data-bo-fill]");
  all("details[data-bo-menu][open], details.bo-filter[open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
  const search = document.querySelector(".bo-search");
  if (search && !search.contains(event.target)) document.getElementById("hits").replaceChildren();
  if (!target) return;
  const data = target.dataset;
  if ("boTheme" in data) {
    if (data.boTheme === "system") localStorage.removeItem("theme"); else localStorage.setItem("theme", data.boTheme);
    dispatchEvent(new Event("bo:theme"));
    showChoices();
  } else if ("boKeysSwitch" in data) {
    localStorage.setItem("keys", localStorage.getItem("keys") === "off" ? "on" : "off");
    showChoices();
  } else if ("boCopy" in data) {
    navigator.clipboard?.writeText(data.boCopy).then(() => toast(`Copied ${data.boCopy}`));
  } else if ("boDismiss" in data) {
    target.closest("[data-bo-toast]").remove();
  } else if ("boDialog" in data) {
    openDialog(document.getElementById(data.boDialog));
  } else if ("boClose" in data) {
    target.closest("dialog").close();
  } else if ("boSide" in data) {
    const side = document.getElementById("side");
    const open = side.classList.toggle("is-open");
    all("[data-bo-side]").forEach((button) => button.setAttribute("aria-expanded", String(open)));
    if (open && target.closest(".bo-top")) document.getElementById("search").focus();
  } else if ("boLocked" in data) {
    event.preventDefault();
    announce(document.getElementById(target.getAttribute("aria-describedby"))?.textContent ?? "");
  } else if ("boFill" in data) {
    for (const [name, value] of Object.entries(JSON.parse(data.boFill))) {
      const input = document.querySelector(`[name="${name}"]`);
      if (input) input.value = value;
    }
    const form = target.closest("[data-bo-fill-form]")?.querySelector("form");
    if ("password" in JSON.parse(data.boFill)) form?.requestSubmit(); else form?.querySelector("[type=password]")?.focus();
  }
});

// ---- a filter near the right edge opens to the left, or its choices would hang over the page

document.addEventListener("toggle", ({ target }) => {
  if (!target.matches("details.bo-filter[open]")) return;
  target.classList.remove("bo-filter--end");
  const { right } = target.querySelector(".bo-filter__choices").getBoundingClientRect();
  target.classList.toggle("bo-filter--end", right > document.documentElement.clientWidth);
}, true);

// ---- toasts: six seconds, paused under the pointer or the focus

function startToast(element) {
  if (element.dataset.boStarted) return;
  element.dataset.boStarted = "1";
  let left = 6;
  const tick = setInterval(() => {
    if (!element.isConnected) return clearInterval(tick);
    if (!element.matches(":hover, :focus-within")) left -= 1;
    if (left <= 0) { clearInterval(tick); element.remove(); }
  }, 1000);
}

function toast(text, url = "", word = "See it") {
  const element = document.createElement("div");
  element.className = "bo-toast";
  element.dataset.boToast = "";
  element.setAttribute("role", "status");
  const words = document.createElement("span");
  words.textContent = text;
  element.append(words);
  if (url) { const link = document.createElement("a"); link.href = url; link.textContent = word; element.append(link); }
  document.getElementById("toasts")?.append(element);
  startToast(element);
}
document.addEventListener("bo:toast", (event) => toast(event.detail.text, event.detail.url, event.detail.word));

// ---- dialogs: the safe choice has the focus, Esc decides nothing, the focus goes back

function openDialog(dialog) {
  if (!dialog || dialog.open) return;
  const before = document.activeElement;
  dialog.showModal();
  dialog.querySelector("[data-bo-safe], [autofocus]")?.focus();
  dialog.addEventListener("close", () => before?.isConnected && before.focus?.(), { once: true });
}

// ---- typing the amount opens the button; the server compares again

const plain = (text) => text.replace(/[\s,\u00a0]/g, "").toUpperCase();
document.addEventListener("input", (event) => {
  if (!("boTyped" in event.target.dataset)) return;
  const fits = plain(event.target.value) === plain(event.target.dataset.boTyped);
  all("[data-bo-typed-button]", event.target.closest("form") ?? document).forEach((button) => button.setAttribute("aria-disabled", String(!fits)));
});

// ---- a form leaves once; a locked button does not send

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.submitter?.getAttribute("aria-disabled") === "true" || form.dataset.boSent) { event.preventDefault(); event.stopImmediatePropagation(); return; }
  if (form.method === "post" && !form.hasAttribute("hx-post") && form.method !== "dialog") {
    form.dataset.boSent = "1";
    event.submitter?.setAttribute("aria-busy", "true");
  }
}, true);
addEventListener("pageshow", () => all("form[data-bo-sent]").forEach((form) => { delete form.dataset.boSent; all("[aria-busy]", form).forEach((button) => button.removeAttribute("aria-busy")); }));

// ---- htmx: a failed request says so once, and stops saying so when one works again

const trouble = (text) => {
  const place = document.getElementById("trouble");
  if (!place || place.dataset.said === text) return;
  place.dataset.said = text;
  place.replaceChildren();
  if (!text) return;
  const note = document.createElement("div");
  note.className = "bo-note bo-note--wait";
  const words = document.createElement("div");
  words.className = "bo-note__text";
  words.textContent = text;
  note.append(document.createElement("span"), words);
  place.append(note);
};
document.addEventListener("htmx:sendError", () => trouble("The back office does not answer. What you see is as old as its stamps say; the page asks again by itself."));
document.addEventListener("htmx:timeout", () => trouble("The back office is slow to answer. The page asks again by itself."));
document.addEventListener("htmx:responseError", (event) => {
  const { status } = event.detail.xhr;
  if (status === 401 || status === 403) trouble("You are signed out, or your role does not include this. Nothing was changed. Open the page again to sign in.");
  else trouble(`The back office could not do this. Nothing is sent twice. Reference ${event.detail.xhr.getResponseHeader("X-Reference") ?? "unknown"}.`);
});
document.addEventListener("htmx:afterRequest", (event) => { if (event.detail.successful) trouble(""); });
document.addEventListener("htmx:beforeRequest", (event) => { if (event.detail.elt.getAttribute("aria-disabled") === "true") event.preventDefault(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) document.querySelectorAll("#state").forEach((bar) => window.htmx?.trigger(bar, "bo:refresh")); });

// ---- a form that is refused puts the focus on the first field to mend

const toFirstDefect = (root) => root.querySelector(".bo-field--bad :is(input:not([type=hidden]), select, textarea)")?.focus();
if (performance.getEntriesByType("navigation")[0]?.responseStatus === 422) toFirstDefect(document);
document.addEventListener("htmx:afterSettle", ({ detail, target }) => {
  if (detail.xhr?.status === 422 && detail.requestConfig?.elt.matches("form")) toFirstDefect(target);
});

// ---- what the page asks without anybody touching it says so, and keeps no session alive

document.addEventListener("htmx:configRequest", (event) => { if (!event.detail.triggeringEvent) event.detail.headers["X-Background"] = "1"; });

// ---- a request held back until the person has proven who they are goes again by itself

let heldBack = null;
document.addEventListener("htmx:beforeSwap", (event) => {
  const { elt: element, triggeringEvent } = event.detail.requestConfig;
  if (event.detail.xhr.getResponseHeader("X-Step-Up") && !element.closest("#confirm")) {
    heldBack = { element, submitter: triggeringEvent?.submitter ?? null };
  }
});
document.addEventListener("bo:confirmed", () => {
  document.getElementById("confirm-dialog")?.close();
  const { element, submitter } = heldBack ?? {};
  heldBack = null;
  if (!element?.isConnected) return;
  // Pressed, not submitted: htmx takes the button's own value from the click.
  if (submitter?.isConnected) submitter.click(); else if (element.matches("form")) element.requestSubmit(); else element.click();
});

// ---- what newly arrived content needs

function dress(root) {
  all("[data-bo-toast]", root).forEach(startToast);
  all("dialog[data-bo-open]", root).forEach(openDialog);
  const phrase = document.querySelector("#state [data-bo-phrase]");
  if (phrase) document.getElementById("phrase")?.replaceChildren(phrase.content.cloneNode(true));
}
document.addEventListener("htmx:load", (event) => dress(event.detail.elt.parentElement ?? document));
showChoices();
dress(document);
