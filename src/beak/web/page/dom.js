// Elements in one call: h("button", {class: "x", onclick: f}, "text", child).

export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "style") styled(element.style, value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined));
  return element;
}

function styled(style, given) {
  for (const [name, value] of Object.entries(given)) {
    if (name.startsWith("--")) style.setProperty(name, value);
    else style[name] = value;
  }
}

export const at = (id) => document.getElementById(id);

export function fill(element, ...children) {
  element.replaceChildren(...children.flat(3).filter((child) => child !== null && child !== undefined));
  return element;
}

// A number as one reads it: three or four digits that count.
export function number(value) {
  if (!Number.isFinite(value)) return String(value);
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e6) return value.toLocaleString("en");
  if (size >= 1000) return Math.round(value).toLocaleString("en");
  if (size >= 0.01) return value.toFixed(size >= 10 ? 1 : size >= 1 ? 2 : 3).replace("-", "−");
  return value.toExponential(1).replace("-", "−").replace("e-", "e−");
}

export const whole = (value) => Math.round(value).toLocaleString("en");
export const percent = (share) => (share < 0.0005 ? "0 %" : `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`);
export const sizes = (shape) => shape.join(" × ");

// A layer's name that may break behind its dots and underscores.
export const breaking = (name) => name.split(/(?<=[._])/).flatMap((part) => [part, h("wbr")]);

// Trouble in one line at the top; null takes it away.
export function trouble(line) {
  const place = at("trouble");
  place.hidden = !line;
  place.textContent = line || "";
}

export function announce(line, x, y) {
  const tip = at("tip");
  tip.hidden = !line;
  if (!line) return;
  tip.textContent = line;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - box.width - 8))}px`;
  tip.style.top = `${Math.max(4, Math.min(y + 18, innerHeight - box.height - 8))}px`;
}
