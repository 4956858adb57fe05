"use strict";
// The images of a list as a grid of cards or a table; only what is near the window is in the document.

const rows = (() => {
  const ROW = 64; // height of a table row, pixels
  const CARD = 216; // least width of a card, pixels
  const CAPTION = 82; // height below a card's picture and its gap, pixels

  // Fills `holder` with the images at `places`; the list with its number of images and of those side by side, or null.
  function fill(holder, state, columns, places) {
    if (!places.length) {
      holder.replaceChildren(element("p.empty", {}, "No image passes these filters."));
      return null;
    }
    const made = state.list === "table" ? fillTable : fillGrid;
    return made(holder, state, columns, places);
  }

  function opened(state, section, place) {
    return address.link(
      { view: "image", section: section.key, id: section.images.id[place], zoom: null, x: null, y: null },
      state,
    );
  }

  function thumbnail(section, place) {
    const id = section.images.id[place];
    const [width, height] = section.images.size[place];
    return element("img", {
      src: archive.picture(section, "thumbnails", id),
      alt: `Photograph ${id}`,
      width,
      height,
      loading: "lazy",
      decoding: "async",
    });
  }

  function fillGrid(holder, state, columns, places) {
    const section = selection.sectionOf(state);
    const across = Math.max(2, Math.floor((holder.clientWidth + 16) / (CARD + 16)));
    const gap = holder.clientWidth < 600 ? 10 : 16;
    const width = (holder.clientWidth - gap * (across - 1)) / across;
    const [w, h] = section.images.size[places[0]];
    const tall = Math.round(width * Math.min(0.8, h / w));
    const sort = selection.sortOf(state, columns);
    const told = [
      ...new Set([sort.key, state.class === undefined ? "miou" : "iou", "change", section.labelled, section.score]),
    ]
      .map((key) => columns.find((column) => column.key === key))
      .filter(Boolean)
      .slice(0, 2);
    const body = element("div.grid", { style: { "--across": across, "--gap": `${gap}px`, "--tall": `${tall}px` } });
    holder.replaceChildren(body);
    const list = scroller(body, {
      count: Math.ceil(places.length / across),
      height: tall + CAPTION,
      spacer: () => element("div"),
      make: (row) =>
        element(
          "div.cards",
          {},
          places
            .slice(row * across, (row + 1) * across)
            .map((place, i) => card(state, section, told, place, row * across + i)),
        ),
    });
    return { ...list, across, count: places.length };
  }

  function card(state, section, told, place, position) {
    return element(
      "a.card",
      { href: opened(state, section, place), id: `item-${position}` },
      thumbnail(section, place),
      strip(section, place),
      element("span.id", { title: section.images.id[place] }, section.images.id[place]),
      element(
        "span.told",
        {},
        told.map((column) =>
          element(
            "span",
            { title: column.title },
            element("small", {}, short(column)),
            " ",
            column.text(column.value(place)),
          ),
        ),
      ),
    );
  }

  const short = (column) =>
    ({ miou: "mIoU", change: "Δ", iou: "IoU", iouchange: "Δ", wrong: "wrong", share: "share" })[column.key] ??
    column.title.toLowerCase().replace("mean log density", "density").replace("mean ", "");

  // The classes of an image as a bar of their colours.
  function strip(section, place) {
    const present = section.images.present[place];
    const parts = [];
    for (let i = 0; i < present.length; i += 2) parts.push([present[i], present[i + 1] / archive.experiment.parts]);
    parts.sort((one, other) => other[1] - one[1]);
    const words = parts
      .slice(0, 6)
      .map(([number, share]) => `${colors.nameOf(number)} ${figure.percent(share, 0)}`)
      .join(", ");
    return element(
      "span.strip",
      { role: "img", ariaLabel: `Classes: ${words || "not known"}` },
      parts.map(([number, share]) =>
        element("i", {
          title: `${colors.nameOf(number)} ${figure.percent(share)}`,
          style: { "flex-grow": share, background: colors.ofClass(number) },
        }),
      ),
    );
  }

  function fillTable(holder, state, columns, places) {
    const section = selection.sectionOf(state);
    const sort = selection.sortOf(state, columns);
    const heading = (key, title) =>
      element(
        "th",
        { scope: "col", ariaSort: key === sort.key ? (sort.down ? "descending" : "ascending") : null },
        element(
          "button",
          {
            type: "button",
            onclick: () => address.go({ sort: key, down: key === sort.key ? !sort.down : key !== "id" }),
          },
          title,
          key === sort.key && (sort.down ? " ↓" : " ↑"),
        ),
      );
    const body = element("tbody");
    const table = element(
      "table",
      { ariaRowcount: places.length },
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          heading("id", "Image"),
          element("th.classes", { scope: "col" }, "Classes"),
          columns.map(({ key, title }) => heading(key, title)),
        ),
      ),
      body,
    );
    holder.replaceChildren(element("div.wide", { tabIndex: 0, role: "region", ariaLabel: "Table of images" }, table));
    const width = columns.length + 2;
    const list = scroller(body, {
      count: places.length,
      height: ROW,
      spacer: () => element("tr.spacer", { ariaHidden: "true" }, element("td", { colSpan: width })),
      make: (row) => tableRow(state, section, columns, places[row], row),
    });
    return { ...list, across: 1, count: places.length };
  }

  function tableRow(state, section, columns, place, position) {
    return element(
      "tr",
      { ariaRowindex: position + 1 },
      element(
        "th",
        { scope: "row" },
        element(
          "a.named",
          { href: opened(state, section, place), id: `item-${position}` },
          thumbnail(section, place),
          element("span.id", { title: section.images.id[place] }, section.images.id[place]),
        ),
      ),
      element("td.classes", {}, strip(section, place)),
      columns.map((column) => {
        const value = column.value(place);
        const tone = column.key.endsWith("change") && value ? (value > 0 ? "better" : "worse") : "";
        return element(`td.number${tone && `.${tone}`}`, {}, column.text(value));
      }),
    );
  }

  return { fill };
})();
