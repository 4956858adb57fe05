"use strict";
// Long lists: only the rows near the window are in the document.

// Fills `body` with `count` rows of `height` pixels as the window scrolls; `make(row)` gives the element of one,
// `spacer()` an empty element that stands for the rows that are not there.
function scroller(body, { count, height, make, spacer }) {
  const MARGIN = 4; // rows above and below the window
  const [before, after] = [spacer(), spacer()];
  const shown = new Map();
  body.replaceChildren(before, after);

  function draw() {
    const { top } = body.getBoundingClientRect();
    const first = Math.max(0, Math.min(count, Math.floor(-top / height) - MARGIN));
    const last = Math.max(first, Math.min(count, Math.ceil((innerHeight - top) / height) + MARGIN));
    for (const [row, made] of shown) {
      if (row < first || row >= last) {
        made.remove();
        shown.delete(row);
      }
    }
    before.style.height = `${first * height}px`;
    after.style.height = `${(count - last) * height}px`;
    let behind = before;
    for (let row = first; row < last; row++) {
      if (!shown.has(row)) {
        shown.set(row, make(row));
        behind.after(shown.get(row));
      }
      behind = shown.get(row);
    }
  }

  // Scrolls so far that a row is in the window, below what sticks to its top.
  function reveal(row, covered) {
    const top = body.getBoundingClientRect().top + row * height;
    if (top < covered) scrollBy(0, top - covered);
    else if (top + height > innerHeight) scrollBy(0, top + height - innerHeight);
    draw();
  }

  addEventListener("scroll", draw, { passive: true });
  draw();
  return { draw, reveal, stop: () => removeEventListener("scroll", draw) };
}
