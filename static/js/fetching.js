// Fetches a file that waited for a proof, once the page that says so stands: <a data-bo-fetch href="/a/file">.

document.querySelector("[data-bo-fetch]").click();
