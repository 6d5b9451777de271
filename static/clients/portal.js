// A form that opens a new tab leaves this page where it is, so it may be used again a moment later.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.target !== "_blank") return;
  const button = event.submitter;
  setTimeout(() => { delete form.dataset.boSent; button?.removeAttribute("aria-busy"); }, 1500);
}, true);
