"use strict";
// Small tools: elements, figures as text, words read aloud.

// element("a.card", {href, onclick, ariaLabel, dataset, style}, child, ...). Text is only ever set as text.
function element(selector, properties = {}, ...children) {
  const [tag, ...classes] = selector.split(".");
  const made = document.createElement(tag);
  if (classes.length) made.className = classes.join(" ");
  for (const [name, value] of Object.entries(properties)) {
    if (missing(value) || (value === false && !name.startsWith("aria"))) continue;
    if (name === "style") for (const [key, one] of Object.entries(value)) made.style.setProperty(key, one);
    else if (name in made && !name.startsWith("aria")) made[name] = value;
    else
      made.setAttribute(
        name.replace(/^aria([A-Z].*)/, (_, rest) => `aria-${rest.toLowerCase()}`),
        String(value),
      );
  }
  made.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

// A labelled drop-down list. `choices`: [[value, text], ...] or [{group, choices}, ...].
function choice(label, choices, chosen, onChoice, properties = {}) {
  const option = ([value, text]) => element("option", { value, selected: value === chosen }, text);
  const entries = choices.map((entry) =>
    Array.isArray(entry) ? option(entry) : element("optgroup", { label: entry.group }, entry.choices.map(option)),
  );
  const list = element("select", { onchange: (event) => onChoice(event.target.value), ...properties }, entries);
  return element("label.field", {}, element("span", {}, label), list);
}

const NONE = "–";

const figure = {
  percent: (share, digits = 1) => (share === null || share === undefined ? NONE : `${(100 * share).toFixed(digits)} %`),
  number: (value, digits = 1) => (value === null || value === undefined ? NONE : minus(value.toFixed(digits))),
  // A change of an IoU in percentage points.
  change: (now, before) => {
    if (missing(now) || missing(before)) return NONE;
    const points = (100 * (now - before)).toFixed(1);
    return Number(points) > 0 ? `+${points}` : minus(points === "-0.0" ? "0.0" : points);
  },
};

const missing = (value) => value === null || value === undefined;
const minus = (text) => text.replace("-", "−");

function speak(text) {
  document.querySelector(".spoken").textContent = text;
}
