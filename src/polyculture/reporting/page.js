// Draws every figure at the width of its box, opens what a link leads to, marks names, and unfolds the page for print.
(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const specs = JSON.parse(document.getElementById("specs").textContent);
  const boxes = all("[data-figure]");
  const drawn = new Map();
  const printing = window.matchMedia("print");
  const main = document.querySelector("main");

  const folded = (box) => Boolean(box.closest(".preview") && box.closest(".part").querySelector(":scope > details:not([open])"));

  // Figures with a name at every row keep their height: names must not overlap.
  const rowed = ({ encoding }) => encoding.y && (encoding.y.type !== "quantitative" || encoding.y.axis?.labelExpr);

  function fitted(original, width, small) {
    const spec = structuredClone(original);
    const hints = spec.usermeta || {};
    if (hints.square) {
      const labelled = width >= 560 || hints.square <= 12;
      const margin = labelled ? Math.min(160, width * 0.4) : 8;
      const largest = small ? 190 : hints.square > 48 ? 760 : 600;
      const side = Math.floor(Math.min(width - margin, largest, 44 * hints.square));
      spec.width = spec.height = side;
      for (const layer of spec.layer) {
        for (const { axis } of [layer.encoding.x, layer.encoding.y]) {
          if (axis) Object.assign(axis, { labels: labelled, labelLimit: margin - 10 });
        }
      }
    } else if (spec.facet) {
      spec.columns = Math.max(1, Math.min(spec.columns, Math.floor((width - 40) / (small ? 105 : 130))));
      spec.spec.width = Math.floor((width - 44) / spec.columns) - 18;
      if (width < 560 || small) spec.spec.height = 110;
    } else {
      spec.width = width;
      if (small && !spec.layer.some(rowed)) spec.height = Math.min(spec.height, 190);
      if (width < 560) {
        for (const { encoding } of spec.layer) {
          if (encoding.y && encoding.y.axis) encoding.y.axis.labelLimit = Math.round(0.4 * width);
          if (encoding.x && encoding.x.axis) encoding.x.axis.tickCount = 4;
        }
      }
    }
    return spec;
  }

  function widthOf(box) {
    if (box.clientWidth) return box.clientWidth;
    const beside = folded(box) && window.innerWidth >= 1000;
    return main.clientWidth - (beside ? 332 : 0);
  }

  async function draw(box) {
    const width = Math.floor(widthOf(box));
    const small = folded(box);
    const before = drawn.get(box);
    if (before && before.width === width && before.small === small) return;
    drawn.set(box, { width, small, view: before && before.view });
    const result = await vegaEmbed(box, fitted(specs[box.dataset.figure], width, small), {
      actions: false,
      ast: true,
      bind: box.nextElementSibling,
      renderer: "svg",
      tooltip: { theme: "custom" },
    });
    if (before && before.view) {
      for (const name of specs[box.dataset.figure].usermeta?.keep ?? []) {
        await result.view.signal(name, before.view.signal(name)).runAsync();
      }
      before.view.finalize();
    }
    drawn.set(box, { width, small, view: result.view });
    const svg = box.querySelector("svg");
    svg.setAttribute("aria-hidden", "true");
    const preview = box.closest(".preview");
    if (preview) preview.classList.toggle("clipped", small && svg.height.baseVal.value > 290);
    if (wanted) markFigure(box);
  }

  // Names: every mark of a figure knows its row of data; rows of tables and pictures are compared by their text.
  let wanted = null;
  const texts = (datum) => Object.values(datum || {}).filter((value) => typeof value === "string" || typeof value === "number");

  const plain = (value) => String(value).replaceAll("\u00a0", " ").trim().toLowerCase();

  const known = new Set(all("#names option").map((option) => plain(option.value)));

  function matcher(query) {
    const text = plain(query);
    if (!text) return null;
    if (known.has(text)) return (value) => plain(value) === text || plain(value).split(/ \+ |, |; /).includes(text);
    return text.length > 1 ? (value) => plain(value).includes(text) : null;
  }

  function markFigure(box) {
    let count = 0;
    for (const mark of all(".role-mark path, .role-mark text, .role-axis-label text", box)) {
      const item = mark.__data__ || {};
      const label = mark.tagName === "text";
      const hit = Boolean(wanted) && (label ? wanted(item.text ?? mark.textContent) : texts(item.datum).some(wanted));
      mark.classList.toggle("hit", hit);
      count += hit;
    }
    box.classList.toggle("searched", count > 0);
    const preview = box.closest(".preview");
    const first = box.querySelector(".hit");
    if (preview) preview.scrollTop = first ? first.getBoundingClientRect().top - box.getBoundingClientRect().top - 120 : 0;
    return count;
  }

  function mark(query) {
    wanted = matcher(query);
    const figures = boxes.filter((box) => markFigure(box)).length;
    const rows = all("main tbody tr, .pictures li");
    for (const row of rows) {
      const values = row.dataset.instance ? [row.dataset.instance] : [...row.cells].map((cell) => cell.textContent);
      row.classList.toggle("hit", Boolean(wanted) && values.some(wanted));
    }
    for (const part of all("details.more")) {
      const count = all("tr.hit, .searched", part).length;
      const badge = part.querySelector("summary .hits");
      if (badge) badge.textContent = count ? `${count} marked` : "";
    }
    const tables = new Set(all("tr.hit").map((row) => row.closest("table"))).size;
    document.getElementById("hits").textContent = wanted ? `marked in ${figures} figures, ${tables} tables` : "";
  }

  function linked() {
    try {
      return document.getElementById(decodeURIComponent(location.hash.slice(1)));
    } catch {
      return null; // a link cut in the middle of an escaped character
    }
  }

  function follow() {
    const target = linked();
    if (!target) return;
    for (let part = target.closest("details"); part; part = part.parentElement.closest("details")) part.open = true;
    all(":scope > details.more", target).forEach((part) => { part.open = true; });
    target.scrollIntoView({ behavior: "instant" });
  }

  function copy(button) {
    const text = button.dataset.copy;
    const done = () => { button.textContent = "Copied"; setTimeout(() => { button.textContent = "Copy"; }, 1500); };
    navigator.clipboard?.writeText(text).then(done, () => window.prompt("Copy this command", text));
  }

  const contents = document.getElementById("contents");
  const menu = contents.querySelector(".menu");
  function show(open) {
    contents.classList.toggle("open", open);
    menu.setAttribute("aria-expanded", String(open));
  }
  menu.addEventListener("click", () => show(!contents.classList.contains("open")));
  contents.addEventListener("keydown", (event) => { if (event.key === "Escape") { show(false); menu.focus(); } });
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (link) {
      show(false);
      if (link.hash === location.hash) follow();
    } else if (event.target.closest(".copy")) copy(event.target);
    else if (!event.target.closest("#contents")) show(false);
  });
  window.addEventListener("hashchange", follow);
  document.getElementById("find").addEventListener("input", (event) => mark(event.target.value));
  for (const button of all("[data-show]")) {
    button.addEventListener("click", () => {
      all("[data-show]").forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
      document.querySelector(".findings").dataset.only = button.dataset.show;
    });
  }

  const watch = new ResizeObserver((entries) => {
    const visible = entries.filter((entry) => entry.target.clientWidth);
    if (!printing.matches) requestAnimationFrame(() => visible.forEach((entry) => draw(entry.target)));
  });
  document.addEventListener("toggle", (event) => {
    if (!printing.matches && event.target.closest(".part")) all("[data-figure]", event.target.closest(".part")).forEach(draw);
  }, true);
  follow();
  Promise.all(boxes.map(draw)).then(() => {
    boxes.forEach((box) => watch.observe(box));
    document.documentElement.dataset.figures = "drawn";
    if (document.getElementById("find").value) mark(document.getElementById("find").value);
    if (location.hash) follow();
  });

  let opened = [];
  function beforePrint() {
    opened = [...opened, ...all("details:not([open])")];
    opened.forEach((part) => { part.open = true; });
  }
  function afterPrint() {
    opened.forEach((part) => { part.open = false; });
    opened = [];
  }
  window.addEventListener("beforeprint", beforePrint);
  window.addEventListener("afterprint", afterPrint);
  printing.addEventListener("change", (event) => (event.matches ? beforePrint() : afterPrint()));
})();
