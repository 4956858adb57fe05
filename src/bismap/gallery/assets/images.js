"use strict";
// The images of a section: a grid of cards or a table, sorted and filtered.

const images = (() => {
  const OF_LIST = ["section", "run", "versus", "class", "sort", "down", "find", "list", "by", "bound", "limit", "safe"];
  const TYPED = ["find", "limit"];
  const ROW = 64; // height of a table row, pixels
  const CARD = 216; // least width of a card, pixels
  const CAPTION = 82; // height below a card's picture and its gap, pixels

  let list = null;
  let left = null; // where the list was scrolled to when an image was opened
  let cursor = 0;
  let drawing = 0;
  let unfolded = false; // the filters of a narrow window

  // ---- What is shown -------------------------------------------------------------------------------------------

  const sectionOf = (state) => archive.section(state.section) ?? archive.experiment.sections[0];

  // The run whose figures are shown, and the one it is compared with.
  function runsOf(state, section = sectionOf(state)) {
    const names = archive.experiment.runs.filter((run) => run in section.runs);
    const run = names.includes(state.run) ? state.run : (names.at(-1) ?? null);
    const versus = names.includes(state.versus) && state.versus !== run ? state.versus : null;
    return { names, run, versus };
  }

  // Columns of figures: {key, title, value(place), text(value), share}; `share`: in percent, as typed into the filter.
  async function columnsOf(state) {
    const section = sectionOf(state);
    const { labelled, mean, miou } = section.images;
    const { run, versus } = runsOf(state, section);
    const columns = [];
    const titled = (name, key, all) => (Object.keys(all).length > 1 ? `${name} ${key.split("/").slice(1).join(", ")}` : name);
    const add = (key, title, value, text, share = true) => columns.push({ key, title, value, text, share });
    for (const key of Object.keys(labelled)) add(key, titled("Labelled", key, labelled), (i) => labelled[key][i], figure.percent);
    for (const key of Object.keys(mean)) {
      const layer = section.layers.find((one) => one.key === key);
      const share = layer.low === 0 && layer.high === 1;
      const text = (value) => figure.number(value, share ? 3 : 1);
      add(key, titled(`Mean ${layer.quantity}`.replace("weight in the source loss", "weight"), key, mean), (i) => mean[key][i], text, false);
    }
    if (run) add("miou", "mIoU", (i) => miou[run][i], figure.percent);
    if (versus) add("change", "Change", (i) => difference(miou[run][i], miou[versus][i]), (v) => figure.change(v, 0));
    if (state.class !== undefined) await addClass(add, section, state.class, run, versus);
    return columns;
  }

  async function addClass(add, section, number, run, versus) {
    const name = colors.nameOf(number);
    add("share", `Share of ${name}`, (i) => shareOf(section, i, number), (value) => figure.percent(value, 2));
    if (!run) return;
    const [now, before] = await Promise.all([run, versus].map((one) => one && archive.scoresOf(section, one)));
    const iou = (scores, i) => ratioOf(scores[i]?.get(number));
    add("iou", `IoU of ${name}`, (i) => iou(now, i), figure.percent);
    if (before) add("iouchange", "Change of IoU", (i) => difference(iou(now, i), iou(before, i)), (v) => figure.change(v, 0));
    const wrong = (area) => (area ? area.either - area.both : null);
    add("wrong", "Wrong pixels", (i) => wrong(now[i]?.get(number)), (v) => figure.number(v, 0), false);
  }

  const difference = (now, before) => (missing(now) || missing(before) ? null : now - before);
  const ratioOf = (area) => (area?.truth ? area.both / area.either : null);

  function shareOf(section, place, number) {
    const present = section.images.present[place];
    for (let i = 0; i < present.length; i += 2) {
      if (present[i] === number) return present[i + 1] / archive.experiment.parts;
    }
    return 0;
  }

  // How the list is sorted unless the address says: with a class, by where it fails most.
  function sortOf(state, columns) {
    const keys = columns.map((column) => column.key);
    if (keys.includes(state.sort)) return { key: state.sort, down: state.down ?? false };
    if (state.sort === "id" || state.class === undefined) return { key: "id", down: state.down ?? false };
    return { key: keys.includes("wrong") ? "wrong" : "share", down: state.down ?? true };
  }

  // Places in the section of the images that pass the filters, in the order shown.
  async function order(state) {
    const [section, columns] = [sectionOf(state), await columnsOf(state)];
    const value = (key) => columns.find((column) => column.key === key)?.value;
    const ids = section.images.id;
    let places = ids.map((_, place) => place);
    if (state.find) {
      const wanted = state.find.toLowerCase();
      places = places.filter((place) => ids[place].toLowerCase().includes(wanted));
    }
    if (state.class !== undefined) {
      const wrong = value("wrong") ?? (() => null);
      places = places.filter((place) => value("share")(place) > 0 || wrong(place) > 0);
    }
    const by = limitedBy(state, columns);
    if (by && state.limit !== undefined) {
      const limit = by.share ? state.limit / 100 : state.limit;
      const passes = state.bound === "least" ? (v) => v >= limit : (v) => v <= limit;
      places = places.filter((place) => !missing(by.value(place)) && passes(by.value(place)));
    }
    const { key, down } = sortOf(state, columns);
    const sign = down ? -1 : 1;
    if (key === "id") return down ? places.reverse() : places;
    const values = new Map(places.map((place) => [place, value(key)(place)]));
    return places.sort((one, other) => compared(values.get(one), values.get(other), sign) || one - other);
  }

  // Images without a figure come last, whichever way the list is sorted.
  function compared(one, other, sign) {
    if (missing(one) || missing(other)) return missing(one) - missing(other);
    return sign * (one - other);
  }

  // ---- The view ------------------------------------------------------------------------------------------------

  async function show(state, before) {
    const changed = OF_LIST.filter((name) => state[name] !== before?.[name]);
    const entering = before?.view !== "images";
    if (!entering && !changed.length) return;
    const turn = ++drawing;
    const [columns, places] = [await columnsOf(state), await order(state)];
    if (turn !== drawing || address.state.view !== "images") return;
    const main = document.querySelector("#main");
    const typedOnly = !entering && changed.every((name) => TYPED.includes(name)) && main.querySelector(".list");
    const holder = typedOnly ? main.querySelector(".list") : element("section.list", { ariaLabel: "Images" });
    if (!typedOnly) main.replaceChildren(toolbar(state, columns), holder);
    main.querySelector(".count").textContent = counted(state, places.length);
    cursor = 0;
    fill(holder, state, columns, places);
    if (entering && before?.view === "image" && left !== null) scrollTo(0, left);
    else if (!typedOnly) scrollTo(0, 0);
  }

  function leave() {
    left = scrollY;
    list?.stop();
    list = null;
  }

  function counted(state, number) {
    const section = sectionOf(state);
    const all = section.images.id.length;
    const shown = number === all ? `${all} images` : `${number} of ${all} images`;
    return all < section.total ? `${shown} (drawn from ${section.total})` : shown;
  }

  function toolbar(state, columns) {
    const section = sectionOf(state);
    const { names, run, versus } = runsOf(state, section);
    const set = (changes) => address.go(changes);
    const classes = archive.experiment.classes.map((name, number) => [String(number), name]);
    const sort = sortOf(state, columns);
    const sortable = [["id", "name"], ...columns.map(({ key, title }) => [key, title])];
    return element("div.toolbar", {},
      element("div.row", {}, sectionTabs(state),
        element("div.joined", { role: "group", ariaLabel: "Show as" },
          ["grid", "table"].map((kind) => element("button", { type: "button", ariaPressed: state.list === kind, id: `as-${kind}`,
            onclick: () => set({ list: kind }) }, kind)))),
      element("details.filters", { open: innerWidth > 760 || unfolded, ontoggle: (event) => { unfolded = event.target.open; } }, element("summary", {}, "Filters and order"), element("div.fields", {},
        element("label.field", {}, element("span", {}, "Find"),
          element("input", { type: "search", id: "find", value: state.find ?? "", placeholder: "part of a name", size: 10,
                             oninput: (event) => address.adjust({ find: event.target.value }) })),
        names.length > 0 && choice("Run", names.map((name) => [name, name]), run, (value) => set({ run: value })),
        names.length > 1 && choice("Against", [["", "no other"], ...names.filter((name) => name !== run).map((name) => [name, name])],
          versus ?? "", (value) => set({ versus: value || null })),
        choice("Class", [["", "any"], ...classes], state.class === undefined ? "" : String(state.class), (value) =>
          set({ class: value === "" ? null : Number(value), only: null, sort: null, down: null })),
        limitField(state, columns),
        element("div.field", {}, element("span", {}, "Sort by"),
          element("div.joined", {},
            choice("Sort by", sortable, sort.key, (value) => set({ sort: value, down: value !== "id" }), { id: "sort" }).lastChild,
            element("button", { type: "button", title: sort.down ? "Greatest first" : "Least first",
                                ariaLabel: sort.down ? "Greatest first: reverse" : "Least first: reverse",
                                onclick: () => set({ sort: sort.key, down: !sort.down }) }, sort.down ? "↓" : "↑"))))),
      element("p.count", {}));
  }

  // The column that `limit` is of.
  const limitedBy = (state, columns) => [state.by, "miou"].map((key) => columns.find((column) => column.key === key)).find(Boolean) ?? columns[0];

  function limitField(state, columns) {
    if (!columns.length) return null;
    const by = limitedBy(state, columns);
    const list = choice("Only where", columns.map(({ key, title }) => [key, title]), by.key, (value) => address.go({ by: value }), { id: "by" });
    const bounds = [["most", "≤"], ["least", "≥"]];
    return element("div.field", {}, element("span", {}, "Only where"),
      element("div.joined", {}, list.lastChild,
        choice("bound", bounds, state.bound, (value) => address.go({ bound: value }), { ariaLabel: "at most or at least" }).lastChild,
        element("input", { type: "number", id: "limit", step: "any", value: state.limit ?? "", placeholder: by.share ? "%" : "value",
                           ariaLabel: `limit of ${by.title}`,
                           oninput: (event) => address.adjust({ limit: event.target.value === "" ? null : Number(event.target.value) }) })));
  }

  function sectionTabs(state) {
    const current = sectionOf(state);
    const tabs = archive.experiment.sections.map((section) =>
      element("a.tab", { href: address.link({ section: section.key, sort: null, down: null, by: null, limit: null, a: null, b: null, only: null }),
                         ariaCurrent: section === current ? "true" : null },
        section.title, element("small", {}, String(section.images.id.length))));
    return element("nav.sections", { ariaLabel: "Sets of images" }, tabs);
  }

  // ---- Grid and table ------------------------------------------------------------------------------------------

  function fill(holder, state, columns, places) {
    list?.stop();
    if (!places.length) {
      holder.replaceChildren(element("p.empty", {}, "No image passes these filters."));
      list = null;
      return;
    }
    if (state.list === "table") fillTable(holder, state, columns, places);
    else fillGrid(holder, state, columns, places);
  }

  function opened(state, section, place) {
    return address.link({ view: "image", section: section.key, id: section.images.id[place], zoom: null, x: null, y: null }, state);
  }

  function thumbnail(section, place) {
    const id = section.images.id[place];
    const [width, height] = section.images.size[place];
    return element("img", { src: archive.picture(section, "thumbnails", id), alt: `Photograph ${id}`, width, height,
                            loading: "lazy", decoding: "async" });
  }

  function fillGrid(holder, state, columns, places) {
    const section = sectionOf(state);
    const across = Math.max(2, Math.floor((holder.clientWidth + 16) / (CARD + 16)));
    const gap = holder.clientWidth < 600 ? 10 : 16;
    const width = (holder.clientWidth - gap * (across - 1)) / across;
    const [w, h] = section.images.size[places[0]];
    const tall = Math.round(width * Math.min(0.8, h / w));
    const sort = sortOf(state, columns);
    const told = [...new Set([sort.key, state.class === undefined ? "miou" : "iou", "change", section.labelled, section.score])]
      .map((key) => columns.find((column) => column.key === key)).filter(Boolean).slice(0, 2);
    const body = element("div.grid", { style: { "--across": across, "--gap": `${gap}px`, "--tall": `${tall}px` } });
    holder.replaceChildren(body);
    list = scroller(body, {
      count: Math.ceil(places.length / across),
      height: tall + CAPTION,
      spacer: () => element("div"),
      make: (row) => element("div.cards", {},
        places.slice(row * across, (row + 1) * across).map((place, i) => card(state, section, told, place, row * across + i))),
    });
    list.across = across;
    list.places = places;
  }

  function card(state, section, told, place, position) {
    return element("a.card", { href: opened(state, section, place), id: `item-${position}` },
      thumbnail(section, place),
      strip(section, place),
      element("span.id", { title: section.images.id[place] }, section.images.id[place]),
      element("span.told", {}, told.map((column) => element("span", { title: column.title },
        element("small", {}, short(column)), " ", column.text(column.value(place))))));
  }

  const short = (column) => ({ miou: "mIoU", change: "Δ", iou: "IoU", iouchange: "Δ", wrong: "wrong", share: "share" })[column.key]
    ?? column.title.toLowerCase().replace("mean log density", "density").replace("mean ", "");

  // The classes of an image as a bar of their colours.
  function strip(section, place) {
    const present = section.images.present[place];
    const parts = [];
    for (let i = 0; i < present.length; i += 2) parts.push([present[i], present[i + 1] / archive.experiment.parts]);
    parts.sort((one, other) => other[1] - one[1]);
    const words = parts.slice(0, 6).map(([number, share]) => `${colors.nameOf(number)} ${figure.percent(share, 0)}`).join(", ");
    return element("span.strip", { role: "img", ariaLabel: `Classes: ${words || "not known"}` },
      parts.map(([number, share]) => element("i", {
        title: `${colors.nameOf(number)} ${figure.percent(share)}`,
        style: { "flex-grow": share, background: colors.ofClass(number) } })));
  }

  function fillTable(holder, state, columns, places) {
    const section = sectionOf(state);
    const sort = sortOf(state, columns);
    const heading = (key, title) => element("th", { scope: "col", ariaSort: key === sort.key ? (sort.down ? "descending" : "ascending") : null },
      element("button", { type: "button", onclick: () => address.go({ sort: key, down: key === sort.key ? !sort.down : key !== "id" }) },
        title, key === sort.key && (sort.down ? " ↓" : " ↑")));
    const body = element("tbody");
    const table = element("table", { ariaRowcount: places.length },
      element("thead", {}, element("tr", {}, heading("id", "Image"), element("th.classes", { scope: "col" }, "Classes"),
        columns.map(({ key, title }) => heading(key, title)))),
      body);
    holder.replaceChildren(element("div.wide", { tabIndex: 0, role: "region", ariaLabel: "Table of images" }, table));
    const width = columns.length + 2;
    list = scroller(body, {
      count: places.length,
      height: ROW,
      spacer: () => element("tr.spacer", { ariaHidden: "true" }, element("td", { colSpan: width })),
      make: (row) => tableRow(state, section, columns, places[row], row),
    });
    list.across = 1;
    list.places = places;
  }

  function tableRow(state, section, columns, place, position) {
    return element("tr", { ariaRowindex: position + 1 },
      element("th", { scope: "row" }, element("a.named", { href: opened(state, section, place), id: `item-${position}` },
        thumbnail(section, place), element("span.id", { title: section.images.id[place] }, section.images.id[place]))),
      element("td.classes", {}, strip(section, place)),
      columns.map((column) => {
        const value = column.value(place);
        const tone = column.key.endsWith("change") && value ? (value > 0 ? "better" : "worse") : "";
        return element(`td.number${tone && `.${tone}`}`, {}, column.text(value));
      }));
  }

  // ---- Keys ----------------------------------------------------------------------------------------------------

  const STEPS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

  function key(event) {
    if (event.key === "/") document.querySelector("#find")?.focus();
    else if (event.key in STEPS && list) moveCursor(...STEPS[event.key]);
    else return false;
    return true;
  }

  function moveCursor(aside, down) {
    const focused = /^item-(\d+)$/.exec(document.activeElement?.id ?? "");
    const next = focused ? Number(focused[1]) + aside + down * list.across : cursor;
    cursor = Math.max(0, Math.min(list.places.length - 1, next));
    const head = document.querySelector(".top").offsetHeight + (document.querySelector("thead")?.offsetHeight ?? 0);
    list.reveal(Math.floor(cursor / list.across), head + 8);
    document.querySelector(`#item-${cursor}`)?.focus({ preventScroll: true });
  }

  let width = 0;
  addEventListener("resize", () => {
    if (address.state.view !== "images" || innerWidth === width) return;
    width = innerWidth;
    show(address.state, null);
  });

  return { show, leave, key, order, sectionOf, runsOf, sectionTabs, difference, ratioOf };
})();
