"use strict";
// What the gallery knows: the experiment's figures, and parts (labels, maps, scores of a run) loaded when asked for.
// A page opened from disk may not fetch files, but it may load scripts: each part is one that calls `deliver`.

const archive = (() => {
  const KEPT = 24; // pictures' parts in memory; scores of runs stay
  const waiting = new Map();
  const parts = new Map();
  const decoded = new WeakMap();

  function deliver(name, value) {
    waiting.get(name)?.(value);
    waiting.delete(name);
    if (name === "experiment") archive.experiment = prepared(value);
  }

  function prepared(experiment) {
    for (const section of experiment.sections) {
      section.layers = section.layers.flatMap((layer) => withErrors(layer, section));
      section.place = new Map(section.images.id.map((id, place) => [id, place]));
      section.labelled = Object.keys(section.images.labelled)[0] ?? null;
      section.score = section.layers.find((layer) => layer.kind === "map")?.key ?? null;
    }
    return experiment;
  }

  // Where an image has a truth, each other label image has its errors.
  function withErrors(layer, section) {
    const comparable = layer.kind === "labels" && layer.key !== "truth" && section.images.truth.includes(1);
    if (!comparable) return [layer];
    const run = layer.key.startsWith("prediction/") ? layer.key.slice("prediction/".length) : null;
    const title = `Errors of ${layer.title.replace(/^Prediction of /, "").replace(/^P/, "p")}`;
    return [
      { ...layer, run },
      { key: `errors/${layer.key}`, title, kind: "errors", of: layer.key, run },
    ];
  }

  function load(name) {
    if (!parts.has(name)) {
      parts.set(name, requested(name));
      forgetOld();
    }
    return parts.get(name);
  }

  function requested(name) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      const end = () => {
        script.remove();
        if (!waiting.has(name)) return;
        waiting.delete(name);
        parts.delete(name);
        reject(new Error(`${name}.js is missing or damaged: make the gallery again`));
      };
      waiting.set(name, resolve);
      script.onload = end;
      script.onerror = end;
      script.src = file(name, ".js");
      document.head.append(script);
    });
  }

  function forgetOld() {
    const pictures = [...parts.keys()].filter((name) => !name.includes("/scores/"));
    for (const name of pictures.slice(0, Math.max(0, pictures.length - KEPT))) parts.delete(name);
  }

  function file(name, suffix) {
    return `files/${name.split("/").map(encodeURIComponent).join("/")}${suffix}`;
  }

  // Stored values of a label image or map: {width, height, values}.
  async function indices(section, id, key) {
    const kind = /^(score|transferability)\//.test(key) ? "maps" : "labels";
    const part = await load(`${section.key}/${kind}/${id}`);
    if (!(key in part)) return null;
    if (!decoded.has(part)) decoded.set(part, new Map());
    const done = decoded.get(part);
    if (!done.has(key)) done.set(key, read(part[key]));
    return done.get(key);
  }

  async function read(url) {
    const picture = new Image();
    picture.src = url;
    await picture.decode();
    const { naturalWidth: width, naturalHeight: height } = picture;
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(picture, 0, 0);
    const pixels = context.getImageData(0, 0, width, height).data;
    const values = new Uint8Array(width * height);
    for (let i = 0; i < values.length; i++) values[i] = pixels[4 * i]; // grey: all channels are the value
    return { width, height, values };
  }

  // Per image of a section: Map from class to {truth, both, either} in pixels; null without truth.
  const scores = new Map();
  function scoresOf(section, run) {
    const name = `${section.key}/scores/${run}`;
    if (!scores.has(name))
      scores.set(
        name,
        load(name).then((rows) => rows.map((row) => row && areas(row))),
      );
    return scores.get(name);
  }

  function areas(row) {
    const found = new Map();
    for (let i = 0; i < row.length; i += 4) {
      found.set(row[i], { truth: row[i + 1], both: row[i + 2], either: row[i + 3] });
    }
    return found;
  }

  const picture = (section, kind, id) => file(`${section.key}/${kind}/${id}`, ".jpg");
  const section = (key) => archive.experiment.sections.find((one) => one.key === key);

  return { deliver, indices, scoresOf, picture, section, experiment: null };
})();
