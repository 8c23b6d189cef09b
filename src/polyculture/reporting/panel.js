(async () => {
  "use strict";
  const section = document.getElementById("panel");
  const body = section.querySelector(".panel-body");
  const values = JSON.parse(document.getElementById("panel-values").textContent);
  const m = values.accuracy.length;
  const boxes = [...section.querySelectorAll('input[type="checkbox"]')];
  if (!window.DecompressionStream) {
    section.querySelector(".panel-old").hidden = false;
    return;
  }

  async function bytes(text) {
    if (!text) return null;
    const content = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const stream = new Blob([content]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  /** Numbers of which all first bytes were stored, then all second bytes, …. */
  async function numbers(text, size, name) {
    const planes = await bytes(text);
    if (!planes) return null;
    const count = planes.length / size;
    const view = new DataView(new ArrayBuffer(planes.length));
    planes.forEach((byte, k) => view.setUint8(size * (k % count) + Math.floor(k / count), byte));
    return Array.from({ length: count }, (_, k) => view[name](size * k, true));
  }

  /** The symmetric table whose upper half this is, as a function of row and column. */
  function square(cells) {
    return cells && ((a, b) => {
      const [row, column] = a < b ? [a, b] : [b, a];
      return cells[row * m - (row * (row - 1)) / 2 + column - row];
    });
  }

  const bit = (mask, k) => (mask[k >> 3] >> (k & 7)) & 1;
  const { counts } = values;
  const pairN = square(await numbers(counts.pair_n, 4, "getUint32")) ?? (() => counts.n);
  const bothWrong = square(await numbers(counts.both_wrong, 4, "getUint32"));
  const errors = await numbers(counts.row_wrong, 4, "getUint32");
  const rowWrong = errors ? (a, b) => errors[a * m + b] : (a) => bothWrong(a, a);
  const votes = values.votes && {
    n: values.votes.n,
    wrong: await bytes(values.votes.wrong),
    observed: await bytes(values.votes.observed),
    answers: await bytes(values.votes.answers),
  };
  const nulls = await Promise.all(values.nulls.map(async (item) => ({
    ...item,
    covariance: square(await numbers(item.covariances, 8, "getFloat64")) ?? rawCovariance,
  })));

  /** Whether a model is both right and wrong. */
  const informative = (k) => bothWrong(k, k) > 0 && bothWrong(k, k) < pairN(k, k);

  /** Error covariance of two models on the instances that both answered. */
  function rawCovariance(a, b) {
    const n = pairN(a, b);
    return n > 1 ? (n * bothWrong(a, b) - rowWrong(a, b) * rowWrong(b, a)) / (n * (n - 1)) : NaN;
  }

  /** Agreement of outcomes beyond chance; undefined below 3 errors or right answers of either. */
  function kappa(a, b) {
    const [n, x, y] = [pairN(a, b), rowWrong(a, b), rowWrong(b, a)];
    if (Math.min(x, y, n - x, n - y) < 3) return NaN;
    return (2 * (n * bothWrong(a, b) - x * y)) / (n * n - (n - x) * (n - y) - x * y);
  }

  function mean(numbers) {
    const defined = numbers.filter((x) => !Number.isNaN(x));
    return defined.length ? defined.reduce((a, b) => a + b, 0) / defined.length : NaN;
  }

  function pairs(members, cell) {
    const cells = [];
    members.forEach((a, i) => members.slice(i + 1).forEach((b) => cells.push(cell(a, b))));
    return cells;
  }

  const accuracy = (members) => [
    mean(members.map((k) => values.accuracy[k] ?? NaN)),
    members.length ? "none was answered" : "nobody is ticked",
  ];

  /** n_eff = M/D of the informative members, D = 1 + (M − 1) × mean covariance / mean variance. */
  function effective(members, covariance) {
    const used = members.filter(informative);
    if (used.length < 2) return [NaN, "fewer than two models have both right and wrong answers"];
    const shared = pairs(used, covariance);
    const variance = mean(used.map((k) => covariance(k, k)));
    const average = mean(shared);
    if (Number.isNaN(average)) return [NaN, "no two models share two instances"];
    if (!(variance > 0)) return [NaN, "no model is both right and wrong within any class"];
    const effect = 1 + ((used.length - 1) * average) / variance;
    // Where errors are complementary the sum is 0 but for rounding.
    const rounding = 1e-13 * (1 + ((used.length - 1) * mean(shared.map(Math.abs))) / variance);
    return [effect > rounding ? used.length / effect : Infinity, ""];
  }

  const meanKappa = (members) => [mean(pairs(members, kappa)), "no pair has 3 errors and 3 right answers each"];

  /** Share of the instances on which the vote of these members is wrong; tied answers share the win. */
  function voteError(members) {
    if (!votes) return [NaN, "too many answers for a page"];
    if (!members.length) return [NaN, "nobody is ticked"];
    let sum = 0;
    let n = 0;
    const support = new Uint16Array(256);
    const faulty = new Uint16Array(256);
    for (let i = 0; i < votes.n; i += 1) {
      const start = i * m;
      if (votes.observed && !members.every((k) => bit(votes.observed, start + k))) continue;
      n += 1;
      sum += votes.answers ? plurality(members, start, support, faulty) : majority(members, start);
    }
    return [n ? sum / n : NaN, "no instance was answered by all of them"];
  }

  function majority(members, start) {
    let errors = 0;
    for (const k of members) errors += bit(votes.wrong, start + k);
    return 2 * errors === members.length ? 0.5 : Number(2 * errors > members.length);
  }

  function plurality(members, start, support, faulty) {
    support.fill(0);
    faulty.fill(0);
    let top = 0;
    for (const k of members) {
      const code = votes.answers[start + k];
      if (code === 255) continue;
      support[code] += 1;
      faulty[code] += bit(votes.wrong, start + k);
      if (support[code] > top) top = support[code];
    }
    if (!top) return majority(members, start);
    let loss = 0;
    let winners = 0;
    for (let code = 0; code < m; code += 1) {
      if (support[code] !== top) continue;
      winners += 1;
      loss += faulty[code] / top;
    }
    return loss / winners;
  }

  const percent = (x) => `${(100 * x).toFixed(2)}\u00a0%`;
  const plain = (digits) => (x) => (Number.isFinite(x) ? x.toFixed(digits) : "∞");
  const rows = [
    { key: "accuracy", label: "mean accuracy", compute: accuracy, format: percent },
    ...nulls.map((item) => ({
      key: item.key,
      label: item.label,
      compute: (members) => effective(members, item.covariance),
      format: plain(2),
    })),
    { key: "kappa", label: "mean pairwise κ", compute: meanKappa, format: plain(3) },
    { key: "vote_error", label: "error of the vote, ties split", compute: voteError, format: percent },
  ];

  const everyone = [...Array(m).keys()];
  const columns = [{ key: "panel", label: "this panel" }, { key: "all", label: m === 2 ? "both" : `all ${m}`, members: everyone }];
  if (values.kept.length) columns.push({ key: "kept", label: `the kept ${values.kept.length}`, members: values.kept });

  function element(tag, parent, text = "", attributes = {}) {
    const node = document.createElement(tag);
    node.textContent = text;
    Object.entries(attributes).forEach(([name, value]) => node.setAttribute(name, value));
    parent.append(node);
    return node;
  }

  function fill(cell, row, members) {
    const [value, reason] = row.compute(members);
    const undefinedValue = Number.isNaN(value);
    cell.dataset.value = String(value);
    cell.textContent = undefinedValue ? `– (${reason})` : row.format(value);
    cell.classList.toggle("panel-undefined", undefinedValue);
    return value;
  }

  const heading = element("tr", section.querySelector(".panel-result thead"));
  element("td", heading);
  columns.forEach((column) => element("th", heading, column.label, { scope: "col" }));
  for (const row of rows) {
    const line = element("tr", section.querySelector(".panel-result tbody"), "", { "data-number": row.key });
    element("th", line, row.label, { scope: "row" });
    row.cells = columns.map((column) => element("td", line, "", { "data-column": column.key }));
    columns.forEach((column, k) => column.members && fill(row.cells[k], row, column.members));
  }

  const { shell, words } = values.commands;
  const wordsOf = (members, separator) => members.map((k) => words[k]).join(separator);
  const subset = (members) => `predictions.take_models([${wordsOf(members, ", ")}])`;
  const commands = [
    {
      purpose: "To certify it against the best single model",
      write: (members) => (shell
        ? `${shell.select}${wordsOf(members, "")} --members ${members.length} --rule vote`
        : `pc.select(${subset(members)}, ${members.length}, rule="vote")`),
    },
    {
      purpose: "To audit it, with intervals",
      write: (members) => (shell ? `${shell.audit}${wordsOf(members, "")}` : `pc.audit(${subset(members)})`),
    },
  ];
  const lines = commands.map(({ purpose, write }) => {
    const box = element("div", section.querySelector(".panel-commands"), "", { class: "panel-command" });
    element("p", box, `${purpose}:`);
    const line = element("div", box);
    const code = element("code", line, "", { tabindex: "0" });
    const button = element("button", line, "Copy", { type: "button", title: purpose });
    button.addEventListener("click", () => copy(code, button));
    return { write, code, button };
  });

  async function copy(code, button) {
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      const range = document.createRange();
      range.selectNodeContents(code);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  }

  const bar = section.querySelector(".panel-bar");
  const sentence = section.querySelector(".panel-sentence");

  function draw() {
    const members = boxes.filter((box) => box.checked).map((box) => Number(box.value)).sort((a, b) => a - b);
    const results = Object.fromEntries(rows.map((row) => [row.key, fill(row.cells[0], row, members)]));
    const alike = results[nulls[0].key];
    const count = `${members.length} of ${m} models ticked`;
    const likeness = Number.isNaN(alike) ? "" : `; they fail like ${plain(2)(alike)}`;
    sentence.textContent = members.length < 2 ? `${count}: tick two or more.` : `${count}${likeness}.`;
    const share = Number.isNaN(alike) || !members.length ? 0 : Math.min(1, alike / members.length);
    bar.firstElementChild.style.width = `${100 * share}%`;
    bar.style.setProperty("--parts", Math.max(1, members.length));
    bar.classList.toggle("many", members.length > 50);
    bar.setAttribute("aria-label", Number.isNaN(alike) ? "n_eff is undefined" : `n_eff is ${plain(2)(alike)} of at most ${members.length}`);
    for (const { write, code, button } of lines) {
      code.textContent = members.length < 2 ? "–" : write(members);
      button.disabled = members.length < 2;
    }
  }

  function tick(members) {
    const chosen = new Set(members);
    boxes.forEach((box) => { box.checked = chosen.has(Number(box.value)); });
    draw();
  }

  section.querySelectorAll("[data-tick]").forEach((button) => {
    const members = { all: everyone, none: [], kept: values.kept }[button.dataset.tick];
    button.addEventListener("click", () => tick(members));
  });
  section.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  section.querySelector("fieldset").addEventListener("change", draw);

  const hits = section.querySelector(".panel-hits");
  section.querySelector("#panel-search").addEventListener("input", (event) => {
    const text = event.target.value.trim().toLowerCase();
    let matches = 0;
    for (const box of boxes) {
      const match = box.closest("label").title.toLowerCase().includes(text);
      box.closest("li").hidden = !match;
      matches += match;
    }
    hits.textContent = text ? `${matches} of ${m} models match.` : "";
  });

  tick(values.kept.length ? values.kept : everyone);
  body.hidden = false;
})();
