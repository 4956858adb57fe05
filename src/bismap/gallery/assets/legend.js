"use strict";
// Beside an image: the classes of its layers with their figures, and the colours of a map.

const legend = (() => {
  // What stands beside an image, and each layer in words. `sides`: what its stages show.
  async function of(state, section, place, sides) {
    const runs = sides.map(({ layer }) => layer.run).map((run) => (run in section.runs ? run : null));
    const scores = await Promise.all(runs.map((run) => run && archive.scoresOf(section, run)));
    const areas = scores.map((all) => all?.[place] ?? null);
    const shares = sides.map(sharesOf);
    const numbers = archive.experiment.classes
      .map((_, number) => number)
      .filter((number) => shares.some((share) => share?.get(number)) || areas.some((area) => area?.has(number)));
    const order = (number) => -Math.max(...shares.map((share) => share?.get(number) ?? 0));
    numbers.sort((one, other) => order(one) - order(other));
    const scales = sides.map((side, i) => scale(side, i, sides.length)).filter(Boolean);
    return {
      elements: numbers.length ? [...scales, classTable(state, numbers, sides, shares, areas)] : scales,
      words: sides.map((side, i) => describe(section, state.id, side, shares[i])),
    };
  }

  // Class -> share of the pixels; of errors, of those that are wrong. Nothing for photographs and maps.
  function sharesOf({ layer, picture, truth }) {
    if (!picture || layer.kind === "map" || (layer.kind === "errors" && !truth)) return null;
    const counts = new Float64Array(256);
    const wrong = layer.kind === "errors";
    picture.values.forEach((value, i) => {
      if (!wrong || colors.isError(value, truth.values[i])) counts[wrong ? truth.values[i] : value] += 1;
    });
    const found = new Map();
    counts.forEach((count, value) => value !== 255 && count && found.set(value, count / picture.values.length));
    return found;
  }

  function describe(section, id, { layer, picture }, shares) {
    if (layer.kind === "photograph") return `${layer.title} of ${id}`;
    if (layer.kind === "map") {
      const mean = section.images.mean[layer.key]?.[section.place.get(id)];
      return `${layer.title} of ${id}: ${layer.quantity}, mean ${figure.number(mean, 2)} ${layer.unit}`.trim();
    }
    const most = [...(shares ?? [])].sort((one, other) => other[1] - one[1]).slice(0, 5);
    const words = most.map(([number, share]) => `${colors.nameOf(number)} ${figure.percent(share, 0)}`).join(", ");
    const what = layer.kind === "errors" ? "wrong pixels by their true class" : "classes";
    return picture ? `${layer.title} of ${id}: ${what} ${words || "none"}` : `${id} has no truth`;
  }

  function scale({ layer }, i, all) {
    if (layer.kind !== "map") return null;
    const digits = layer.high - layer.low > 20 ? 0 : 2;
    const open = layer.key.startsWith("score/");
    const end = (value, sign) => `${open ? sign : ""}${figure.number(value, digits)}`;
    const title = `${all > 1 ? ["Left: ", "Right: "][i] : ""}${layer.title}`;
    return element(
      "figure.scale",
      {},
      element("figcaption", {}, title),
      element("div.colors", {
        role: "img",
        ariaLabel: `Colours from dark to light: ${end(layer.low, "≤ ")} to ${end(layer.high, "≥ ")}`,
        style: { background: colors.scaleImage() },
      }),
      element(
        "div.ends",
        {},
        element("span", {}, end(layer.low, "≤ ")),
        element("span", {}, layer.unit ? `${layer.quantity} (${layer.unit})` : layer.quantity),
        element("span", {}, end(layer.high, "≥ ")),
      ),
    );
  }

  function classTable(state, numbers, sides, shares, areas) {
    const two = sides.length > 1;
    const sign = (i) => (two ? [" left", " right"][i] : "");
    const columns = sides
      .flatMap(({ layer }, i) => [
        shares[i] && {
          title: `${layer.kind === "errors" ? "Wrong" : "Share"}${sign(i)}`,
          text: (number) => figure.percent(shares[i].get(number)),
        },
        areas[i] && {
          title: `IoU${sign(i)}`,
          text: (number) => figure.percent(selection.ratioOf(areas[i].get(number)), 0),
        },
      ])
      .filter(Boolean);
    return element(
      "table.classes",
      {},
      element("caption", {}, "Click a class to see it alone."),
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          element("th", { scope: "col" }, "Class"),
          columns.map(({ title }) => element("th", { scope: "col" }, title)),
        ),
      ),
      element(
        "tbody",
        {},
        numbers.map((number) =>
          element(
            "tr",
            {},
            element(
              "th",
              { scope: "row" },
              element(
                "button",
                {
                  type: "button",
                  ariaPressed: state.only === number,
                  id: `class-${number}`,
                  onclick: () => address.go({ only: state.only === number ? null : number }),
                },
                element("i.swatch", { style: { background: colors.ofClass(number) } }),
                colors.nameOf(number),
              ),
            ),
            columns.map(({ text }) => element("td.number", {}, text(number))),
          ),
        ),
      ),
    );
  }

  return { of };
})();
