"use strict";
// One pane of the viewer: a photograph, a layer over it, and what lies under the pointer.

// `onLook(change)`: the reader zooms or pans; `onPoint(fractions or null)`: the pointer moves; `onLayer(key)`.
function stage(side, { onLook, onPoint, onLayer }) {
  const photo = element("img.photo", { draggable: false });
  const over = element("img.over", { draggable: false, hidden: true });
  const canvas = element("canvas.over", { hidden: true });
  const sheet = element("div.sheet", {}, photo, over, canvas);
  const ring = element("span.ring", { hidden: true });
  const probe = element("span.probe", { hidden: true });
  const note = element("p.note", { hidden: true });
  const frame = element("div.frame", { tabIndex: -1 }, sheet, ring, probe, note);
  const picker = element("div.picker");
  const root = element(
    `section.pane.${side}`,
    { ariaLabel: side === "a" ? "Left picture" : "Right picture" },
    picker,
    frame,
  );

  let size = [1, 1];
  let look = { zoom: 1, x: 0.5, y: 0.5 };
  let layer = null;
  let picture = null; // stored values of the layer
  let truth = null;
  let turn = 0;

  // Shows an image with a layer; resolves when it is drawn. `only`: a class to be shown alone.
  async function show(section, place, key, only) {
    const id = section.images.id[place];
    const mine = ++turn;
    size = section.images.size[place];
    frame.style.setProperty("--shape", `${size[0]} / ${size[1]}`);
    Object.assign(sheet.style, { width: `${size[0]}px`, height: `${size[1]}px` });
    const source = archive.picture(section, "photographs", id);
    if (photo.getAttribute("src") !== source) photo.src = source;
    photo.alt = `Photograph ${id} (${section.title})`;
    layer = section.layers.find((one) => one.key === key);
    pickers(section, place, layer);
    const [found, compared] = await Promise.all([valuesOf(section, id, layer), truthOf(section, id)]).catch((error) => {
      if (mine === turn) tell(error.message);
      throw error;
    });
    if (mine !== turn) return null;
    [picture, truth] = [found, compared];
    draw(section, id, only);
    placed();
    return { layer, picture, truth };
  }

  const valuesOf = (section, id, { kind, key, of }) =>
    kind === "photograph" ? null : archive.indices(section, id, of ?? key);
  const truthOf = (section, id) =>
    section.layers.some(({ key }) => key === "truth") ? archive.indices(section, id, "truth") : null;

  function draw(section, id, only) {
    tell(null);
    const absent = layer.kind !== "photograph" && (!picture || (layer.kind === "errors" && !truth));
    canvas.hidden = layer.kind === "photograph" || absent;
    over.hidden = layer.key !== "stylized";
    if (absent) tell("This image has no truth.");
    if (!over.hidden) {
      over.src = archive.picture(section, "stylized", id);
      over.alt = `Stylised ${id}`;
    }
    sheet.classList.toggle("errors", layer.kind === "errors");
    if (!canvas.hidden) {
      colors.paint(canvas, layer.kind, picture, truth, only);
      canvas.setAttribute("role", "img");
    }
  }

  const describe = (text) => canvas.setAttribute("aria-label", text);

  function tell(text) {
    note.hidden = !text;
    note.textContent = text ?? "";
  }

  function pickers(section, place, chosen) {
    const groups = [
      ["Pictures", (one) => one.kind === "photograph" || one.key === "truth"],
      ["Pseudo-labels and scores", (one) => /^(labels|score|transferability)\//.test(one.key)],
      ["Predictions", (one) => one.key.startsWith("prediction/")],
      ["Errors", (one) => one.kind === "errors"],
    ];
    const entries = groups.map(([group, belongs]) => ({
      group,
      choices: section.layers.filter(belongs).map(({ key, title }) => [key, title]),
    }));
    const made = choice(
      side === "a" ? "Left" : "Right",
      entries.filter(({ choices }) => choices.length),
      chosen.key,
      onLayer,
      { ariaLabel: side === "a" ? "Layer of the left picture" : "Layer of the right picture", id: `layer-${side}` },
    );
    const focused = document.activeElement?.id === `layer-${side}`;
    picker.replaceChildren(made.lastChild, element("span.count", {}, summary(section, place, chosen)));
    if (focused) picker.firstChild.focus();
  }

  // The figure of the image that belongs to a layer.
  function summary({ images }, place, { key, of, run, kind, unit, low, high }) {
    if (run && !missing(images.miou[run]?.[place])) return `mIoU ${figure.percent(images.miou[run][place])}`;
    if ((of ?? key) in images.labelled) return `labelled ${figure.percent(images.labelled[of ?? key][place])}`;
    return kind === "map" ? `mean ${figure.number(images.mean[key][place], high - low > 20 ? 1 : 3)} ${unit}` : "";
  }

  // ---- Zoom and pan: `zoom` 1 shows the whole image, (x, y) is the image's point in the middle of the frame ----

  const fit = () => Math.min(frame.clientWidth / size[0], frame.clientHeight / size[1]);

  function clamped({ zoom, x, y }) {
    const near = Math.max(1, Math.min(40, zoom));
    const half = (room, length) => room / (2 * length * fit() * near);
    const within = (value, margin) => (margin >= 0.5 ? 0.5 : Math.max(margin, Math.min(1 - margin, value)));
    return {
      zoom: near,
      x: within(x, half(frame.clientWidth, size[0])),
      y: within(y, half(frame.clientHeight, size[1])),
    };
  }

  function placed(wanted = look) {
    look = clamped(wanted);
    const scale = fit() * look.zoom;
    const left = frame.clientWidth / 2 - look.x * size[0] * scale;
    const top = frame.clientHeight / 2 - look.y * size[1] * scale;
    sheet.style.transform = `translate(${left}px, ${top}px) scale(${scale})`;
    frame.classList.toggle("zoomed", look.zoom > 1);
    return look;
  }

  // The image's point under a place of the window, in fractions of its size.
  function pointAt({ clientX, clientY }) {
    const box = frame.getBoundingClientRect();
    const scale = fit() * look.zoom;
    return {
      x: look.x + (clientX - box.left - box.width / 2) / (size[0] * scale),
      y: look.y + (clientY - box.top - box.height / 2) / (size[1] * scale),
    };
  }

  function zoomed(factor, at) {
    const zoom = Math.max(1, Math.min(40, look.zoom * factor));
    const kept = look.zoom / zoom; // the point under the pointer stays where it is
    return { zoom, x: at.x + (look.x - at.x) * kept, y: at.y + (look.y - at.y) * kept };
  }

  const fingers = new Map();

  frame.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      onLook(zoomed(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), pointAt(event)));
    },
    { passive: false },
  );

  frame.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    fingers.set(event.pointerId, event);
    frame.setPointerCapture(event.pointerId);
  });

  frame.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (before) drag(before, event);
    const point = pointAt(event);
    onPoint(point.x >= 0 && point.x < 1 && point.y >= 0 && point.y < 1 ? point : null);
  });

  function drag(before, event) {
    const scale = fit() * look.zoom;
    const moved = {
      ...look,
      x: look.x - (event.clientX - before.clientX) / fingers.size / (size[0] * scale),
      y: look.y - (event.clientY - before.clientY) / fingers.size / (size[1] * scale),
    };
    const [other] = [...fingers.values()].filter((finger) => finger.pointerId !== event.pointerId);
    fingers.set(event.pointerId, event);
    if (!other) {
      if (look.zoom > 1) onLook(moved);
      return;
    }
    const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    const middle = { clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 };
    look = clamped(moved);
    onLook(zoomed(apart(event) / Math.max(apart(before), 1), pointAt(middle)));
  }

  for (const name of ["pointerup", "pointercancel"]) {
    frame.addEventListener(name, (event) => fingers.delete(event.pointerId));
  }
  frame.addEventListener("pointerleave", () => onPoint(null));
  frame.addEventListener("dblclick", (event) =>
    onLook(look.zoom > 1 ? { zoom: 1, x: 0.5, y: 0.5 } : zoomed(4, pointAt(event))),
  );

  // ---- What lies under the pointer -----------------------------------------------------------------------------

  function point(at) {
    ring.hidden = !at;
    const words = at && layer && told(at);
    probe.hidden = !words;
    if (!at) return;
    const scale = fit() * look.zoom;
    const left = frame.clientWidth / 2 + (at.x - look.x) * size[0] * scale;
    const top = frame.clientHeight / 2 + (at.y - look.y) * size[1] * scale;
    for (const mark of [ring, probe]) Object.assign(mark.style, { left: `${left}px`, top: `${top}px` });
    probe.classList.toggle("leftwards", left > frame.clientWidth * 0.6);
    probe.classList.toggle("upwards", top > frame.clientHeight * 0.7);
    if (words) probe.replaceChildren(...words);
  }

  const valueAt = (values, at) =>
    values.values[Math.floor(at.y * values.height) * values.width + Math.floor(at.x * values.width)];
  const swatch = (number) => element("i.swatch", { style: { background: colors.ofClass(number) } });

  function told(at) {
    if (!picture) return null;
    const value = valueAt(picture, at);
    if (layer.kind === "map") return [valueText(layer, value)];
    if (value === 255) return ["no label"];
    const right = truth ? valueAt(truth, at) : 255;
    const named = [swatch(value), colors.nameOf(value)];
    if (layer.key === "truth" || right === 255) return named;
    return right === value ? [...named, " ✓"] : [...named, " ✗ ", swatch(right), colors.nameOf(right)];
  }

  return {
    root,
    show,
    placed,
    point,
    describe,
    zoomed,
    fade: (share) => frame.style.setProperty("--blend", share),
    get look() {
      return look;
    },
  };
}

// A stored value of a map in words; the ends of a score's scale stand for all beyond.
function valueText(layer, value) {
  const number = layer.low + (value / 255) * (layer.high - layer.low);
  const open = layer.key.startsWith("score/");
  const sign = open && value === 0 ? "≤ " : open && value === 255 ? "≥ " : "";
  return `${sign}${figure.number(number, layer.high - layer.low > 20 ? 1 : 3)} ${layer.unit}`.trim();
}
