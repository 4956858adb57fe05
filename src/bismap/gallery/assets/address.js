"use strict";
// What is shown is in the address: a link opens the same image, layers and zoom, and back and forward work.

const address = (() => {
  const TEXT = ["view", "section", "id", "a", "b", "run", "versus", "sort", "find", "list", "by", "bound"];
  const NUMBERS = ["blend", "zoom", "x", "y", "class", "only", "limit"];
  const SWITCHES = ["down", "safe"];
  const DEFAULTS = { view: "images", blend: 75, zoom: 1, x: 0.5, y: 0.5, bound: "most", list: "grid" };
  const listeners = [];

  function read() {
    const given = new URLSearchParams(location.hash.slice(1));
    const state = { ...DEFAULTS };
    for (const name of TEXT) if (given.has(name)) state[name] = given.get(name);
    for (const name of NUMBERS) {
      const number = Number(given.get(name) ?? Number.NaN);
      if (given.get(name) && Number.isFinite(number)) state[name] = number;
    }
    for (const name of SWITCHES) if (given.has(name)) state[name] = given.get(name) === "1";
    return state;
  }

  // The address of the present state with some changes; null and undefined take a value back to its default.
  function link(changes, state = address.state) {
    const merged = { ...state, ...changes };
    const words = new URLSearchParams();
    for (const name of [...TEXT, ...NUMBERS, ...SWITCHES]) {
      let value = merged[name];
      if (value === null || value === undefined || value === "" || value === DEFAULTS[name]) continue;
      if (SWITCHES.includes(name)) value = value ? "1" : "0";
      else if (NUMBERS.includes(name)) value = String(Math.round(value * 1e4) / 1e4);
      if (value !== "0" || !SWITCHES.includes(name)) words.set(name, value);
    }
    return `#${words}`;
  }

  // A step that `back` returns from.
  const go = (changes) => move(changes, "pushState");
  // A finer change of the same view: no step of its own.
  const adjust = (changes) => move(changes, "replaceState");

  function move(changes, how) {
    const hash = link(changes);
    if (hash === link({})) return;
    try {
      history[how](null, "", hash);
    } catch {
      return; // browsers limit how often an address changes; the next change makes up for it
    }
    update();
  }

  function update() {
    const before = address.state;
    address.state = read();
    for (const listener of listeners) listener(address.state, before);
  }

  const onChange = (listener) => listeners.push(listener);
  addEventListener("popstate", update);
  addEventListener("hashchange", () => link({}) !== link({}, read()) && update());

  return { state: read(), link, go, adjust, onChange };
})();
