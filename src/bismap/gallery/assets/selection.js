"use strict";
// Which images a state of the page selects, in which order, with which figures.

const selection = (() => {
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
    const titled = (name, key, all) =>
      Object.keys(all).length > 1 ? `${name} ${key.split("/").slice(1).join(", ")}` : name;
    const add = (key, title, value, text, share = true) => columns.push({ key, title, value, text, share });
    for (const key of Object.keys(labelled))
      add(key, titled("Labelled", key, labelled), (i) => labelled[key][i], figure.percent);
    for (const key of Object.keys(mean)) {
      const layer = section.layers.find((one) => one.key === key);
      const share = layer.low === 0 && layer.high === 1;
      const text = (value) => figure.number(value, share ? 3 : 1);
      add(
        key,
        titled(`Mean ${layer.quantity}`.replace("weight in the source loss", "weight"), key, mean),
        (i) => mean[key][i],
        text,
        false,
      );
    }
    if (run) add("miou", "mIoU", (i) => miou[run][i], figure.percent);
    if (versus)
      add(
        "change",
        "Change",
        (i) => difference(miou[run][i], miou[versus][i]),
        (v) => figure.change(v, 0),
      );
    if (state.class !== undefined) await addClass(add, section, state.class, run, versus);
    return columns;
  }

  async function addClass(add, section, number, run, versus) {
    const name = colors.nameOf(number);
    add(
      "share",
      `Share of ${name}`,
      (i) => shareOf(section, i, number),
      (value) => figure.percent(value, 2),
    );
    if (!run) return;
    const [now, before] = await Promise.all([run, versus].map((one) => one && archive.scoresOf(section, one)));
    const iou = (scores, i) => ratioOf(scores[i]?.get(number));
    add("iou", `IoU of ${name}`, (i) => iou(now, i), figure.percent);
    if (before)
      add(
        "iouchange",
        "Change of IoU",
        (i) => difference(iou(now, i), iou(before, i)),
        (v) => figure.change(v, 0),
      );
    const wrong = (area) => (area ? area.either - area.both : null);
    add(
      "wrong",
      "Wrong pixels",
      (i) => wrong(now[i]?.get(number)),
      (v) => figure.number(v, 0),
      false,
    );
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

  // The column that `limit` is of.
  const limitedBy = (state, columns) =>
    [state.by, "miou"].map((key) => columns.find((column) => column.key === key)).find(Boolean) ?? columns[0];

  return { sectionOf, runsOf, columnsOf, sortOf, limitedBy, order, difference, ratioOf };
})();
