// Before the first paint: the theme that was chosen here, else the system's.
"use strict";
(() => {
  try {
    const chosen = localStorage.getItem("theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch {
    // storage is closed in some browsers; the system's theme stands
  }
})();
