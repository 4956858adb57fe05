"use strict";
// One image with its layers: one pane, or two with the same zoom.

const viewer = (() => {
  const OF_PICTURE = ["section", "id", "a", "b", "only", "safe"];
  const OF_ORDER = ["section", "run", "versus", "class", "sort", "down", "find", "by", "bound", "limit"];

  let panes = null; // {a, b}: stages, while the view is open
  let parts = null; // other elements that change
  let places = []; // of the images in the order of the list
  let ordered = ""; // what that order was made for
  let committing = 0;
  let turn = 0;

  const current = (state) => {
    const section = selection.sectionOf(state);
    return { section, place: section.place.get(state.id) };
  };

  // The layer that a section opens with: the labels of the chosen run, or what weighs the source.
  function defaultLayer(state, section) {
    const { run } = selection.runsOf(state, section);
    const wished = [
      `prediction/${run ?? archive.experiment.runs.at(-1)}`,
      ...section.layers.map(({ key }) => key).reverse(),
    ];
    return wished.find((key) => section.layers.some((layer) => layer.key === key));
  }

  function layersOf(state, section) {
    const known = (key) => section.layers.some((layer) => layer.key === key);
    return { a: known(state.a) ? state.a : defaultLayer(state, section), b: known(state.b) ? state.b : null };
  }

  async function show(state, before) {
    const { section, place } = current(state);
    const entering = before?.view !== "image" || !panes;
    if (entering) build();
    if (place === undefined) {
      parts.root.replaceChildren(
        element(
          "p.empty",
          {},
          `There is no image ${state.id ?? ""} in ${section.title}. `,
          element("a", { href: address.link({ view: "images", id: null }) }, "See all images"),
        ),
      );
      panes = null;
      return;
    }
    const look = { zoom: state.zoom, x: state.x, y: state.y };
    const keys = layersOf(state, section);
    parts.root.classList.toggle("double", Boolean(keys.b));
    panes.b.root.hidden = !keys.b;
    const drawn = entering || OF_PICTURE.some((name) => state[name] !== before?.[name]);
    blendTo(state.blend);
    if (!drawn) {
      lookAt(look);
      return;
    }
    const mine = ++turn;
    bar(state, section, place);
    const shown = await Promise.all(
      ["a", "b"].map((side) => (keys[side] ? panes[side].show(section, place, keys[side], state.only) : null)),
    ).catch((error) => speak(error.message));
    if (mine !== turn || !panes || !shown) return;
    lookAt(look);
    const beside = await legend.of(state, section, place, shown.filter(Boolean));
    if (mine !== turn || !panes) return;
    parts.legend.replaceChildren(...beside.elements);
    beside.words.forEach((words, i) => panes[i ? "b" : "a"].describe(words));
    speak(beside.words[0]);
    parts.root.dataset.ready = `${state.id} ${keys.a} ${keys.b ?? ""}`.trim(); // for whoever waits for it
    preload(section);
  }

  // ---- The parts of the view -----------------------------------------------------------------------------------

  function build() {
    const made = (side) => stage(side, { onLook: look, onPoint: point, onLayer: (key) => address.go({ [side]: key }) });
    panes = { a: made("a"), b: made("b") };
    const slider = element("input", {
      type: "range",
      min: 0,
      max: 100,
      id: "blend",
      ariaLabel: "How much of the layer covers the photograph",
      oninput: (event) => {
        blendTo(Number(event.target.value));
        commit({ blend: Number(event.target.value) });
      },
    });
    parts = {
      bar: element("div.bar"),
      slider,
      blend: element("output"),
      legend: element("div.legend"),
    };
    parts.root = element(
      "div.viewer",
      {},
      parts.bar,
      element("div.panes", {}, panes.a.root, panes.b.root),
      element(
        "aside.side",
        { ariaLabel: "Layers and classes" },
        element(
          "label.field.blend",
          {},
          element("span", {}, "Photograph ↔ layer"),
          element("div.joined", {}, slider, parts.blend),
        ),
        parts.legend,
      ),
    );
    document.querySelector("#main").replaceChildren(parts.root);
    scrollTo(0, 0);
  }

  function leave() {
    panes = null;
    turn += 1;
  }

  function bar(state, section, place) {
    const { b } = layersOf(state, section);
    const step = (by, words, sign) =>
      element(
        "a.step",
        { href: neighbour(state, by), ariaLabel: words, title: words, id: by < 0 ? "previous" : "next" },
        sign,
      );
    parts.bar.replaceChildren(
      element(
        "a.step.back",
        { href: address.link({ view: "images", id: null, zoom: null, x: null, y: null }), id: "back" },
        "‹ All images",
      ),
      element("h2", { title: state.id }, state.id),
      element("span.count", {}, position(place)),
      element(
        "span.steps",
        {},
        element("button", { type: "button", id: "compare", ariaPressed: Boolean(b), onclick: compare }, "Side by side"),
        element(
          "button",
          { type: "button", id: "whole", onclick: () => look({ zoom: 1, x: 0.5, y: 0.5 }) },
          "Whole image",
        ),
        step(-1, "Previous image", "←"),
        step(1, "Next image", "→"),
      ),
    );
    sorted(state, section, place);
  }

  // The order of the list that the image was opened from takes a moment where scores must be loaded.
  async function sorted(state, section, place) {
    const wanted = address.link(Object.fromEntries(OF_ORDER.map((name) => [name, state[name]])), {});
    if (wanted === ordered) return;
    const found = await selection.order(state);
    [places, ordered] = [found, wanted];
    if (panes && address.state.id === state.id) bar(address.state, section, place);
  }

  const position = (place) => (places.includes(place) ? `${places.indexOf(place) + 1} of ${places.length}` : "");

  function neighbour(state, by) {
    const { section, place } = current(state);
    const at = places.indexOf(place);
    const next = at < 0 ? (places[0] ?? place) : places[(at + by + places.length) % places.length];
    return address.link({ id: section.images.id[next] }, state);
  }

  function preload(section) {
    for (const by of [1, -1]) {
      const id = new URLSearchParams(neighbour(address.state, by).slice(1)).get("id");
      new Image().src = archive.picture(section, "photographs", id);
    }
  }

  // ---- Zoom, blend, pointer ------------------------------------------------------------------------------------

  function look(wanted) {
    lookAt(wanted);
    commit(panes.a.look);
  }

  function lookAt(wanted) {
    const reached = panes.a.placed(wanted);
    parts.root.classList.toggle("zoomed", reached.zoom > 1);
    if (!panes.b.root.hidden) panes.b.placed(reached);
  }

  function point(at) {
    panes.a.point(at);
    if (!panes.b.root.hidden) panes.b.point(at);
  }

  function blendTo(blend) {
    parts.slider.value = blend;
    parts.blend.textContent = `${Math.round(blend)} %`;
    for (const side of [panes.a, panes.b]) side.fade(blend / 100);
  }

  // Into the address once the hand rests: browsers limit how often it may change.
  function commit(changes) {
    clearTimeout(committing);
    committing = setTimeout(() => address.state.view === "image" && address.adjust(changes), 200);
  }

  // ---- Keys ----------------------------------------------------------------------------------------------------

  function compare() {
    const { section } = current(address.state);
    const { a, b } = layersOf(address.state, section);
    const { versus } = selection.runsOf(address.state, section);
    const wished = [versus && `prediction/${versus}`, "truth", "stylized", "photograph"];
    address.go({
      b: b ? null : wished.find((key) => key && key !== a && section.layers.some((layer) => layer.key === key)),
    });
  }

  function turnLayer(side, by) {
    const { section } = current(address.state);
    const keys = section.layers.map(({ key }) => key);
    const at = keys.indexOf(layersOf(address.state, section)[side]);
    if (at >= 0) address.go({ [side]: keys[(at + by + keys.length) % keys.length] });
  }

  // From any layer to its errors or the truth, and from there back to the labels.
  function toggle(side, wanted) {
    const { section } = current(address.state);
    const key = layersOf(address.state, section)[side];
    if (!key) return;
    const target =
      wanted === "truth"
        ? key === "truth"
          ? defaultLayer(address.state, section)
          : "truth"
        : key.startsWith("errors/")
          ? key.slice("errors/".length)
          : `errors/${key}`;
    if (section.layers.some((layer) => layer.key === target)) address.go({ [side]: target });
  }

  function swap() {
    const { a, b } = layersOf(address.state, current(address.state).section);
    if (b) address.go({ a: b, b: a });
  }

  function nudge(x, y) {
    const { zoom, x: atX, y: atY } = panes.a.look;
    look({ zoom, x: atX + x / zoom, y: atY + y / zoom });
  }

  const KEYS = {
    ArrowRight: () => address.go({ id: new URLSearchParams(neighbour(address.state, 1).slice(1)).get("id") }),
    ArrowLeft: () => address.go({ id: new URLSearchParams(neighbour(address.state, -1).slice(1)).get("id") }),
    ArrowDown: (side) => turnLayer(side, 1),
    ArrowUp: (side) => turnLayer(side, -1),
    t: (side) => toggle(side, "truth"),
    e: (side) => toggle(side, "errors"),
    c: compare,
    x: swap,
    "+": () => look(panes.a.zoomed(1.5, panes.a.look)),
    "=": () => look(panes.a.zoomed(1.5, panes.a.look)),
    "-": () => look(panes.a.zoomed(1 / 1.5, panes.a.look)),
    0: () => look({ zoom: 1, x: 0.5, y: 0.5 }),
    h: () => nudge(-0.1, 0),
    l: () => nudge(0.1, 0),
    j: () => nudge(0, 0.1),
    k: () => nudge(0, -0.1),
    "[": () => address.adjust({ blend: Math.max(0, address.state.blend - 10) }),
    "]": () => address.adjust({ blend: Math.min(100, address.state.blend + 10) }),
    Escape: () => document.querySelector("#back").click(),
    " ": () => parts.root.classList.add("bare"),
  };

  function key(event) {
    if (!panes) return false;
    const named = KEYS[event.key] ?? KEYS[event.key.toLowerCase()];
    named?.(event.shiftKey ? "b" : "a");
    return Boolean(named);
  }

  addEventListener("keyup", (event) => event.key === " " && parts?.root.classList.remove("bare"));
  addEventListener("resize", () => panes && lookAt(panes.a.look));

  return { show, leave, key };
})();
