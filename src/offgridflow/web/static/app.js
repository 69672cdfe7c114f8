// What a page does beyond its HTML: theme, chart, image, link. Everything works without it but the drawing.

const root = document.documentElement;
const byId = (id) => document.getElementById(id);
const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
const token = (name) => getComputedStyle(root).getPropertyValue(name).trim();

let chart = null;

function drawWhiskers(ranges, colour) {
  return {
    id: "whiskers",
    afterDatasetsDraw(drawn) {
      const { ctx, scales } = drawn;
      const meta = drawn.getDatasetMeta(0);
      ctx.save();
      ctx.strokeStyle = colour;
      ctx.lineWidth = 1.5;
      ranges.forEach(([low, high], index) => {
        const element = meta.data[index];
        if (low === null || high === null || !element) return;
        const x = element.x;
        const top = scales.y.getPixelForValue(high);
        const bottom = scales.y.getPixelForValue(low);
        ctx.beginPath();
        ctx.moveTo(x, top);
        ctx.lineTo(x, bottom);
        for (const y of [top, bottom]) {
          ctx.moveTo(x - 5, y);
          ctx.lineTo(x + 5, y);
        }
        ctx.stroke();
      });
      ctx.restore();
    },
  };
}

function background(colour) {
  return {
    id: "background",
    beforeDraw(drawn) {
      drawn.ctx.save();
      drawn.ctx.fillStyle = colour;
      drawn.ctx.fillRect(0, 0, drawn.width, drawn.height);
      drawn.ctx.restore();
    },
  };
}

function optionsOf(data) {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const ticks = { color: token("--muted"), font: { family: token("--font"), size: 12 } };
  const highest = data.ranges.length ? Math.max(...data.ranges.map(([, high]) => high ?? 0)) : undefined;
  return {
    responsive: true,
    maintainAspectRatio: false,
    animation: still ? false : { duration: 350 },
    interaction: { mode: "index", intersect: false },
    layout: { padding: { top: 8 } },
    scales: {
      x: { stacked: true, grid: { display: false }, border: { color: token("--line") }, ticks },
      y: {
        stacked: true,
        suggestedMax: highest,
        grid: { color: token("--line") },
        border: { display: false },
        ticks: { ...ticks, maxTicksLimit: 6 },
      },
    },
    plugins: {
      legend: { display: false },
      tooltip: {
        backgroundColor: token("--ink"),
        titleColor: token("--card"),
        bodyColor: token("--card"),
        footerColor: token("--card"),
        padding: 10,
        cornerRadius: 8,
        itemSort: (one, other) => other.datasetIndex - one.datasetIndex,
        filter: (item) => item.raw !== null && item.raw !== 0,
        callbacks: {
          label: (item) => ` ${item.dataset.label}: ${Number(item.raw.toPrecision(3)).toLocaleString("en")} ${data.unit}`,
          footer: (items) => footerOf(data, items),
        },
      },
    },
  };
}

function footerOf(data, items) {
  const sum = items.reduce((total, item) => total + (item.raw ?? 0), 0);
  const text = (value) => Number(value.toPrecision(3)).toLocaleString("en");
  const range = data.ranges[items[0]?.dataIndex];
  const spread = range && range[0] !== null ? ` (${text(range[0])} \u2013 ${text(range[1])})` : "";
  return `Total ${text(sum)} ${data.unit}${spread}`;
}

function draw() {
  const canvas = byId("chart");
  if (!canvas || !globalThis.Chart) return;
  const data = JSON.parse(canvas.dataset.chart);
  chart?.destroy();
  const faded = (colour, index) => (data.selected[index] ? colour : `${colour}59`);
  const datasets = data.series.map((each, place) => {
    const colour = each.is_rest ? token("--series-rest") : token(`--series-${place}`);
    return {
      label: each.name,
      data: each.values,
      backgroundColor: data.labels.map((_, index) => faded(colour, index)),
      borderColor: token("--card"),
      borderWidth: { top: 1 },
      borderSkipped: false,
      maxBarThickness: 76,
      categoryPercentage: 0.72,
      barPercentage: 1,
    };
  });
  const plugins = [background(token("--card"))];
  if (data.ranges.length) plugins.push(drawWhiskers(data.ranges, token("--whisker")));
  chart = new globalThis.Chart(canvas, { type: "bar", data: { labels: data.labels, datasets }, options: optionsOf(data), plugins });
}

function setUpTheme() {
  const button = byId("theme");
  if (!button) return;
  const name = () => button.setAttribute("aria-label", `Switch to ${isDark() ? "light" : "dark"} theme`);
  button.hidden = false;
  name();
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try {
      localStorage.setItem("theme", root.dataset.theme);
    } catch {
      // not kept, but applied
    }
    name();
    draw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    name();
    draw();
  });
}

function say(text) {
  const said = byId("said");
  if (said) said.textContent = text;
}

function saveImage() {
  byId("chart").toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = "offgridflow.png";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    say("Image saved");
  }, "image/png");
}

async function copyLink() {
  try {
    await navigator.clipboard.writeText(location.href);
    say("Link copied");
  } catch {
    say("Copy the address of this page");
  }
}

function setUpExport() {
  for (const [id, act] of [["png", saveImage], ["copy", copyLink]]) {
    const button = byId(id);
    if (!button) continue;
    button.hidden = false;
    button.addEventListener("click", act);
  }
}

function setUpForms() {
  for (const form of document.querySelectorAll("form[data-auto]")) {
    form.querySelector("button[type=submit]").classList.add("sr");
    form.addEventListener("change", () => form.requestSubmit());
  }
}

setUpTheme();
setUpExport();
setUpForms();
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", draw);
else draw();
