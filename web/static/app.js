// Everything works without this script; it only saves steps.
"use strict";

// Copy buttons.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = button.parentElement.querySelector("pre, code").textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    const range = document.createRange();
    range.selectNodeContents(button.parentElement.querySelector("pre, code"));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    button.textContent = "Press Ctrl+C";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
});

// Filter boxes narrow the rows or cards of the list that they name.
for (const box of document.querySelectorAll("input[data-filter]")) {
  const rows = document.querySelectorAll(box.dataset.filter);
  box.addEventListener("input", () => {
    const wanted = box.value.toLowerCase();
    for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });
}

// A form that only carries a message to another site is sent at once; without a script its button does it.
for (const form of document.querySelectorAll("form[data-auto]")) form.submit();

// A page that watches something in progress looks again while it is visible.
const watch = document.querySelector("[data-refresh]");
if (watch) setInterval(() => { if (!document.hidden) location.reload(); }, Number(watch.dataset.refresh) * 1000);
