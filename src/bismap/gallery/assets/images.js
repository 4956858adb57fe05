"use strict";
// The images of a section with their filters.

const images = (() => {
  const OF_LIST = ["section", "run", "versus", "class", "sort", "down", "find", "list", "by", "bound", "limit", "safe"];
  const TYPED = ["find", "limit"];

  let list = null;
  let left = null; // where the list was scrolled to when an image was opened
  let cursor = 0;
  let drawing = 0;
  let unfolded = false; // the filters of a narrow window

  async function show(state, before) {
    const changed = OF_LIST.filter((name) => state[name] !== before?.[name]);
    const entering = before?.view !== "images";
    if (!entering && !changed.length) return;
    const turn = ++drawing;
    const [columns, places] = [await selection.columnsOf(state), await selection.order(state)];
    if (turn !== drawing || address.state.view !== "images") return;
    const main = document.querySelector("#main");
    const typedOnly = !entering && changed.every((name) => TYPED.includes(name)) && main.querySelector(".list");
    const holder = typedOnly ? main.querySelector(".list") : element("section.list", { ariaLabel: "Images" });
    if (!typedOnly) main.replaceChildren(toolbar(state, columns), holder);
    main.querySelector(".count").textContent = counted(state, places.length);
    cursor = 0;
    list?.stop();
    list = rows.fill(holder, state, columns, places);
    if (entering && before?.view === "image" && left !== null) scrollTo(0, left);
    else if (!typedOnly) scrollTo(0, 0);
  }

  function leave() {
    left = scrollY;
    list?.stop();
    list = null;
  }

  function counted(state, number) {
    const section = selection.sectionOf(state);
    const all = section.images.id.length;
    const shown = number === all ? `${all} images` : `${number} of ${all} images`;
    return all < section.total ? `${shown} (drawn from ${section.total})` : shown;
  }

  function toolbar(state, columns) {
    const section = selection.sectionOf(state);
    const { names, run, versus } = selection.runsOf(state, section);
    const set = (changes) => address.go(changes);
    const classes = archive.experiment.classes.map((name, number) => [String(number), name]);
    const sort = selection.sortOf(state, columns);
    const sortable = [["id", "name"], ...columns.map(({ key, title }) => [key, title])];
    return element(
      "div.toolbar",
      {},
      element(
        "div.row",
        {},
        sectionTabs(state),
        element(
          "div.joined",
          { role: "group", ariaLabel: "Show as" },
          ["grid", "table"].map((kind) =>
            element(
              "button",
              {
                type: "button",
                ariaPressed: state.list === kind,
                id: `as-${kind}`,
                onclick: () => set({ list: kind }),
              },
              kind,
            ),
          ),
        ),
      ),
      element(
        "details.filters",
        {
          open: innerWidth > 760 || unfolded,
          ontoggle: (event) => {
            unfolded = event.target.open;
          },
        },
        element("summary", {}, "Filters and order"),
        element(
          "div.fields",
          {},
          element(
            "label.field",
            {},
            element("span", {}, "Find"),
            element("input", {
              type: "search",
              id: "find",
              value: state.find ?? "",
              placeholder: "part of a name",
              size: 10,
              oninput: (event) => address.adjust({ find: event.target.value }),
            }),
          ),
          names.length > 0 &&
            choice(
              "Run",
              names.map((name) => [name, name]),
              run,
              (value) => set({ run: value }),
            ),
          names.length > 1 &&
            choice(
              "Against",
              [["", "no other"], ...names.filter((name) => name !== run).map((name) => [name, name])],
              versus ?? "",
              (value) => set({ versus: value || null }),
            ),
          choice("Class", [["", "any"], ...classes], state.class === undefined ? "" : String(state.class), (value) =>
            set({ class: value === "" ? null : Number(value), only: null, sort: null, down: null }),
          ),
          limitField(state, columns),
          element(
            "div.field",
            {},
            element("span", {}, "Sort by"),
            element(
              "div.joined",
              {},
              choice("Sort by", sortable, sort.key, (value) => set({ sort: value, down: value !== "id" }), {
                id: "sort",
              }).lastChild,
              element(
                "button",
                {
                  type: "button",
                  title: sort.down ? "Greatest first" : "Least first",
                  ariaLabel: sort.down ? "Greatest first: reverse" : "Least first: reverse",
                  onclick: () => set({ sort: sort.key, down: !sort.down }),
                },
                sort.down ? "↓" : "↑",
              ),
            ),
          ),
        ),
      ),
      element("p.count", {}),
    );
  }

  function limitField(state, columns) {
    if (!columns.length) return null;
    const by = selection.limitedBy(state, columns);
    const list = choice(
      "Only where",
      columns.map(({ key, title }) => [key, title]),
      by.key,
      (value) => address.go({ by: value }),
      { id: "by" },
    );
    const bounds = [
      ["most", "≤"],
      ["least", "≥"],
    ];
    return element(
      "div.field",
      {},
      element("span", {}, "Only where"),
      element(
        "div.joined",
        {},
        list.lastChild,
        choice("bound", bounds, state.bound, (value) => address.go({ bound: value }), {
          ariaLabel: "at most or at least",
        }).lastChild,
        element("input", {
          type: "number",
          id: "limit",
          step: "any",
          value: state.limit ?? "",
          placeholder: by.share ? "%" : "value",
          ariaLabel: `limit of ${by.title}`,
          oninput: (event) => address.adjust({ limit: event.target.value === "" ? null : Number(event.target.value) }),
        }),
      ),
    );
  }

  function sectionTabs(state) {
    const current = selection.sectionOf(state);
    const tabs = archive.experiment.sections.map((section) =>
      element(
        "a.tab",
        {
          href: address.link({
            section: section.key,
            sort: null,
            down: null,
            by: null,
            limit: null,
            a: null,
            b: null,
            only: null,
          }),
          ariaCurrent: section === current ? "true" : null,
        },
        section.title,
        element("small", {}, String(section.images.id.length)),
      ),
    );
    return element("nav.sections", { ariaLabel: "Sets of images" }, tabs);
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
    cursor = Math.max(0, Math.min(list.count - 1, next));
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

  return { show, leave, key, sectionTabs };
})();
