// What a page does beyond its HTML: theme, chart, image, link. Everything works without it but the drawing.

import { draw, imageOf } from "./chart.js";

const root = document.documentElement;
const byId = (id) => document.getElementById(id);
const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
const chartDataOf = (id) => JSON.parse(byId(id).dataset.chart);

function drawChart() {
  const canvas = byId("chart");
  if (canvas && globalThis.Chart) draw(canvas, chartDataOf("chart"));
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
    drawChart();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    name();
    drawChart();
  });
}

function say(text) {
  const said = byId("said");
  if (said) said.textContent = text;
}

async function saveImage(data) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await imageOf(data));
  link.download = `${data.file}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  say("Image saved");
}

async function copyLink(link) {
  try {
    await navigator.clipboard.writeText(new URL(link, location.href).href);
    say("Link copied");
  } catch {
    say("Copy the address of this page");
  }
}

function setUpExport() {
  const copy = byId("copy");
  if (copy) {
    copy.hidden = false;
    copy.addEventListener("click", () => copyLink(copy.dataset.link));
  }
  if (!globalThis.Chart) return;
  for (const button of document.querySelectorAll("button[data-picture]")) {
    button.hidden = false;
    button.addEventListener("click", () => saveImage(chartDataOf(button.dataset.picture)));
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
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", drawChart);
else drawChart();
