"use strict";
// Draws the charts of a report from the JSON in #data, and shows one page at a
// time by the address behind "#". Charts are drawn when their page is first shown.
(() => {
  const root = document.documentElement;
  root.dataset.failed = "";
  window.addEventListener("error", (e) => { root.dataset.failed += e.message + "\n"; });

  const data = JSON.parse(document.getElementById("data").textContent);
  const workloads = new Map(data.workloads.map((w) => [w.id, w]));
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const narrow = window.matchMedia("(max-width: 1000px)");
  let printing = false;

  // Colours ---------------------------------------------------------------
  // After Okabe and Ito, darkened or lightened for contrast. The blue is that of
  // the server that the report is about alone; the other servers differ in dashes and points as well.
  const palettes = {
    light: { ours: "#0072b2", others: ["#d55e00", "#009e73", "#b8609a", "#c98a00", "#3d4248", "#7a5c2e", "#8a9099"], text: "#1a1d21", muted: "#565d66", line: "#dfe2e6", fault: "#b00020", page: "#ffffff" },
    dark: { ours: "#4da8f0", others: ["#ff8a3d", "#2bc79a", "#e59cc4", "#f0c030", "#dfe3e8", "#c9a75f", "#8f98a3"], text: "#e8eaed", muted: "#a3abb5", line: "#343a41", fault: "#ff8591", page: "#14171a" },
  };
  const dashes = [[], [7, 4], [2, 3], [10, 3, 2, 3]];
  const points = ["circle", "rect", "triangle", "rectRot", "star", "cross", "crossRot"];
  const palette = () => (dark.matches && !printing ? palettes.dark : palettes.light);
  const others = data.servers.filter((name) => !data.ours.includes(name));

  function style(server) {
    const p = palette();
    if (server.ours) {
      const i = Math.max(data.ours.indexOf(server.peer), 0); // one colour for all, and a line of its own for each
      return { color: p.ours, dash: dashes[i % 4], point: points[i % 7], width: 3.5 };
    }
    const i = Math.max(others.indexOf(server.peer), 0);
    return { color: p.others[i % 7], dash: dashes[i % 4], point: points[(i + Math.floor(i / 7)) % 7], width: 1.75 };
  }

  const alpha = (color, a) => color + Math.round(a * 255).toString(16).padStart(2, "0");

  function hatched(color) {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 8;
    const c = tile.getContext("2d");
    c.fillStyle = alpha(color, 0.2);
    c.fillRect(0, 0, 8, 8);
    c.strokeStyle = color;
    c.lineWidth = 2;
    c.beginPath();
    for (const x of [-8, 0, 8]) { c.moveTo(x - 1, 9); c.lineTo(x + 9, -1); }
    c.stroke();
    return c.createPattern(tile, "repeat");
  }

  // Helpers ---------------------------------------------------------------
  function element(name, attributes, ...children) {
    const e = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (value !== undefined) { e.setAttribute(key, value); }
    }
    e.append(...children.filter((c) => c !== undefined && c !== ""));
    return e;
  }

  const withUnit = (m) => (m.unit ? m.title + " (" + m.unit + ")" : m.title);
  const direction = (m) => (m.higher ? "more is better" : "less is better");

  function short(v) {
    if (v === 0) { return "0"; }
    if (v >= 1000) { return Math.round(v).toLocaleString("en-US"); }
    return String(Number(v.toPrecision(3)));
  }

  // Charts ----------------------------------------------------------------
  const charts = []; // {holder, canvas, build, chart}

  // add makes a figure whose chart is drawn when its page is first shown. The
  // alternative for those who cannot see it is the table on the same page.
  function add(parent, title, detail, label, height, build, extra) {
    const canvas = element("canvas", { role: "img", "aria-label": label });
    const holder = element("div", { class: "plot" }, canvas);
    const caption = element("figcaption", {}, title, detail ? element("small", {}, " " + detail) : undefined);
    const figure = element("figure", { class: extra }, caption, holder);
    parent.append(figure);
    const entry = { holder, canvas, build, height };
    charts.push(entry);
    return { entry, caption };
  }

  function draw(entry) {
    const width = entry.holder.clientWidth;
    const config = entry.build(width);
    entry.holder.style.height = (config.height || entry.height) + "px";
    entry.chart = new Chart(entry.canvas, config);
    entry.canvas.dataset.drawn = "yes";
  }

  function drawVisible() {
    const visible = charts.filter((c) => c.holder.clientWidth > 0);
    for (const c of visible) {
      if (!c.chart) { draw(c); }
    }
    root.dataset.wanted = visible.length;
    root.dataset.drawn = visible.filter((c) => c.chart && c.chart.width > 0 && c.chart.height > 0).length;
  }

  function redraw() {
    for (const c of charts) {
      if (c.chart) { c.chart.destroy(); c.chart = undefined; }
    }
    for (const f of legends) { f(); }
    drawVisible();
  }

  const font = (weight, size) => weight + " " + size + "px " + Chart.defaults.font.family;
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  Chart.defaults.font.size = 12;
  Chart.defaults.animation = false;
  Chart.defaults.maintainAspectRatio = false;

  function axis(p, title, more) {
    return Object.assign({
      title: { display: true, text: title, color: p.text },
      ticks: { color: p.muted }, grid: { color: p.line }, border: { color: p.muted },
    }, more);
  }

  // decades labels a logarithmic axis at 1, 2 and 5 times the powers of ten.
  function decades(p, axisTitle, more) {
    return axis(p, axisTitle, Object.assign({
      type: "logarithmic",
      ticks: {
        color: p.muted, autoSkip: false,
        callback(v) {
          const first = Number(v.toExponential()[0]);
          const whole = this.max / this.min > 300 ? [1] : [1, 2, 5];
          return whole.includes(first) && Math.abs(v - first * 10 ** Math.floor(Math.log10(v) + 1e-9)) < v * 1e-6 ? short(v) : null;
        },
      },
    }, more));
  }

  // Bars: names, values and errors stand above each bar, so that they fit any
  // width and can be read without pointing at them.
  const barLabels = {
    id: "barLabels",
    afterDatasetsDraw(chart, _, o) {
      const c = chart.ctx;
      const p = palette();
      const { left, right } = chart.chartArea;
      c.save();
      c.textBaseline = "alphabetic";
      o.rows.forEach((row, i) => {
        const middle = chart.scales.y.getPixelForValue(i);
        const bar = middle + o.shift;
        let y = bar - o.thickness / 2 - 5 - (o.lines - 1) * 15;
        c.textAlign = "right";
        c.font = font(600, 12);
        c.fillStyle = p.text;
        const value = row.median === null ? (row.failed ? "⚠ given up" : "not measured") : row.text;
        if (row.median === null) { c.fillStyle = row.failed ? p.fault : p.muted; }
        c.fillText(value, right, y);
        c.textAlign = "left";
        let x = left;
        c.font = font(row.ours ? 700 : 500, 12);
        c.fillStyle = row.ours ? p.ours : p.text;
        const name = fit(c, row.label, right - left - c.measureText(value).width - 12);
        c.fillText(name, x, y);
        x += c.measureText(name).width + 8;
        if (o.lines > 1) { x = left; y += 15; }
        if (row.faults) {
          c.font = font(700, 12);
          c.fillStyle = p.fault;
          const faults = fit(c, "⚠ " + row.faults, right - x);
          c.fillText(faults, x, y);
          x += c.measureText(faults).width + 8;
          if (o.lines > 2) { x = left; y += 15; }
        }
        c.font = font(400, 11);
        c.fillStyle = p.muted;
        c.fillText(fit(c, row.about, right - x - (o.lines > 1 ? 0 : c.measureText(value).width * 1.15 + 12)), x, y);
        if (row.median !== null && row.min < row.max) {
          whisker(c, p, chart.scales.x.getPixelForValue(row.min), bar, chart.scales.x.getPixelForValue(row.max), bar);
        }
      });
      c.restore();
    },
  };

  function whisker(c, p, x1, y1, x2, y2) {
    const across = x1 === x2 ? [4, 0] : [0, 4];
    for (const [color, width] of [[p.page, 3.5], [p.text, 1.5]]) {
      c.strokeStyle = color;
      c.lineWidth = width;
      c.beginPath();
      c.moveTo(x1, y1);
      c.lineTo(x2, y2);
      for (const [x, y] of [[x1, y1], [x2, y2]]) {
        c.moveTo(x - across[0], y - across[1]);
        c.lineTo(x + across[0], y + across[1]);
      }
      c.stroke();
    }
  }

  function fit(c, text, width) {
    if (c.measureText(text).width <= width) { return text; }
    let n = text.length;
    while (n > 0 && c.measureText(text.slice(0, n) + "…").width > width) { n--; }
    return n > 0 ? text.slice(0, n) + "…" : "";
  }

  // The best first; those with errors behind those without, since a wrong answer
  // is never a fast one.
  function order(m) {
    const rank = (r) => (r.median === null ? 2 : r.faults ? 1 : 0);
    return [...m.bars].sort((a, b) => rank(a) - rank(b) || (a.median === null ? 0 : m.higher ? b.median - a.median : a.median - b.median));
  }

  function bars(parent, m, where, beside) {
    const rows = order(m);
    if (rows.every((r) => r.median === null)) { return; }
    const split = rows.some((r) => r.user !== undefined);
    const said = rows.map((r) => r.label + " " + (r.median === null ? "not measured" : r.text) + (r.faults ? ", " + r.faults : "")).join("; ");
    const { caption } = add(parent, withUnit(m), direction(m), where + ": " + withUnit(m) + ". " + said, 0, (width) => {
      const p = palette();
      const c = document.createElement("canvas").getContext("2d");
      // The charts of a page agree, so that a server stands at the same height.
      // How the connections were is never cut: it takes a line of its own instead.
      const lines = Math.max(...beside.flatMap((other) => other.bars).map((r) => {
        c.font = font(700, 12);
        const faults = r.faults ? c.measureText("⚠ " + r.faults).width + 8 : 0;
        const names = c.measureText(r.label + r.text).width;
        c.font = font(400, 11);
        const about = c.measureText(r.about).width + 8;
        if (names + faults + about + 50 <= width) { return 1; }
        return faults + about <= width - 6 ? 2 : 3;
      }));
      const step = 25 + 16 * lines;
      const thickness = 14;
      const fill = (r, a) => (r.faults ? hatched(style(r).color) : alpha(style(r).color, a));
      const dataset = (label, value, a) => ({ label, data: rows.map(value), backgroundColor: rows.map((r) => fill(r, a)), barThickness: thickness, borderColor: rows.map((r) => style(r).color), borderWidth: rows.map((r) => (r.ours || r.faults ? 1 : 0)) });
      const shift = (step - thickness) / 2 - 3;
      return {
        type: "bar",
        height: rows.length * step + 52,
        plugins: [barLabels, { id: "shift", beforeDatasetDraw(chart) { chart.ctx.save(); chart.ctx.translate(0, shift); }, afterDatasetDraw(chart) { chart.ctx.restore(); } }],
        data: {
          labels: rows.map((r) => r.label),
          datasets: split
            ? [dataset("user", (r) => (r.user !== undefined ? r.user : r.median), 1), dataset("system", (r) => (r.system !== undefined ? r.system : null), 0.45)]
            : [dataset(m.title, (r) => r.median, 1)],
        },
        options: {
          indexAxis: "y",
          layout: { padding: { right: 4, left: 2 } },
          scales: {
            x: axis(p, withUnit(m), { beginAtZero: true, stacked: split, suggestedMax: Math.max(...rows.map((r) => r.max)), ticks: { color: p.muted, maxRotation: 0, maxTicksLimit: width < 450 ? 5 : 8, callback: short } }),
            y: { display: false, stacked: split },
          },
          plugins: {
            legend: { display: false },
            tooltip: { enabled: false },
            barLabels: { rows, shift, thickness, lines },
          },
          events: [],
        },
      };
    });
    if (split) {
      caption.append(element("small", {}, element("span", { class: "key" }), "user", element("span", { class: "key system" }), "system"));
    }
  }

  // roomy makes ticks of values, without those that would touch the one to their
  // right: labels are so many pixels wide, and all values have the range of an axis.
  function roomy(values, range, width, label) {
    const apart = (label / Math.max(width - 110, 100)) * range;
    return values.reduceRight((kept, value) => (kept.length === 0 || kept[0].value - value >= apart ? [{ value }, ...kept] : kept), []);
  }

  // Latency by percentile. Each tick is ten times rarer than the one before, as
  // HdrHistogram plots it.
  const rarity = (percent) => -Math.log10(1 - percent / 100);
  const percentTicks = [0, 50, 90, 99, 99.9, 99.99, 99.999];

  function curves(parent, list, where) {
    const shown = list.map((s) => ({ server: s, points: s.points.filter((q) => q.percent < 99.9995).map((q) => ({ x: rarity(q.percent), y: q.ms })) })).filter((s) => s.points.length > 1);
    if (shown.length === 0) { return; }
    const most = Math.max(...shown.map((s) => s.points[s.points.length - 1].x));
    const least = Math.min(...shown.flatMap((s) => s.points.map((q) => q.y)));
    add(parent, "Latency by percentile", "both axes logarithmic; less is better", where + ": latency by percentile. The figures are in the table.", 420, (width) => {
      const p = palette();
      return {
        type: "line",
        data: { datasets: shown.map(({ server, points: q }) => line(server, q)) },
        options: {
          clip: false, // markers stand on the edges, and the last label half beside one
          layout: { padding: { right: 30, top: 8 } },
          interaction: { mode: "nearest", intersect: false },
          scales: {
            x: axis(p, "requests that took at most this long (%)", {
              type: "linear", min: 0, max: most,
              afterBuildTicks(a) {
                a.ticks = roomy(percentTicks.map(rarity).filter((v) => v <= most + 1e-9), most, width, 50);
              },
              ticks: { color: p.muted, autoSkip: false, maxRotation: 0, callback: (v) => { const t = percentTicks.find((percent) => Math.abs(rarity(percent) - v) < 1e-6); return t + " %"; } },
            }),
            y: decades(p, "latency (ms)", { min: least * 0.8 }),
          },
          plugins: {
            legend: { display: false },
            tooltip: { callbacks: { title: (items) => items.map((i) => short(100 * (1 - 10 ** -i.parsed.x)) + " %")[0], label: (i) => i.dataset.label + ": " + short(i.parsed.y) + " ms" } },
          },
        },
      };
    }, "wide");
  }

  function line(server, q, more) {
    const s = style(server);
    return Object.assign({
      label: server.label, data: q, borderColor: s.color, backgroundColor: s.color, borderDash: s.dash, borderWidth: s.width,
      pointStyle: s.point, pointRadius: server.ours ? 4 : 3.5, pointBorderColor: s.color, order: server.ours ? 0 : 1, hidden: hidden.has(server.label),
    }, more);
  }

  // Figures over a rate: one line for each server, with whiskers.
  const sweepMarks = {
    id: "sweepMarks",
    afterDatasetsDraw(chart) {
      const p = palette();
      chart.data.datasets.forEach((d, i) => {
        if (!chart.isDatasetVisible(i)) { return; }
        chart.getDatasetMeta(i).data.forEach((at, j) => {
          const q = d.data[j];
          const c = chart.ctx;
          c.save();
          if (q.min < q.max) {
            c.strokeStyle = d.borderColor;
            c.lineWidth = 1.5;
            c.beginPath();
            const [top, bottom] = [chart.scales.y.getPixelForValue(q.max), chart.scales.y.getPixelForValue(q.min)];
            c.moveTo(at.x, top); c.lineTo(at.x, bottom);
            c.moveTo(at.x - 3, top); c.lineTo(at.x + 3, top);
            c.moveTo(at.x - 3, bottom); c.lineTo(at.x + 3, bottom);
            c.stroke();
          }
          if (q.faults) {
            c.font = font(700, 13);
            c.fillStyle = p.fault;
            c.strokeStyle = p.page;
            c.lineWidth = 3;
            c.textAlign = at.x > chart.chartArea.right - 20 ? "right" : "left";
            const x = at.x + (c.textAlign === "right" ? -7 : 7);
            c.strokeText("⚠", x, at.y - 4);
            c.fillText("⚠", x, at.y - 4);
          }
          c.restore();
        });
      });
    },
  };

  function sweep(parent, w, s, height) {
    const all = s.series.flatMap((x) => x.points);
    const log = all.length > 0 && all.every((q) => q.min > 0) && Math.max(...all.map((q) => q.max)) > 20 * Math.min(...all.map((q) => q.min));
    const faulty = all.some((q) => q.faults);
    // Else the axis would end at the medians, and whiskers stand on its labels.
    const reach = all.length === 0 ? {} : { suggestedMin: Math.min(...all.map((q) => q.min)), suggestedMax: Math.max(...all.map((q) => q.max)) };
    const steps = [...new Set(all.map((q) => q.x))].sort((a, b) => a - b);
    const { caption } = add(parent, withUnit(s) + " by rate", log ? "logarithmic; whiskers: least and greatest round" : "whiskers: least and greatest round", w.title + ": " + withUnit(s) + " over " + s.axis + ". The figures are in the tables.", height, (width) => {
      const p = palette();
      return {
        type: "line",
        plugins: [sweepMarks],
        data: { datasets: s.series.map((x) => line(x, x.points)) },
        options: {
          clip: false,
          interaction: { mode: "nearest", intersect: false },
          layout: { padding: { right: 24, top: 8 } },
          scales: {
            x: axis(p, "requests due (" + s.axis + ")", { type: "linear", afterBuildTicks(a) { if (steps.length <= 10) { a.ticks = roomy(steps, steps[steps.length - 1] - steps[0], width, 36); } }, ticks: { color: p.muted, callback: short, maxRotation: width < 450 ? 60 : 0 } }),
            y: Object.assign(log ? decades(p, withUnit(s)) : axis(p, withUnit(s), { beginAtZero: true }), reach),
          },
          plugins: {
            legend: { display: false },
            tooltip: { callbacks: { title: (items) => items.map((i) => short(i.parsed.x) + " " + s.axis)[0], label: (i) => i.dataset.label + ": " + short(i.parsed.y) + " " + s.unit + (i.raw.faults ? " ⚠ " + i.raw.faults : "") } },
          },
        },
      };
    });
    if (faulty) {
      caption.append(" ", element("span", { class: "badge" }, "⚠ points with errors"));
    }
  }

  // Latency over time: a chart for each server, all with the same axes.
  const marks = {
    id: "marks",
    beforeDatasetsDraw(chart, _, o) {
      const p = palette();
      const c = chart.ctx;
      const { top, bottom, left, right } = chart.chartArea;
      c.save();
      c.font = font(600, 12);
      c.fillStyle = p.text;
      let free = left; // up to where labels stand
      for (const m of o.marks) {
        const x = chart.scales.x.getPixelForValue(m.at);
        if (x < left || x > right) { continue; }
        c.strokeStyle = p.text;
        c.setLineDash([4, 3]);
        c.beginPath();
        c.moveTo(x, top - 4);
        c.lineTo(x, bottom);
        c.stroke();
        const room = c.measureText(m.text).width;
        const from = Math.min(x + 4, right - room);
        if (from < free) { continue; } // the line alone tells enough
        c.textAlign = "left";
        c.fillText(m.text, from, top - 6);
        free = from + room + 4;
      }
      c.restore();
    },
  };

  function times(parent, list, where) {
    const ticks = list.flatMap((s) => s.rounds.flat());
    const latencies = ticks.filter((t) => t.max > 0);
    if (latencies.length === 0) { return; }
    const floor = 0.01; // 10 µs: less is an artefact, and would stretch the axis
    const least = Math.max(floor, Math.min(...latencies.map((t) => (t.p50 > 0 ? t.p50 : t.max))));
    const most = Math.max(...latencies.map((t) => t.max));
    const width = list[0].rounds[0].length > 1 ? list[0].rounds[0][1].at - list[0].rounds[0][0].at : 0;
    const end = Math.ceil(Math.max(...ticks.map((t) => t.at)));
    const sums = list.map((s) => {
      const sum = new Map();
      for (const t of s.rounds.flat()) {
        const at = width > 0 ? Math.round(t.at / width) * width : t.at;
        sum.set(at, (sum.get(at) || 0) + t.errors);
      }
      return [...sum].filter(([, n]) => n > 0).map(([x, y]) => ({ x, y }));
    });
    const worst = Math.max(1, ...sums.flat().map((q) => q.y));
    const any = sums.some((s) => s.length > 0);
    parent.append(element("div", { class: "wide" }, element("h4", {}, "Latency over time"), element("p", { class: "hint" }, "By the time a request was due. Upper lines: the slowest request of each " + short(width) + " s, one line for each round. Thin lines below: half of the requests. " + (any ? "Red bars: wrong and missing answers of all rounds (right axis). " : "") + "All charts have the same axes.")));
    list.forEach((s, i) => {
      const { caption } = add(parent, s.label, s.about + (s.faults ? "" : ", no errors"), where + ": latency of " + s.label + " over time. " + (s.faults || "no errors"), 270, () => {
        const p = palette();
        const st = style(s);
        const over = (key, weight, color) => s.rounds.map((r) => ({ type: "line", yAxisID: "y", data: r.map((t) => ({ x: t.at, y: t[key] > 0 ? Math.max(t[key], floor) : NaN })), borderColor: color, borderWidth: weight, pointRadius: 0, order: 1 }));
        return {
          type: "line",
          plugins: [marks],
          data: {
            datasets: [
              ...over("max", 1.5, st.color), ...over("p50", 1, alpha(st.color, 0.55)),
              { type: "bar", yAxisID: "errors", data: sums[i], backgroundColor: p.fault, barThickness: 3, order: 0 },
            ],
          },
          options: {
            events: [],
            layout: { padding: { top: 21 } },
            scales: {
              x: axis(p, "time (s)", { type: "linear", offset: false, min: 0, max: end, ticks: { color: p.muted, maxRotation: 0, callback: short } }),
              y: decades(p, "latency (ms)", { min: least * 0.8, max: most * 1.2 }),
              errors: axis(p, "errors", { display: any, position: "right", min: 0, suggestedMax: worst, grid: { display: false }, title: { display: true, text: "errors", color: p.fault }, ticks: { color: p.fault, precision: 0, maxTicksLimit: 5 } }),
            },
            plugins: { legend: { display: false }, tooltip: { enabled: false }, marks: { marks: s.marks } },
          },
        };
      });
      if (s.faults) { caption.append(element("span", { class: "badge" }, "⚠ " + s.faults)); }
    });
  }

  // Legends are buttons, for the keyboard's sake: they hide and show a server in
  // every line chart of the report.
  const hidden = new Set();
  const legends = [];

  function legend(parent, servers) {
    const box = element("div", { class: "legend", role: "group", "aria-label": "Servers shown in the line charts" });
    const fill = () => {
      box.replaceChildren(element("span", {}, "Shown:"), ...servers.map((s) => {
        const button = element("button", { type: "button", "aria-pressed": String(!hidden.has(s.label)), class: s.ours ? "ours" : undefined }, sample(s), s.label);
        button.addEventListener("click", () => {
          if (!hidden.delete(s.label)) { hidden.add(s.label); }
          redraw();
          [...box.children].find((b) => b.textContent === s.label).focus();
        });
        return button;
      }));
    };
    fill();
    legends.push(fill);
    parent.append(box);
  }

  function sample(server) {
    const ratio = window.devicePixelRatio || 1;
    const canvas = element("canvas", { width: 34 * ratio, height: 14 * ratio, style: "width:34px;height:14px", "aria-hidden": "true" });
    const c = canvas.getContext("2d");
    const s = style(server);
    c.scale(ratio, ratio);
    c.strokeStyle = c.fillStyle = s.color;
    c.lineWidth = s.width;
    c.setLineDash(s.dash);
    c.beginPath();
    c.moveTo(0, 7);
    c.lineTo(34, 7);
    c.stroke();
    c.setLineDash([]);
    c.lineWidth = 1;
    Chart.helpers.drawPoint(c, { pointStyle: s.point, radius: 4, borderWidth: 1.5, rotation: 0 }, 17, 7);
    return canvas;
  }

  // Pages -----------------------------------------------------------------
  for (const box of document.querySelectorAll("[data-work]")) {
    const w = workloads.get(box.dataset.work);
    if (box.dataset.case === undefined) {
      if (w.sweeps) {
        legend(box, w.sweeps[0].series);
        w.sweeps.forEach((s) => sweep(box, w, s, 420));
      } else {
        box.remove();
      }
      continue;
    }
    const c = w.cases[Number(box.dataset.case)];
    const where = c.name ? w.title + ", " + c.name : w.title;
    if (!w.sweeps) {
      c.bars.forEach((m) => bars(box, m, where, c.bars));
    }
    if (c.curves) {
      if (!w.sweeps) { legend(box, c.curves); }
      curves(box, c.curves, where);
    }
    if (c.times) { times(box, c.times, where); }
  }

  for (const w of data.workloads) {
    if (w.cases.every((c) => c.bars.every((m) => m.bars.every((b) => b.median === null)))) { continue; }
    const box = element("div");
    const more = w.cases.length > 1 && !w.sweeps ? element("small", {}, " " + w.cases[0].name + "; " + (w.cases.length - 1) + " more on its page") : undefined;
    document.getElementById("cards").append(element("div", { class: "card" }, element("h4", {}, element("a", { href: "#" + w.id }, w.title), more), box));
    if (w.sweeps) {
      legend(box, w.sweeps[0].series);
      w.sweeps.slice(0, 2).forEach((s) => sweep(box, w, s, 340));
    } else {
      w.cases[0].bars.slice(0, 2).forEach((m) => bars(box, m, w.title, w.cases[0].bars));
    }
  }

  const sections = [...document.querySelectorAll("section.page")];
  const links = [...document.querySelectorAll("nav a")];
  const menu = document.getElementById("menu");
  const nav = document.getElementById("nav");

  function open(yes) {
    nav.classList.toggle("open", yes);
    menu.setAttribute("aria-expanded", String(yes));
  }

  function show(moved) {
    let id = location.hash.slice(1);
    if (id === "main") { return; }
    const everything = id === "all";
    if (!everything && !sections.some((s) => s.id === id)) { id = "overview"; }
    sections.forEach((s) => s.classList.toggle("current", everything || s.id === id));
    document.body.classList.toggle("everything", everything);
    for (const a of links) {
      if (a.hash === "#" + id) { a.setAttribute("aria-current", "page"); } else { a.removeAttribute("aria-current"); }
    }
    open(false);
    drawVisible();
    window.scrollTo(0, 0); // the browser has gone to the section, past the header
    if (moved) {
      const title = document.querySelector("section.current h2");
      if (title) { title.focus({ preventScroll: true }); }
    }
  }

  menu.addEventListener("click", () => open(!nav.classList.contains("open")));
  window.addEventListener("hashchange", () => show(true));
  dark.addEventListener("change", redraw);
  narrow.addEventListener("change", redraw);
  window.addEventListener("beforeprint", () => { printing = true; redraw(); });
  window.addEventListener("afterprint", () => { printing = false; redraw(); });
  window.addEventListener("load", () => window.scrollTo(0, 0));
  show(false);
})();
