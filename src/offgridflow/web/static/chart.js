// Draws a chart (offgridflow/web/charts.py tells its shape) on its page, and alone as an image with title and provenance.

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const short = (value) => Number(value.toPrecision(3)).toLocaleString("en");
const IMAGE = { width: 1200, height: 640, bar: 40, frame: 210, ratio: 2, label: 46, line: 120 };
let drawn = null;

function whiskersOf(data) {
  const colour = token("--whisker");
  const [value, side] = data.is_across ? ["x", "y"] : ["y", "x"];
  return {
    id: "whiskers",
    afterDatasetsDraw(chart) {
      const { ctx, scales } = chart;
      const bars = chart.getDatasetMeta(0).data;
      const at = (along, across) => (data.is_across ? [along, across] : [across, along]);
      ctx.save();
      ctx.strokeStyle = colour;
      ctx.lineWidth = 1.5;
      data.ranges.forEach(([low, high], index) => {
        if (low === null || high === null || !bars[index]) return;
        const middle = bars[index][side];
        const ends = [low, high].map((each) => scales[value].getPixelForValue(each));
        ctx.beginPath();
        ctx.moveTo(...at(ends[0], middle));
        ctx.lineTo(...at(ends[1], middle));
        for (const end of ends) {
          ctx.moveTo(...at(end, middle - 5));
          ctx.lineTo(...at(end, middle + 5));
        }
        ctx.stroke();
      });
      ctx.restore();
    },
  };
}

function backgroundOf() {
  const colour = token("--card");
  return {
    id: "background",
    beforeDraw({ ctx, width, height }) {
      ctx.save();
      ctx.fillStyle = colour;
      ctx.fillRect(0, 0, width, height);
      ctx.restore();
    },
  };
}

function coloursOf(data) {
  if (data.is_across) return data.series.length > 1 ? [token("--series-rest"), token("--accent")] : [token("--accent")];
  return data.series.map((each, place) => token(each.is_rest ? "--series-rest" : `--series-${place}`));
}

function datasetsOf(data) {
  const colours = coloursOf(data);
  const faded = (colour, index) => (data.selected[index] ? colour : `${colour}59`);
  return data.series.map((each, place) => ({
    label: each.name,
    data: each.values,
    backgroundColor: data.labels.map((_, index) => faded(colours[place], index)),
    borderColor: token("--card"),
    borderWidth: data.is_across ? 0 : { top: 1 },
    borderSkipped: false,
    maxBarThickness: data.is_across ? 22 : 76,
    categoryPercentage: data.is_across ? 0.8 : 0.72,
    barPercentage: 1,
  }));
}

function scalesOf(data, size) {
  const ticks = { color: token("--muted"), font: { family: token("--font"), size } };
  const highest = data.ranges.length ? Math.max(...data.ranges.map(([, high]) => high ?? 0)) : undefined;
  const stacked = !data.is_across;
  const names = { stacked, grid: { display: false }, border: { color: token("--line") }, ticks };
  const values = {
    stacked,
    suggestedMax: highest,
    grid: { color: token("--line") },
    border: { display: false },
    ticks: { ...ticks, maxTicksLimit: 6 },
  };
  return data.is_across ? { x: values, y: names } : { x: names, y: values };
}

function tooltipOf(data) {
  return {
    backgroundColor: token("--ink"),
    titleColor: token("--card"),
    bodyColor: token("--card"),
    footerColor: token("--card"),
    padding: 10,
    cornerRadius: 8,
    itemSort: (one, other) => other.datasetIndex - one.datasetIndex,
    filter: (item) => item.raw !== null && item.raw !== 0,
    callbacks: {
      label: (item) => ` ${item.dataset.label}: ${short(item.raw)} ${data.unit}`,
      footer: (items) => footerOf(data, items),
    },
  };
}

function footerOf(data, items) {
  const sum = items.reduce((total, item) => total + (item.raw ?? 0), 0);
  const range = data.ranges[items[0]?.dataIndex];
  const spread = range && range[0] !== null ? ` (${short(range[0])} \u2013 ${short(range[1])})` : "";
  return `Total ${short(sum)} ${data.unit}${spread}`;
}

function configOf(data, options, plugins) {
  return {
    type: "bar",
    data: { labels: data.labels, datasets: datasetsOf(data) },
    options: { indexAxis: data.is_across ? "y" : "x", maintainAspectRatio: false, ...options },
    plugins: [backgroundOf(), ...(data.ranges.length ? [whiskersOf(data)] : []), ...plugins],
  };
}

/** Draw a chart on a canvas of the page; it follows the canvas's size. */
export function draw(canvas, data) {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const options = {
    responsive: true,
    animation: still ? false : { duration: 350 },
    interaction: { mode: "index", intersect: false },
    layout: { padding: { top: 8 } },
    scales: scalesOf(data, 12),
    plugins: { legend: { display: false }, tooltip: tooltipOf(data) },
  };
  drawn?.destroy();
  drawn = new globalThis.Chart(canvas, configOf(data, options, []));
}

function linesOf(text) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (lines.at(-1) && longer.length > IMAGE.line) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}

function sourceOf(data) {
  const text = data.ranges.length ? `${data.source}; whiskers: low to high` : data.source;
  const [colour, font] = [token("--muted"), token("--font")];
  return {
    id: "source",
    afterDraw({ ctx, height }) {
      ctx.save();
      ctx.fillStyle = colour;
      ctx.font = `14px ${font}`;
      ctx.fillText(text, 28, height - 22);
      ctx.restore();
    },
  };
}

function captionsOf(data) {
  const font = (size, weight) => ({ family: token("--font"), size, weight });
  return {
    title: { display: true, align: "start", text: linesOf(data.title), color: token("--ink"), font: font(24, "bold"), padding: { bottom: 4 } },
    subtitle: { display: true, align: "start", text: linesOf(data.about), color: token("--muted"), font: font(16, "normal"), padding: { bottom: 18 } },
    legend: {
      display: data.series.length > 1 || !data.is_across,
      position: "bottom",
      align: "start",
      onClick: null,
      labels: { color: token("--ink"), font: font(15, "normal"), boxWidth: 14, boxHeight: 14 },
    },
    tooltip: { enabled: false },
  };
}

/** Return a chart with its title, what was asked and provenance as a PNG (Blob) of one size on every screen. */
export function imageOf(data) {
  const canvas = document.createElement("canvas");
  canvas.width = IMAGE.width;
  canvas.height = data.is_across ? IMAGE.frame + IMAGE.bar * data.labels.length * Math.max(data.series.length * 0.8, 1) : IMAGE.height;
  const scales = scalesOf(data, 15);
  const names = data.is_across ? scales.y : scales.x;
  names.ticks = {
    ...names.ticks,
    autoSkip: false,
    callback(place) {
      const name = this.getLabelForValue(place);
      return name.length > IMAGE.label ? `${name.slice(0, IMAGE.label / 2)}\u2026${name.slice(-IMAGE.label / 2)}` : name;
    },
  };
  const options = {
    responsive: false,
    animation: false,
    events: [],
    devicePixelRatio: IMAGE.ratio,
    layout: { padding: { top: 22, left: 28, right: 28, bottom: 52 } },
    scales,
    plugins: captionsOf(data),
  };
  const whole = { ...data, selected: data.labels.map(() => true) };
  const chart = new globalThis.Chart(canvas, configOf(whole, options, [sourceOf(data)]));
  return new Promise((resolve) => {
    canvas.toBlob((blob) => {
      chart.destroy();
      resolve(blob);
    }, "image/png");
  });
}
