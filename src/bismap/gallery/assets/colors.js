"use strict";
// Colours of stored values: classes, numbers, errors.

const colors = (() => {
  const WRONG = [213, 60, 20];
  const tables = new Map();

  const palette = () => archive.experiment.colors[address.state.safe ? "safe" : "own"];
  const css = ([red, green, blue]) => `rgb(${red} ${green} ${blue})`;
  const ofClass = (number) => css(palette()[number] ?? [0, 0, 0]);
  const nameOf = (number) => archive.experiment.classes[number] ?? "no label";

  // RGBA of each of the 256 values, as one number; transparent where there is nothing to show.
  function table(kind, only) {
    const name = `${kind} ${address.state.safe} ${only}`;
    if (!tables.has(name)) tables.set(name, made(kind, only));
    return tables.get(name);
  }

  function made(kind, only) {
    const bytes = new Uint8ClampedArray(1024);
    const shades = kind === "map" ? archive.experiment.scale : palette();
    shades.forEach((shade, value) => {
      const shown = kind === "map" || only === undefined || value === only;
      bytes.set([...shade, shown ? 255 : 0], 4 * value);
    });
    return new Uint32Array(bytes.buffer);
  }

  // Draws values, [width x height], in the colours of a kind of layer.
  function paint(canvas, kind, picture, truth, only) {
    const { width, height, values } = picture;
    const image = new ImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    if (kind === "errors") paintErrors(pixels, values, truth.values, only);
    else {
      const shades = table(kind, only);
      for (let i = 0; i < values.length; i++) pixels[i] = shades[values[i]];
    }
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  // Pixels whose label is not the truth; where either has none there is no error.
  function paintErrors(pixels, given, truth, only) {
    const [wrong] = new Uint32Array(new Uint8ClampedArray([...WRONG, 255]).buffer);
    for (let i = 0; i < given.length; i++) {
      const counts = only === undefined || given[i] === only || truth[i] === only;
      if (counts && isError(given[i], truth[i])) pixels[i] = wrong;
    }
  }

  const isError = (given, truth) => given !== truth && truth !== 255 && given !== 255;

  function scaleImage() {
    return `linear-gradient(to right, ${archive.experiment.scale
      .filter((_, i) => i % 15 === 0)
      .map(css)
      .join(", ")})`;
  }

  return { ofClass, nameOf, paint, isError, scaleImage, wrong: css(WRONG) };
})();
