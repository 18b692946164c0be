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

// Security keys: a form with data-key asks the browser for one, with the options in data-options, and sends what it answered.
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

async function askForKey(form) {
  const options = JSON.parse(form.dataset.options);
  options.challenge = bytes(options.challenge);
  for (const list of [options.excludeCredentials, options.allowCredentials]) for (const c of list ?? []) c.id = bytes(c.id);
  if (options.user) options.user.id = bytes(options.user.id);
  const key = form.dataset.key === "create" ? await navigator.credentials.create({ publicKey: options }) : await navigator.credentials.get({ publicKey: options });
  const response = {};
  for (const part of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) if (key.response[part]) response[part] = text(key.response[part]);
  if (key.response.getTransports) response.transports = key.response.getTransports();
  return JSON.stringify({ id: key.id, rawId: text(key.rawId), type: key.type, response, clientExtensionResults: key.getClientExtensionResults() });
}

for (const form of document.querySelectorAll("form[data-key]")) {
  form.hidden = false;
  const problem = form.querySelector("[role=alert]");
  if (!window.PublicKeyCredential) {
    problem.textContent = "This browser does not support security keys.";
    form.querySelector("button").disabled = true;
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.textContent = "";
    try {
      form.elements.response.value = await askForKey(form);
      form.submit();
    } catch {
      problem.textContent = "The key was not used: it is not registered, it is registered already, or the time was up. Try again.";
    }
  });
}
