// Time that passes on the page: countdowns, ages, stamps that turn stale, masked values that hide again.
// The server writes the first text with the same rules (backoffice/home/formats.py, span).

function span(seconds) {
  seconds = Math.floor(Math.abs(seconds));
  if (seconds < 60) return `${seconds} s`;
  let minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  let hours = Math.floor(minutes / 60);
  minutes %= 60;
  if (hours < 24) return minutes ? `${hours} h ${String(minutes).padStart(2, "0")}` : `${hours} h`;
  const days = Math.floor(hours / 24);
  hours %= 24;
  return hours && days < 10 ? `${days} d ${hours} h` : `${days} d`;
}

const write = (element, text) => { if (element && element.textContent !== text) element.textContent = text; };
const tone = (chip, name) => {
  if (chip.classList.contains(`bo-chip--${name}`)) return;
  chip.classList.remove("bo-chip--neutral", "bo-chip--wait", "bo-chip--bad");
  chip.classList.add(`bo-chip--${name}`);
};

function tick() {
  const now = Date.now();
  for (const chip of document.querySelectorAll("[data-bo-until]")) {
    const left = (Date.parse(chip.dataset.boUntil) - now) / 1000;
    const total = Number(chip.dataset.boTotal);
    const { boWords: words, boOver: over } = chip.dataset;
    if (left < 0) {
      tone(chip, "bad");
      write(chip.querySelector(".bo-chip__words"), `${span(left)} ${over}`);
    } else {
      tone(chip, left < 86400 || (total && left * 4 < total) ? "wait" : "neutral");
      write(chip.querySelector(".bo-chip__words"), words ? `${words} ${span(left)}` : `${span(left)} left`);
      // Read out at half a minute and at ten seconds, not each second.
      for (const mark of [30, 10]) {
        if (left <= mark && left > mark - 1 && chip.dataset.boSaid !== String(mark)) {
          chip.dataset.boSaid = String(mark);
          write(document.getElementById("announcer"), `${mark} seconds left`);
        }
      }
    }
  }
  for (const chip of document.querySelectorAll("[data-bo-since]")) {
    const { boWords: words = "", boSince: since } = chip.dataset;
    write(chip.querySelector(".bo-chip__words") ?? chip, `${words} ${span((now - Date.parse(since)) / 1000)}`.trim());
  }
  for (const stamp of document.querySelectorAll("[data-bo-stale-at]:not(.bo-stamp--stale)")) {
    if (Date.parse(stamp.dataset.boStaleAt) < now) stamp.classList.add("bo-stamp--stale");
  }
  for (const shown of document.querySelectorAll("[data-bo-hide-after]")) {
    shown.dataset.boHideAt ??= String(now + Number(shown.dataset.boHideAfter) * 1000);
    const left = Math.ceil((Number(shown.dataset.boHideAt) - now) / 1000);
    if (left > 0) {
      write(shown.querySelector(".bo-chip__words"), `Hides in ${left} s`);
    } else {
      const masked = shown.querySelector("template").content.firstElementChild.cloneNode(true);
      shown.replaceWith(masked);
      window.htmx?.process(masked);
    }
  }
  const eastern = document.querySelector("[data-bo-eastern]");
  if (eastern) {
    const parts = new Intl.DateTimeFormat("en-GB", { timeZone: "America/New_York", weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false }).format(now);
    write(eastern, `${parts.replaceAll(",", "")} ET`);
  }
}
setInterval(tick, 1000);
document.addEventListener("htmx:afterSettle", tick); // what has just come is not without its time until the next second
tick();
