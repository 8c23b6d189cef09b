// Draws every figure of the page at the width of its box, and again when that width changes.
(() => {
  "use strict";
  const specs = JSON.parse(document.getElementById("specs").textContent);
  const boxes = [...document.querySelectorAll("[data-figure]")];
  const drawn = new Map();

  function fitted(original, width) {
    const spec = structuredClone(original);
    const hints = spec.usermeta || {};
    if (hints.square) {
      const labelled = width >= 560 || hints.square <= 12;
      const margin = labelled ? Math.min(160, width * 0.4) : 8;
      const side = Math.floor(Math.min(width - margin, hints.square > 48 ? 760 : 600, 44 * hints.square));
      spec.width = spec.height = side;
      for (const layer of spec.layer) {
        for (const { axis } of [layer.encoding.x, layer.encoding.y]) {
          if (axis) Object.assign(axis, { labels: labelled, labelLimit: margin - 10 });
        }
      }
    } else if (spec.facet) {
      spec.columns = Math.max(1, Math.min(spec.columns, Math.floor((width - 40) / 130)));
      spec.spec.width = Math.floor((width - 44) / spec.columns) - 18;
      if (width < 560) spec.spec.height = 110;
    } else {
      spec.width = width;
      if (width < 560) {
        for (const { encoding } of spec.layer) {
          if (encoding.y && encoding.y.axis) encoding.y.axis.labelLimit = Math.round(0.4 * width);
          if (encoding.x && encoding.x.axis) encoding.x.axis.tickCount = 4;
        }
      }
    }
    return spec;
  }

  async function draw(box) {
    const width = Math.floor(box.clientWidth);
    if (!width || drawn.get(box)?.width === width) return;
    const before = drawn.get(box);
    drawn.set(box, { width, view: before && before.view });
    const result = await vegaEmbed(box, fitted(specs[box.dataset.figure], width), {
      actions: false,
      ast: true,
      renderer: "svg",
      tooltip: { theme: "custom" },
    });
    if (before && before.view) {
      for (const name of specs[box.dataset.figure].usermeta?.keep ?? []) {
        await result.view.signal(name, before.view.signal(name)).runAsync();
      }
      before.view.finalize();
    }
    drawn.set(box, { width, view: result.view });
  }

  const printing = window.matchMedia("print");
  const watch = new ResizeObserver((entries) => {
    if (!printing.matches) requestAnimationFrame(() => entries.forEach((entry) => draw(entry.target)));
  });
  Promise.all(boxes.map(draw)).then(() => {
    boxes.forEach((box) => watch.observe(box));
    document.documentElement.dataset.figures = "drawn";
  });

  let opened = [];
  function beforePrint() {
    opened = [...opened, ...document.querySelectorAll("details:not([open])")];
    opened.forEach((table) => { table.open = true; });
  }
  function afterPrint() {
    opened.forEach((table) => { table.open = false; });
    opened = [];
  }
  window.addEventListener("beforeprint", beforePrint);
  window.addEventListener("afterprint", afterPrint);
  printing.addEventListener("change", (event) => (event.matches ? beforePrint() : afterPrint()));
})();
