(() => {
  "use strict";
  const PERIOD_MS = 3000;
  const $ = (id) => document.getElementById(id);
  const SVG = $("blank").namespaceURI;
  let last = null;
  let now = Date.now() / 1000; // the server's clock, by which all times are told
  let key = "";
  try { key = sessionStorage.getItem("polyculture-key") ?? ""; } catch { /* storage is switched off */ }

  // Elements. Texts are set as text: names of models and ids may hold anything.

  function element(name, properties = {}, ...children) {
    const node = document.createElement(name);
    for (const [attribute, value] of Object.entries(properties)) {
      if (value !== null && value !== undefined) node.setAttribute(attribute, String(value));
    }
    node.append(...children.filter((child) => child !== null && child !== undefined).map((child) => (child instanceof Node ? child : visible(child))));
    return node;
  }

  function shape(name, attributes = {}, text = null) {
    const node = document.createElementNS(SVG, name);
    for (const [attribute, value] of Object.entries(attributes)) node.setAttribute(attribute, String(value));
    if (text !== null) node.textContent = visible(text);
    return node;
  }

  /** Texts of strangers without what hides or turns other text. */
  const visible = (text) => (text === null || text === undefined || typeof text === "object" ? "–" : String(text)).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff]/g, "\ufffd");
  const short = (text, length = 40) => { const all = [...visible(text ?? "")]; return all.length > length ? `${all.slice(0, length - 1).join("")}…` : all.join(""); };

  // Numbers as people read them.

  const finite = (value) => typeof value === "number" && Math.abs(value) < 1e15;
  const percent = (share, digits = 1) => (finite(share) ? `${(100 * share).toFixed(digits)}\u00a0%` : "–");
  /** Text in which no sign for percent begins a line. */
  const unbroken = (text) => (typeof text === "string" ? text.replace(/(\d) %/g, "$1\u00a0%") : text);
  const count = (value) => (finite(value) ? Math.round(value).toLocaleString("en") : "–");
  const plural = (value, noun) => `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
  const decimal = (value, digits = 1) => (finite(value) ? value.toFixed(digits) : "–");
  const milliseconds = (value) => (finite(value) ? `${value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en")}\u00a0ms` : "–");
  const general = (value) => (finite(value) ? String(Number(value.toPrecision(4))) : "–");
  const list = (value) => (Array.isArray(value) ? value.filter((item) => item && typeof item === "object") : []);
  const number = (value) => (value && typeof value === "object" ? value : {});

  function interval(value, format) {
    const { estimate, low, high } = number(value);
    if (!finite(estimate)) return "–";
    return finite(low) && finite(high) ? `${format(estimate)} [${format(low)}, ${format(high)}]` : format(estimate);
  }

  function clock(time, seconds = true) {
    if (!finite(time)) return "–";
    const moment = new Date(time * 1000);
    if (Number.isNaN(moment.getTime())) return "–";
    const options = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...(seconds ? { second: "2-digit" } : {}) };
    const day = Math.abs(now - time) > 43200 ? `${moment.toLocaleDateString("en-CA")} ` : "";
    return day + moment.toLocaleTimeString("en", options);
  }

  function duration(seconds) {
    if (!finite(seconds)) return "–";
    if (seconds < 90) return plural(Math.max(0, Math.round(seconds)), "second");
    if (seconds < 5400) return plural(Math.round(seconds / 60), "minute");
    return seconds < 172800 ? plural(Math.round(seconds / 3600), "hour") : plural(Math.round(seconds / 86400), "day");
  }

  const since = (time) => (finite(time) ? `since ${clock(time)} (${duration(now - time)})` : "");
  const sentence = (text) => { const words = visible(text ?? "").trim(); return words ? words[0].toUpperCase() + words.slice(1) : ""; };

  const full = (text) => `${short(text, 300).replace(/[.\s]+$/, "")}.`;

  // Tables and pictures.

  /** Columns are [title, cell of a row, whether it is a number or a long text]. */
  function table(id, caption, columns, rows) {
    const head = element("tr", {}, ...columns.map(([title, , kind]) => element("th", { scope: "col", class: kind === "num" ? "num" : null }, title)));
    const lines = rows.map((row, place) => element("tr", {}, ...columns.map(([, cell, kind], column) => {
      const content = cell(row, place);
      const value = content === null || content === undefined || content === "" ? "–" : content;
      return column === 0 ? element("th", { scope: "row" }, value) : element("td", { class: kind ?? null }, value);
    })));
    const made = element("table", {}, element("caption", {}, caption), element("thead", {}, head), element("tbody", {}, ...lines));
    $(id).replaceChildren(made);
  }

  function canvas(id, height, label) {
    const width = Math.max(240, $(id).clientWidth);
    const picture = shape("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true", focusable: "false" });
    $(id).setAttribute("aria-label", label);
    $(id).replaceChildren(picture);
    return [picture, width];
  }

  /** Steps of 1, 2 or 5 that cover 0 to this value. */
  function steps(top) {
    const raw = Math.max(top, 1e-9) / 4;
    const size = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((factor) => factor * size).find((candidate) => candidate >= raw * 0.999);
    return Array.from({ length: Math.ceil(top / step - 1e-9) + 1 }, (_, k) => k * step);
  }

  /** Lines over time; a stretch without answers is a gap. Series are [name, key, class]. */
  function lines(id, label, points, series, format, { reference = null, largest = Infinity } = {}) {
    const [picture, width] = canvas(id, 200, label);
    const values = points.flatMap((point) => series.map(([, name]) => point[name])).filter(finite);
    const [left, right, top, bottom] = [58, 44, 10, 174];
    const ticks = steps(Math.min(largest, Math.max(...values, finite(reference) ? reference : 0, 1e-3) * 1.05));
    const y = (value) => bottom - ((bottom - top) * value) / ticks[ticks.length - 1];
    const [start, end] = [points[0].time, points[points.length - 1].time];
    const x = (time) => (end > start ? left + ((width - left - right) * (time - start)) / (end - start) : width - right - 4);
    for (const tick of ticks) {
      picture.append(shape("line", { class: "grid", x1: left, x2: width - right, y1: y(tick), y2: y(tick) }));
      picture.append(shape("text", { x: left - 8, y: y(tick) + 4, "text-anchor": "end" }, format(tick)));
    }
    if (finite(reference)) picture.append(shape("line", { class: "reference", x1: left, x2: width - right, y1: y(reference), y2: y(reference) }));
    for (const [share, anchor] of width < 420 ? [[0, "start"], [1, "end"]] : [[0, "start"], [0.5, "middle"], [1, "end"]]) {
      if (end > start || share === 0) picture.append(shape("text", { x: left + (width - left - right) * share, y: 194, "text-anchor": anchor }, clock(start + (end - start) * share, end - start < 600)));
    }
    const ends = [];
    for (const [name, field, colour] of series) {
      let path = "";
      let pen = "M";
      points.forEach((point, place) => {
        const value = point[field];
        if (!finite(value)) { pen = "M"; return; }
        path += `${pen}${x(point.time).toFixed(1)} ${y(value).toFixed(1)}`;
        const alone = pen === "M" && !finite(points[place + 1]?.[field]);
        if (alone) picture.append(shape("circle", { class: `fill-${colour}`, cx: x(point.time), cy: y(value), r: 2.5 }));
        pen = "L";
      });
      picture.append(shape("path", { class: `line ${colour}`, d: path || "M0 0" }));
      const latest = points.filter((point) => finite(point[field])).pop();
      if (latest) ends.push([y(latest[field]) + 4, name]);
    }
    ends.sort((a, b) => a[0] - b[0]);
    ends.forEach((label, place) => {
      if (place && label[0] - ends[place - 1][0] < 13) label[0] = ends[place - 1][0] + 13;
      picture.append(shape("text", { class: "strong", x: width - right + 6, y: label[0] }, label[1]));
    });
  }

  /** Bars from the left, each with its name and its number. Rows are [name, value, text, class]. */
  function bars(id, label, rows, largest) {
    const [picture, width] = canvas(id, 24 * rows.length + 4, label);
    const left = Math.min(150, width * 0.4);
    const span = width - left - 120;
    rows.forEach(([name, value, text, colour], place) => {
      const middle = 24 * place + 14;
      picture.append(shape("text", { class: "strong", x: left - 10, y: middle + 4, "text-anchor": "end" }, short(name, Math.floor(left / 7))));
      picture.append(shape("rect", { class: "fill-blank", x: left, y: middle - 6, width: span, height: 12, rx: 2 }));
      const length = finite(value) && largest > 0 ? Math.min(1, Math.max(0, value / largest)) * span : 0;
      picture.append(shape("rect", { class: `fill-${colour}`, x: left, y: middle - 6, width: length, height: 12, rx: 2 }));
      picture.append(shape("text", { x: left + span + 8, y: middle + 4 }, text));
    });
  }

  // Sections. Each draws what there is, and hides where there is nothing.

  const show = (id, there) => { $(id).hidden = !there; return there; };

  /** The answer in one sentence: how alike, how often they disagree, and whether an alarm is up. */
  function answer(status) {
    const up = list(status.alarms).filter((alarm) => alarm.up);
    const members = list(status.members).length || status.quorum?.members;
    const models = finite(members) ? plural(members, "model") : "the portfolio";
    if (up.length === 1) {
      const ended = finite(up[0].since) ? `, since ${clock(up[0].since)}` : "";
      return `Alarm: ${short(up[0].title || up[0].name, 160)}${ended}.`;
    }
    if (up.length) {
      const names = up.slice(0, 3).map((alarm) => short(alarm.title || alarm.name, 80)).join("; ");
      return `${up.length} alarms are up: ${names}${up.length > 3 ? `; and ${count(up.length - 3)} more` : ""}.`;
    }
    const quiet = list(status.alarms).length ? "no alarm is up" : "no alarm is watched";
    if (!status.answers) return sentence(`${models}, no answers yet; ${quiet}.`);
    const alike = finite(number(status.n_eff).estimate) ? `${models} fail like ${decimal(status.n_eff.estimate)}` : models;
    const text = interval(status.disagreement, percent);
    return sentence(`${alike}${text === "–" ? "" : `; disagreement ${text}`}; ${quiet}.`);
  }

  function lead(status) {
    const up = list(status.alarms).filter((alarm) => alarm.up);
    document.body.classList.toggle("up", up.length > 0);
    const text = answer(status);
    if ($("sentence").textContent !== text) $("sentence").textContent = text;
    const news = up.length ? text : "No alarm is up.";
    if ($("announcement").textContent !== news) $("announcement").textContent = news;
    const name = short(status.name || "polyculture", 60);
    document.title = (up.length ? `(${up.length}) ` : "") + name;
    const parts = [name, `version ${short(status.version ?? "–", 20)}`];
    if (status.challenger) parts.push(`challenger ${short(status.challenger, 20)}`);
    if (status.scope) parts.push(short(status.scope, 60));
    $("eyebrow").textContent = parts.join(" · ");
    const basis = `From the last ${plural(status.answers, "answer")}${finite(status.since) ? `, since ${clock(status.since)}` : ""}`;
    const labels = !status.labelled ? "none of them has a label yet" : status.labelled === 1 ? "one of them has a label" : `${count(status.labelled)} of them have a label`;
    const alike = up.length && finite(number(status.n_eff).estimate) ? `${plural(list(status.members).length, "model")} fail like ${decimal(status.n_eff.estimate)}. ` : "";
    $("lede").textContent = status.answers ? `${alike}${basis}; ${labels}.` : "";
    dots(status);
  }

  /** As many dots as members, filled as far as they fail like independent ones. */
  function dots(status) {
    const members = list(status.members).length;
    const { estimate } = number(status.n_eff);
    if (!show("dots", finite(estimate) && members > 1 && members <= 60)) return;
    const picture = shape("svg", { width: 20 * members, height: 18, viewBox: `0 0 ${20 * members} 18`, "aria-hidden": "true" });
    for (let k = 0; k < members; k += 1) {
      const share = Math.min(1, Math.max(0, estimate - k));
      const [x, y, r] = [9 + 20 * k, 9, 7];
      picture.append(shape("circle", { class: share > 0 ? "edge" : "rest", cx: x, cy: y, r }));
      if (share >= 1) picture.append(shape("circle", { class: "fill-blue", cx: x, cy: y, r }));
      else if (share > 0) {
        const edge = x - r + 2 * r * share;
        const height = Math.sqrt(Math.max(0, r * r - (edge - x) ** 2));
        picture.append(shape("path", { class: "fill-blue", d: `M${edge} ${y - height}A${r} ${r} 0 ${share > 0.5 ? 1 : 0} 0 ${edge} ${y + height}Z` }));
      }
    }
    $("dots").setAttribute("aria-label", `${decimal(estimate)} of ${members} dots are filled`);
    $("dots").replaceChildren(picture);
  }

  function tiles(status) {
    const alarmed = new Set(list(status.alarms).filter((alarm) => alarm.up).map((alarm) => alarm.name));
    const points = list(status.over_time);
    const latency = number(status.latency_ms);
    const latest = points.filter((point) => finite(point.p99)).pop();
    const p99 = finite(latency.p99) ? latency.p99 : latest?.p99;
    const all = [
      ["Effective number", "n_eff", (value) => interval(value, decimal), decimal, "n_eff"],
      ["Disagreement", "disagreement", (value) => interval(value, percent), percent, "disagreement"],
      ["All members wrong", "all_wrong", (value) => interval(value, percent), percent, "all_wrong"],
      status.task === "regression"
        ? ["Error", "error", (value) => interval(value, general), general, "error"]
        : ["Error of the portfolio", "error", (value) => interval(value, percent), percent, "error"],
    ].map(([title, name, format, plain, alarm]) => {
      const value = number(status[name]);
      const defined = finite(value.estimate);
      const [estimate, limits] = format(value).split(" [");
      const remarks = [];
      if (limits) remarks.push(`[${limits}`);
      if (!defined) remarks.push(short(value.reason || "not known yet", 90));
      if (finite(value.reference)) remarks.push(`${plain(value.reference)} at certification`);
      return [title, defined ? estimate : "–", remarks.join(", "), alarmed.has(alarm)];
    });
    all.push(["Latency, 99 of 100", milliseconds(p99), finite(latency.p50) ? `half of them within ${milliseconds(latency.p50)}` : "", alarmed.has("latency_p99")]);
    $("tiles").replaceChildren(...all.map(([title, value, remark, up]) => element("div", { class: up ? "up" : null },
      element("dt", {}, title), element("dd", { class: "figure-number" }, value), element("dd", { class: "tile-remark" }, remark))));
  }

  function alarms(status) {
    const all = list(status.alarms);
    if (!show("alarms", all.length)) return;
    const up = all.filter((alarm) => alarm.up);
    const past = all.filter((alarm) => !alarm.up && finite(alarm.until)).sort((a, b) => b.until - a.until).slice(0, 5);
    $("alarms-message").textContent = up.length
      ? `${up.length} of ${plural(all.length, "alarm")} ${up.length === 1 ? "is" : "are"} up.`
      : `${all.length === 1 ? "The alarm that is watched is not" : `None of the ${count(all.length)} alarms that are watched is`} up${past.length ? "; these were" : ""}.`;
    $("alarms-up").replaceChildren(...[...up, ...past].map((alarm) => element("li", { class: alarm.up ? null : "past" },
      element("h3", {}, sentence(alarm.title || alarm.name)),
      element("p", { class: "when" }, alarm.up ? since(alarm.since) : `from ${clock(alarm.since)} until ${clock(alarm.until)}`),
      alarm.why ? element("p", {}, unbroken(alarm.why)) : null,
      alarm.up && alarm.action ? element("p", {}, element("strong", {}, "What to do: "), alarm.action) : null)));
    table("alarms-table", "All alarms that are watched", [
      ["alarm", (alarm) => short(alarm.title || alarm.name, 80)],
      ["state", (alarm) => (alarm.up ? element("span", { class: "differs" }, "up") : finite(alarm.until) ? "was up" : "at rest")],
      ["level", (alarm) => (finite(alarm.level) ? percent(alarm.level, 0) : "–"), "num"],
      ["now", (alarm) => percent(alarm.value), "num"],
      ["at certification", (alarm) => percent(alarm.reference), "num"],
      ["since", (alarm) => (finite(alarm.since) ? clock(alarm.since) : "")],
      ["why", (alarm) => unbroken(alarm.why), "long"],
    ], all);
  }

  /** A word of ours for one of theirs; "" for any that we do not know. */
  const word = (words, name) => (Object.hasOwn(words, name) ? words[name] : "");
  const STATES = { ok: "ok", drift: "drifts", failing: "fails at times", silent: "gives no answer" };

  function members(status) {
    const all = list(status.members);
    if (!show("members", all.length)) return;
    const troubled = all.filter((member) => member.state && member.state !== "ok");
    $("members-message").textContent = troubled.length
      ? `${troubled.length} of ${plural(all.length, "member")} ${troubled.length === 1 ? "drifts or fails" : "drift or fail"}.`
      : `None of the ${plural(all.length, "member")} drifts or fails.`;
    const order = [...troubled, ...all.filter((member) => !troubled.includes(member))];
    $("members-list").replaceChildren(...order.slice(0, 60).map((member) => {
      const state = Object.hasOwn(STATES, member.state) ? member.state : "ok";
      return element("li", {},
        element("h3", {}, element("span", { class: `state ${state}`, "aria-hidden": "true" }), short(member.name || member.id, 60), element("span", { class: "state-word" }, STATES[state])),
        member.reason && state !== "ok" ? element("p", { class: "reason" }, unbroken(member.reason)) : null,
        element("p", {}, `${count(member.answered)} answered, ${count(member.failed)} failed`),
        element("p", {}, finite(member.dissent) ? `differs from the portfolio on ${percent(member.dissent)}${finite(member.dissent_reference) ? `, ${percent(member.dissent_reference)} at certification` : ""}` : ""));
    }));
    const error = status.task === "regression" ? general : percent;
    table("members-table", "Members", [
      ["member", (member) => short(member.name || member.id, 60)],
      ["state", (member) => (member.state && member.state !== "ok" ? element("span", { class: "differs" }, word(STATES, member.state) || short(member.state)) : "ok")],
      ["answered", (member) => count(member.answered), "num"],
      ["failed", (member) => count(member.failed), "num"],
      ["differs", (member) => percent(member.dissent), "num"],
      ["at certification", (member) => percent(member.dissent_reference), "num"],
      ["error", (member) => interval(member.error, error), "num"],
      ["drift alarm", (member) => percent(member.drift, 0), "num"],
      ["latency", (member) => milliseconds(member.latency_ms), "num"],
      ["where", (member) => (member.remote ? "remote" : "here")],
      ["cost", (member) => general(member.cost), "num"],
      ["remark", (member) => unbroken(member.reason), "long"],
      ["id", (member) => element("code", {}, short(member.id, 48))],
    ], all);
  }

  function overTime(status) {
    const points = list(status.over_time).filter((point) => finite(point.time) && Math.abs(point.time) < 1e11);
    const has = (field) => points.some((point) => finite(point[field]));
    const step = finite(status.step_s) ? ` in stretches of ${duration(status.step_s)}` : "";
    const rows = [...points].reverse();
    const when = ["from", (point) => clock(point.time)];
    const answers = ["answers", (point) => count(point.n), "num"];
    if (show("disagreement", has("disagreement"))) {
      const reference = number(status.disagreement).reference;
      const latest = points.filter((point) => finite(point.disagreement)).pop();
      $("disagreement-message").textContent = `Share of answers on which the members disagree${step}: lately ${percent(latest.disagreement)}${finite(reference) ? `; dashed: ${percent(reference)} at certification` : ""}.`;
      lines("disagreement-chart", $("disagreement-message").textContent, points, [["", "disagreement", "blue"]], (value) => percent(value, value && value < 0.02 ? 1 : 0), { reference, largest: 1 });
      table("disagreement-table", "Disagreement over time", [when, answers,
        ["disagreement", (point) => percent(point.disagreement), "num"],
        ["effective number", (point) => decimal(point.n_eff), "num"],
        ["all wrong", (point) => percent(point.all_wrong), "num"]], rows);
    }
    if (show("latency", has("p50") || has("p99"))) {
      const latest = points.filter((point) => finite(point.p50) || finite(point.p99)).pop();
      $("latency-message").textContent = `From the arrival of a request to its answer${step}: lately half within ${milliseconds(latest.p50)}, 99 of 100 within ${milliseconds(latest.p99)}.`;
      lines("latency-chart", $("latency-message").textContent, points, [["p50", "p50", "blue"], ["p99", "p99", "orange"]], milliseconds);
      table("latency-table", "Latency over time", [when, answers, ["p50", (point) => milliseconds(point.p50), "num"], ["p99", (point) => milliseconds(point.p99), "num"]], rows);
    }
  }

  function quorum(status) {
    const { least, members: size, counts } = number(status.quorum);
    const numbers = Array.isArray(counts) ? counts : [];
    const total = numbers.reduce((sum, value) => sum + (finite(value) ? value : 0), 0);
    if (!show("quorum", total > 0)) return;
    const full = numbers[size] ?? 0;
    const lacking = numbers.slice(0, least).reduce((sum, value) => sum + value, 0);
    $("quorum-message").textContent = `${percent(full / total)} of the recent answers had ${size === 1 ? "the one member" : size === 2 ? "both members" : `all ${count(size)} members`} behind them${lacking ? `; ${count(lacking)} had fewer than the ${count(least)} that are needed` : `; ${count(least)} ${least === 1 ? "is" : "are"} needed`}.`;
    const rows = numbers.map((value, answered) => [answered, value]).filter(([answered, value]) => value > 0 || answered === size).reverse().slice(0, 12);
    bars("quorum-chart", $("quorum-message").textContent, rows.map(([answered, value]) => [`${answered} of ${count(size)}`, value, count(value), answered < least ? "orange" : "blue"]), total);
    table("quorum-table", "Recent answers by the number of members behind them", [
      ["members", ([answered]) => count(answered)], ["answers", ([, value]) => count(value), "num"], ["share", ([, value]) => percent(value / total), "num"],
    ], numbers.map((value, answered) => [answered, value]).reverse());
  }

  const nameOf = (group) => `${visible(group.column)}: ${visible(group.value)}`;

  function groups(status) {
    const all = list(status.groups);
    if (!show("groups", all.length)) return;
    const ranked = all.filter((group) => finite(number(group.disagreement).estimate)).sort((a, b) => b.disagreement.estimate - a.disagreement.estimate);
    const top = ranked[0];
    $("groups-message").textContent = top ? `The members disagree most where ${short(top.column)} is ${short(top.value)}: ${interval(top.disagreement, percent)} of ${plural(top.n, "answer")}.` : "";
    const shown = ranked.slice(0, 12);
    if (show("groups-chart", shown.length)) {
      bars("groups-chart", $("groups-message").textContent, shown.map((group) => [nameOf(group), group.disagreement.estimate, percent(group.disagreement.estimate), "blue"]), Math.max(...shown.map((group) => group.disagreement.estimate), 0.01));
    }
    table("groups-table", "Groups", [
      ["group", (group) => short(nameOf(group), 60)],
      ["answers", (group) => count(group.n), "num"],
      ["disagreement", (group) => interval(group.disagreement, percent), "num"],
      ["at certification", (group) => percent(number(group.disagreement).reference), "num"],
      ["all wrong", (group) => interval(group.all_wrong, percent), "num"],
    ], all);
  }

  function hardest(status) {
    const all = list(status.hardest);
    if (!show("hardest", status.answers > 0)) return;
    $("hardest-message").textContent = all.length
      ? "The recent answers on which the members disagree most. The label, once it is there, says who was right; it may be wrong itself."
      : "The members agreed on all recent answers.";
    if (!show("hardest-table", all.length)) return;
    const names = list(status.members).map((member) => short(member.name || member.id, 24));
    const most = Math.max(...all.map((item) => (Array.isArray(item.member_answers) ? item.member_answers.length : 0)));
    const places = Array.from({ length: Math.min(most, 30) }, (_, place) => place);
    const said = (item, place) => {
      const text = item.member_answers?.[place];
      if (text === null || text === undefined) return "–";
      return text !== item.answer ? element("span", { class: "differs" }, short(text, 24)) : short(text, 24);
    };
    table("hardest-table", "The hardest recent answers", [
      ["id", (item) => element("code", {}, short(item.id, 48))],
      ["disagreement", (item) => percent(item.disagreement, 0), "num"],
      ["answer", (item) => short(item.answer || "(abstained)", 32)],
      ["confidence", (item) => percent(item.confidence, 0), "num"],
      ["label", (item) => (item.label === null || item.label === undefined ? "–" : short(item.label, 32))],
      ...places.map((place) => [names[place] ?? `member ${place + 1}`, (item) => said(item, place)]),
      ["time", (item) => clock(item.time)],
    ], all);
  }

  function inputs(status) {
    const tests = list(status.drift);
    if (!show("inputs", tests.length)) return;
    const defined = tests.filter((test) => finite(test.adjusted));
    const low = defined.filter((test) => test.adjusted < 0.05);
    $("inputs-message").textContent = low.length
      ? `${count(low.length)} of ${plural(defined.length, "test")} of the inputs ${low.length === 1 ? "shows" : "show"} a difference from the certificate's beyond chance: ${low.slice(0, 5).map((test) => short(test.name)).join(", ")}${low.length > 5 ? ", …" : "."}`
      : `${defined.length === 1 ? "The one test" : `None of ${count(defined.length)} tests`} of the inputs shows ${defined.length === 1 ? "no" : "a"} difference from the certificate's beyond chance.`;
    if (!defined.length) $("inputs-message").textContent = "The inputs cannot be compared yet.";
    table("inputs-table", "Tests of the inputs", [
      ["input", (test) => short(test.name, 60)], ["test", (test) => test.test], ["answers", (test) => count(test.n), "num"],
      ["statistic", (test) => general(test.statistic), "num"], ["p, adjusted", (test) => general(test.adjusted), "num"],
      ["PSI", (test) => general(test.psi), "num"], ["remark", (test) => test.reason, "long"],
    ], tests);
  }

  function facts(status) {
    const requests = number(status.requests);
    const store = number(status.store);
    const kept = word({
      ok: "written as they come", behind: "behind, but writing", off: "not kept",
      gone: `cannot be written ${since(store.since)}; answers wait in memory`,
    }, store.state);
    const rows = [
      ["started", finite(status.started) ? `${clock(status.started)} (${duration(now - status.started)} ago)` : ""],
      ["requests", finite(requests.answered) ? `${count(requests.answered)} answered, ${count(requests.refused ?? 0)} refused because the queue was full, ${count(requests.failed ?? 0)} failed` : ""],
      ["answers", kept ? [full(kept), store.reason ? sentence(full(store.reason)) : "", finite(store.written) ? `${count(store.written)} written, ${count(store.queued)} waiting, ${count(store.dropped)} lost.` : ""].filter(Boolean).join(" ") : ""],
      ["store", store.url ? short(store.url, 200) : ""],
    ].filter(([, text]) => text);
    show("server", rows.length);
    $("facts").replaceChildren(...rows.map(([name, text]) => element("div", {}, element("dt", {}, name), element("dd", {}, text))));
    if (store.state === "gone") trouble(`The store cannot be written: ${full(store.reason || "no reason is known")} Serving goes on; ${plural(store.queued, "answer")} wait in memory.`);
    else if (store.dropped > 0) trouble(`${plural(store.dropped, "answer")} could not be stored and ${store.dropped === 1 ? "is" : "are"} lost.`);
    else trouble("");
  }

  function trouble(text) {
    show("trouble", text !== "");
    if ($("trouble").textContent !== text) $("trouble").textContent = text;
  }

  /** One part that cannot be drawn leaves the others alone. */
  function draw(status) {
    show("numbers", true);
    if (finite(status.time)) now = status.time;
    for (const part of [lead, tiles, alarms, members, overTime, quorum, groups, hardest, inputs, facts]) {
      try { part(status); } catch (error) { console.error(part.name, error); }
    }
    $("updated").textContent = `as of ${clock(status.time)}`;
    document.documentElement.dataset.drawn = String(status.time);
  }

  async function ask() {
    try {
      const headers = key ? { Authorization: `Bearer ${key}` } : {};
      const response = await fetch("status", { headers, cache: "no-store", signal: AbortSignal.timeout(10000) });
      show("key-form", response.status === 401 || response.status === 403);
      if (response.status === 401 || response.status === 403) {
        $("sentence").textContent = "This page needs an API key.";
        trouble(key ? "The server does not know this key." : "");
        return;
      }
      if (!response.ok) throw new Error(`it answered ${response.status}`);
      const status = await response.json();
      if (!status || typeof status !== "object") throw new Error("its answer is no status");
      if (status.schema > 1) throw new Error("it is newer than this page; load the page again");
      last = status;
      draw(status);
    } catch (error) {
      const reason = error instanceof TypeError || error.name === "TimeoutError" ? "it cannot be reached" : error.message;
      trouble(`The server does not say how it is: ${reason}.${last ? ` These numbers are of ${clock(last.time)}.` : ""}`);
    }
  }

  async function poll() {
    if (!document.hidden) await ask();
    setTimeout(poll, PERIOD_MS);
  }

  $("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    key = $("key").value.trim();
    try { sessionStorage.setItem("polyculture-key", key); } catch { /* the key is asked for again next time */ }
    ask();
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
  let resizing = 0;
  window.addEventListener("resize", () => { clearTimeout(resizing); resizing = setTimeout(() => last && draw(last), 150); });
  document.querySelectorAll("details").forEach((part) => part.addEventListener("toggle", () => { if (part.open) part.querySelector(".scroll").scrollTop = 0; }));
  document.addEventListener("polyculture-status", (event) => draw(event.detail)); // a status from elsewhere, such as a file
  poll();
})();
