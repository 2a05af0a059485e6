// Where the keyboard is: what opens takes it, what is drawn anew keeps it, what closes gives it back.

const CONTROLS = "button, a[href], select, input, textarea, canvas[tabindex]";
let opener = null; // what had it before anything was open

const lost = () => {
  const active = document.activeElement;
  return !active || active === document.body || Boolean(active.closest("[hidden]"));
};

// A control as it can be found again when its part of the page is drawn anew.
const exactly = (element) => [element.tagName, element.className, element.id, element.getAttribute("aria-label") ?? element.textContent].join("|");
const mark = (element) => exactly(element).replace(/\d+/g, "#"); // numbers in it may change

// What has the keyboard in a section: a function that gives it back there, to the section itself
// where there is no such control any more.
export function kept(section) {
  const active = document.activeElement;
  if (!section.contains(active) || active === section) return () => {};
  const like = active.closest("td, .terms") ? null : mark(active);
  const all = [...section.querySelectorAll(CONTROLS)].filter((one) => mark(one) === like);
  const place = all.indexOf(active);
  return () => {
    if (!lost()) return;
    const again = [...section.querySelectorAll(CONTROLS)].filter((one) => mark(one) === like);
    reach(again[place] ?? again[0] ?? section);
  };
}

// A section was opened from elsewhere: reading goes on in it.
export function enter(section) {
  const active = document.activeElement;
  if (section.contains(active)) return;
  if (!lost()) opener = active;
  reach(section);
}

// Nothing is open any more: back to what opened it, else to the network.
export function leave(otherwise) {
  const was = opener;
  opener = null;
  if (!lost()) return;
  const back = !was || was.isConnected ? was : [...document.querySelectorAll(CONTROLS)].find((one) => exactly(one) === exactly(was));
  reach(back && !back.closest("[hidden]") ? back : otherwise);
}

const reach = (element) => element.focus({ preventScroll: true });
