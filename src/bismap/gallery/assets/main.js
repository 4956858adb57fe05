"use strict";
// Puts the page together: its head, the view that the address names, and the keys.

(() => {
  const VIEWS = { images, image: viewer, classes };
  const viewOf = (state) => VIEWS[state.view] ?? images;

  function head(state) {
    const tab = (view, text) =>
      element(
        "a",
        {
          href: address.link({ view, id: null, zoom: null, x: null, y: null }, state),
          ariaCurrent: viewOf(state) === VIEWS[view] || (view === "images" && state.view === "image") ? "page" : null,
          id: `tab-${view}`,
        },
        text,
      );
    document.querySelector(".tabs").replaceChildren(tab("images", "Images"), tab("classes", "Classes"));
    document.querySelector(".tools").replaceChildren(
      element(
        "button",
        {
          type: "button",
          id: "safe",
          ariaPressed: Boolean(state.safe),
          ariaLabel: "Colour-blind safe colours",
          onclick: recolor,
          title: "Colours of classes that stay apart for colour-blind eyes",
        },
        element("span", { ariaHidden: "true" }, "◑"),
        element("span.long", {}, " Colour-blind safe"),
      ),
      element("button", { type: "button", id: "help", onclick: help.toggle, ariaLabel: "Help and keys" }, "?"),
    );
  }

  const recolor = () => address.go({ safe: address.state.safe ? null : true });

  function show(state, before) {
    if (before && viewOf(before) !== viewOf(state)) viewOf(before).leave();
    head(state);
    viewOf(state).show(state, before);
  }

  const ANYWHERE = {
    "?": help.toggle,
    g: () => address.go({ view: "images", id: null, zoom: null, x: null, y: null }),
    m: () => address.go({ view: "classes", id: null, zoom: null, x: null, y: null }),
    p: recolor,
  };

  addEventListener("keydown", (event) => {
    if (help.open || event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.matches("input:not([type=range]), select, textarea");
    if (typing && event.key === "Escape") event.target.blur();
    if (typing || (event.target.matches("input") && event.key.startsWith("Arrow"))) return;
    if (event.target.matches("a, button, summary") && [" ", "Enter"].includes(event.key)) return;
    const taken = ANYWHERE[event.key] ? (ANYWHERE[event.key](), true) : viewOf(address.state).key(event);
    if (taken) event.preventDefault();
  });

  if (!archive.experiment) {
    document.querySelector("#main").textContent =
      "files/experiment.js is missing or damaged: copy the whole folder, or make the gallery again.";
    return;
  }
  const { name } = archive.experiment;
  document.title = `${name} – gallery`;
  document.querySelector(".name").replaceChildren(name, " ", element("small", {}, "gallery"));
  address.onChange(show);
  show(address.state, null);
})();
