// Says what is so when the browser could not use a passkey; allauth's own script only tells the console.

document.addEventListener("allauth.error", (event) => {
  const place = document.getElementById("passkey-trouble");
  if (!place) return;
  event.preventDefault();
  const name = event.detail.exception?.name;
  place.textContent = name === "NotAllowedError"
    ? "The browser gave no passkey: it was closed, or it took too long. Nothing was changed. Try again."
    : name === "SecurityError"
      ? "Passkeys work at a name, not at a bare number such as 127.0.0.1. Open this page at the firm's own address."
      : "The browser could not use a passkey. Nothing was changed. Use another way in.";
});
