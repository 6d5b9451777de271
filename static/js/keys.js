// The keyboard on lists: J and K move, Enter opens, X selects, / filters; Ctrl-K searches anywhere; Esc closes.
// A list is a table with data-bo-keys (rows with data-href) or an element with data-bo-keys whose [data-bo-row] are its rows.

const rowsOf = (list) => [...list.querySelectorAll("tr[data-href], [data-bo-row]")].filter((row) => row.offsetParent !== null);
const typing = (element) => element.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable], dialog[open]");

function move(step) {
  const list = document.querySelector("[data-bo-keys]");
  if (!list) return;
  const rows = rowsOf(list);
  if (!rows.length) return;
  const here = rows.findIndex((row) => row.classList.contains("is-current"));
  const next = rows[Math.min(Math.max(here + step, 0), rows.length - 1)] ?? rows[0];
  rows[here]?.classList.remove("is-current");
  next.classList.add("is-current");
  next.tabIndex = next.tabIndex < 0 && !next.querySelector("a, button") ? 0 : next.tabIndex;
  (next.hasAttribute("tabindex") ? next : next.querySelector("a, button"))?.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

const open = (row) => { const url = row.dataset.href ?? row.querySelector("a[href]")?.href; if (url) location.assign(url); };

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    document.getElementById("search")?.focus();
    document.getElementById("search")?.select();
    return;
  }
  if (event.key === "Escape") {
    const hits = document.getElementById("hits");
    if (hits?.childElementCount) { hits.replaceChildren(); document.getElementById("search").focus(); return; }
    const menu = document.querySelector("details[data-bo-menu][open], details.bo-filter[open]");
    if (menu) { menu.open = false; menu.querySelector("summary").focus(); return; }
    const drawer = document.querySelector("[data-bo-drawer]");
    if (drawer && !document.querySelector("dialog[open]")) location.assign(drawer.dataset.boDrawer);
    return;
  }
  if (event.target.id === "search" && event.key === "ArrowDown") {
    event.preventDefault();
    document.querySelector("#hits a")?.focus();
    return;
  }
  if (event.target.closest("#hits") && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    event.preventDefault();
    const links = [...document.querySelectorAll("#hits a")];
    const next = links.indexOf(event.target) + (event.key === "ArrowDown" ? 1 : -1);
    (links[next] ?? document.getElementById("search")).focus();
    return;
  }
  if (localStorage.getItem("keys") === "off" || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  const current = document.querySelector("[data-bo-keys] .is-current");
  switch (event.key) {
    case "j": move(1); break;
    case "k": move(-1); break;
    case "x": { const box = current?.querySelector("input[type=checkbox]"); if (box) { box.click(); current.classList.toggle("is-selected", box.checked); } break; }
    case "Enter": if (current && event.target === current) open(current); break;
    case "/": { const filter = document.querySelector("[data-bo-filter]") ?? document.getElementById("search"); event.preventDefault(); filter?.focus(); break; }
  }
});

document.addEventListener("click", (event) => {
  const row = event.target.closest("tr[data-href]");
  if (!row || event.target.closest("a, button, input, label, summary, select") || String(getSelection())) return;
  if (event.ctrlKey || event.metaKey) window.open(row.dataset.href, "_blank", "noopener"); else open(row);
});
document.addEventListener("change", (event) => {
  if (event.target.matches("tr input[type=checkbox]")) event.target.closest("tr").classList.toggle("is-selected", event.target.checked);
});
