// Warns two minutes before a session ends, and leaves with it, so that nothing stays on an empty desk.
//   <div id="leaving" data-bo-idle="900" data-bo-ends="1764000000" data-bo-stay="/account/stay/" hidden></div>
// Tabs tell each other of a touch through localStorage; what pages ask by themselves does not count.

const place = document.getElementById("leaving");
const WARN = 120;
const seconds = () => Math.floor(Date.now() / 1000);
const touched = () => localStorage.setItem("touched", String(seconds()));

const words = (left) => (left >= 60 ? `${Math.floor(left / 60)} min ${left % 60} s` : `${left} s`);

function warn(left, canStay) {
  if (place.hidden) {
    const text = document.createElement("span");
    place.replaceChildren(text);
    if (canStay) {
      const stay = document.createElement("button");
      stay.type = "button";
      stay.className = "bo-button bo-button--primary bo-button--small";
      stay.textContent = "Stay signed in";
      stay.addEventListener("click", () => fetch(place.dataset.boStay).then((answer) => { if (answer.ok) { touched(); look(); } }));
      place.append(stay);
    }
    place.hidden = false;
  }
  const why = canStay ? "nothing was done here for a while" : "the session has lasted a working day";
  place.firstChild.textContent = `You are signed out in ${words(left)}: ${why}. What you typed and did not send is lost then.`;
}

function look() {
  const idle = Number(place.dataset.boIdle) - (seconds() - Number(localStorage.getItem("touched")));
  const ends = Number(place.dataset.boEnds || Infinity) - seconds();
  const left = Math.min(idle, ends);
  if (left <= 0) location.reload();
  else if (left <= WARN) warn(left, idle < ends);
  else place.hidden = true;
}

if (place) {
  touched();
  document.addEventListener("htmx:configRequest", (event) => { if (event.detail.triggeringEvent) touched(); });
  setInterval(look, 1000);
}
