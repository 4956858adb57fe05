"use strict";
// The panel that tells the keys.

const help = (() => {
  const GROUPS = {
    Everywhere: [
      ["?", "this panel"],
      ["g", "images"],
      ["m", "classes"],
      ["p", "colours: own or colour-blind safe"],
    ],
    Images: [
      ["← → ↑ ↓", "from image to image"],
      ["Enter", "open"],
      ["/", "find"],
    ],
    "One image": [
      ["← →", "previous, next image of the list"],
      ["↑ ↓", "previous, next layer"],
      ["t", "truth and back"],
      ["e", "errors and back"],
      ["c", "side by side"],
      ["x", "swap the sides"],
      ["Shift + ↑ ↓ t e", "the same for the right side"],
      ["[ ]", "less, more of the layer"],
      ["Space", "photograph alone, while held"],
      ["+ − 0", "zoom in, out, whole image"],
      ["h j k l", "move left, down, up, right"],
      ["Esc", "back to the images"],
    ],
  };

  const rows = (keys) =>
    keys.map(([key, words]) => [
      element(
        "dt",
        {},
        key.split(" ").map((one) => element("kbd", {}, one)),
      ),
      element("dd", {}, words),
    ]);
  const panel = element(
    "dialog.help",
    { ariaLabel: "Help" },
    element(
      "form",
      { method: "dialog" },
      element("h2", {}, "Keys and mouse"),
      element("button", { ariaLabel: "Close" }, "×"),
    ),
    Object.entries(GROUPS).map(([title, keys]) =>
      element("section", {}, element("h3", {}, title), element("dl", {}, rows(keys))),
    ),
    element(
      "p",
      {},
      "Wheel or pinch zooms, dragging moves, a double click zooms in and out. The address in the browser leads back " +
        "to what you see: copy it to show it to somebody.",
    ),
  );
  panel.addEventListener("click", (event) => event.target === panel && panel.close());

  function toggle() {
    if (!panel.isConnected) document.body.append(panel);
    if (panel.open) panel.close();
    else panel.showModal();
  }

  return {
    toggle,
    get open() {
      return panel.open;
    },
  };
})();
