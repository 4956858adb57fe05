"use strict";
// IoU of each class and run, with the change against a chosen run.

const classes = (() => {
  function show(state, before) {
    const names = ["section", "run", "versus", "safe", "view"];
    if (before?.view === "classes" && !names.some((name) => state[name] !== before[name])) return;
    const section = selection.sectionOf(state);
    const { names: runs, versus } = selection.runsOf({ ...state, run: null }, section);
    const reference = runs.includes(state.versus) ? state.versus : (versus ?? runs[0] ?? null);
    const choices = runs.map((name) => [name, name]);
    document.querySelector("#main").replaceChildren(
      element(
        "div.toolbar",
        {},
        images.sectionTabs(state),
        runs.length > 0 &&
          element(
            "div.fields",
            {},
            choice("Change against", choices, reference, (value) => address.go({ versus: value })),
          ),
        element(
          "p.count",
          {},
          runs.length ? "IoU over all labelled pixels. Click a figure: the images where the run fails most." : "",
        ),
      ),
      runs.length
        ? element(
            "div.wide",
            { tabIndex: 0, role: "region", ariaLabel: "IoU of classes and runs" },
            table(section, runs, reference),
          )
        : element("p.empty", {}, "These images have no predictions, or no truth to measure them with."),
    );
    scrollTo(0, 0);
  }

  function table(section, runs, reference) {
    const figures = section.runs;
    const names = archive.experiment.classes;
    const heads = runs.map((run) =>
      element(
        "th",
        { scope: "col" },
        element("span.run", {}, breakable(run)),
        run === reference && element("small", {}, "reference"),
      ),
    );
    const means = Object.keys(figures[runs[0]].miou).map((subset) =>
      element(
        "tr.mean",
        {},
        element("th", { scope: "row" }, subset.replace(/^miou/, "mIoU ").trim()),
        element("td.number.share"),
        runs.map((run) => cell(figures[run].miou[subset], figures[reference].miou[subset], run === reference, null)),
      ),
    );
    const truth = figures[runs[0]].truth;
    const rows = names.map((name, number) =>
      element(
        "tr",
        {},
        element("th", { scope: "row" }, element("i.swatch", { style: { background: colors.ofClass(number) } }), name),
        element("td.number.share", {}, truth[number] ? figure.percent(truth[number], 2) : NONE),
        runs.map((run) =>
          cell(
            figures[run].iou[number],
            figures[reference].iou[number],
            run === reference,
            failing(section, run, number),
          ),
        ),
      ),
    );
    return element(
      "table.matrix",
      {},
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          element("th", { scope: "col" }, "Class"),
          element("th.share", { scope: "col" }, "Share of truth"),
          heads,
        ),
      ),
      element("tbody", {}, means, rows),
    );
  }

  function cell(value, compared, same, link) {
    const words = [element("b", {}, missing(value) ? NONE : (100 * value).toFixed(1))];
    const change = selection.difference(value, compared);
    if (!same && change !== null)
      words.push(
        element(
          `small.${change > 0.0005 ? "better" : change < -0.0005 ? "worse" : "same"}`,
          {},
          figure.change(value, compared),
        ),
      );
    const tint = change ? Math.min(1, Math.abs(change) / 0.3) : 0;
    const properties = {
      style: { "--tint": `${Math.round(45 * tint)}%`, "--tone": change > 0 ? "var(--better)" : "var(--worse)" },
    };
    return element(
      "td.number",
      properties,
      link && !missing(value)
        ? element("a", { href: link.href, title: link.title }, words)
        : element("span", {}, words),
    );
  }

  // Long names of runs may break after a low line.
  const breakable = (name) => name.split(/(?<=_)/).flatMap((part) => [part, element("wbr")]);

  function failing(section, run, number) {
    return {
      href: address.link({
        view: "images",
        section: section.key,
        run,
        versus: null,
        class: number,
        only: number,
        sort: null,
        down: null,
        find: null,
        by: null,
        limit: null,
        a: `errors/prediction/${run}`,
        b: `prediction/${run}`,
        id: null,
      }),
      title: `Images where ${run} fails most at ${colors.nameOf(number)}`,
    };
  }

  return { show, leave: () => {}, key: () => false };
})();
