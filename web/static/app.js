// Everything works without this script; it only saves steps.
"use strict";

// What happens without a new page is said to those who hear this one.
const hears = document.createElement("div");
hears.setAttribute("role", "status");
hears.className = "hidden";
document.body.append(hears);
function say(text) {
  hears.textContent = "";
  setTimeout(() => { hears.textContent = text; }, 50);
}

// The answer to a form is shown at the address where its page can be opened: reloading it sends nothing again.
if (document.body.dataset.at) history.replaceState(null, "", document.body.dataset.at);

// What the focus can be at.
function reachable(part) {
  const all = part.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]");
  return [...all].filter((e) => e.tabIndex >= 0 && !e.disabled && e.type !== "hidden" &&
    e.checkVisibility({ visibilityProperty: true }));
}

// A part of the page is replaced. Whoever had the focus in it keeps it: at the same thing, or at the one that has come
// to its place.
function replace(old, now) {
  const at = document.activeElement, had = old.contains(at);
  const index = had ? reachable(old).indexOf(at) : -1;
  old.replaceWith(now);
  if (!had) return;
  const all = reachable(now);
  const same = (e) => e.tagName === at.tagName && e.name === at.name && e.value === at.value && e.href === at.href &&
    e.form?.action === at.form?.action;
  const next = (at.name || at.href ? all.find(same) : null) ?? all[Math.min(index, all.length - 1)] ?? now;
  if (next === now) now.tabIndex = -1;
  next.focus();
}

// Copy buttons.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = button.parentElement.querySelector("pre, code").textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    say("Copied");
  } catch {
    const range = document.createRange();
    range.selectNodeContents(button.parentElement.querySelector("pre, code"));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    button.textContent = "Press Ctrl+C";
    say("Selected. Press Ctrl+C to copy.");
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
});

// Times are shown in the reader's zone, which stands beside them.
function localize(part) {
  const two = (n) => String(n).padStart(2, "0");
  for (const time of part.querySelectorAll("time[datetime]:not([title])")) {
    const at = new Date(time.dateTime);
    const zone = Intl.DateTimeFormat(undefined, { timeZoneName: "long" }).formatToParts(at)
      .find((p) => p.type === "timeZoneName").value;
    const seconds = /:\d\d:\d\d/.test(time.textContent) ? ":" + two(at.getSeconds()) : "";
    time.title = `${zone}; ${time.textContent}`;
    time.textContent = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ` +
      `${two(at.getHours())}:${two(at.getMinutes())}${seconds}`;
  }
}
localize(document);

// On a phone the sections lie in a row: it begins where this page is.
document.querySelector(".side [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// Where a letter is typed and is no command.
const typedIn = "input:not([type=checkbox], [type=radio]), textarea, select";

// The slash leads to the search of the page.
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.activeElement.matches(typedIn)) return;
  const box = [...document.querySelectorAll("main input[type=search]")].find((e) => e.checkVisibility());
  if (!box) return;
  event.preventDefault();
  box.focus();
});

// The question mark says which keys there are.
document.addEventListener("keydown", (event) => {
  if (event.key !== "?" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open]")) return;
  if (document.activeElement.matches(typedIn)) return;
  event.preventDefault();
  const keys = [["/", "search this page"], ["?", "this help"], ["Esc", "close this help"]];
  const element = (tag, ...inside) => {
    const made = document.createElement(tag);
    made.append(...inside);
    return made;
  };
  const help = element("dialog", element("h2", "Keys"));
  help.append(element("dl", ...keys.flatMap(([key, does]) => [element("dt", element("kbd", key)), element("dd", does)])));
  const close = element("button", "Close");
  close.addEventListener("click", () => help.close());
  help.append(close);
  help.setAttribute("aria-label", "Keys");
  help.addEventListener("close", () => help.remove());
  document.body.append(help);
  help.showModal();
});

// One box chooses all rows of a list, and one all that the list has. Who takes a row out again means rows.
document.addEventListener("change", ({ target }) => {
  if (!target.matches("[data-all], [data-every], table [name=pick]")) return;
  const boxes = (selector) => target.closest("#list, section").querySelectorAll(selector);
  const all = target.matches("[data-all]"), whole = target.matches("[data-every]");
  if (all) {
    for (const box of target.closest("table").querySelectorAll("tbody [type=checkbox]")) box.checked = target.checked;
  }
  if (whole) for (const box of boxes("[data-all], [name=pick]")) box.checked = target.checked;
  if (!whole && !target.checked) for (const box of boxes("[data-every], [data-all]")) box.checked = false;
});

// Filter boxes narrow the rows or cards of the list that they name.
for (const box of document.querySelectorAll("input[data-filter]")) {
  const rows = document.querySelectorAll(box.dataset.filter);
  box.addEventListener("input", () => {
    const wanted = box.value.toLowerCase();
    for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });
}

// A live form finds while you type: it asks for the page that it would lead to, and takes the part that it names from
// that page.
for (const form of document.querySelectorAll("form[data-live]")) {
  const box = form.querySelector("input[type=search]");
  let latest = 0;
  const find = async () => {
    const mine = ++latest;
    const address = new URL(form.action);
    address.search = new URLSearchParams(new FormData(form));
    if (address.href === location.href) return; // it is there: a click elsewhere leaves the field, and changes nothing
    const answer = await fetch(address);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (mine !== latest || !answer.ok) return;
    const now = document.adoptNode(page.querySelector(form.dataset.live));
    localize(now);
    replace(document.querySelector(form.dataset.live), now);
    history.replaceState(null, "", address);
    showStars();
  };
  let waiting;
  form.addEventListener("change", find);
  box.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(find, 80); });
  form.addEventListener("submit", (event) => {
    if (event.submitter?.name) return; // it leads further
    event.preventDefault();
    find();
  });
}

// Favorite and recent roles of the portal are kept in this browser only, as account/role with the words to show.
const kept = (name) => { try { return JSON.parse(localStorage.getItem(name)) ?? []; } catch { return []; } };
const keep = (name, list) => localStorage.setItem(name, JSON.stringify(list));
const maxRecent = 5;

function showStars() {
  const favourites = kept("favourites");
  for (const button of document.querySelectorAll("[data-star]")) {
    const on = favourites.some((f) => f.role === button.closest("[data-role]").dataset.role);
    button.hidden = false;
    button.setAttribute("aria-pressed", on);
    button.textContent = on ? "★" : "☆";
  }
  const box = document.querySelector("[data-kept]");
  if (!box) return;
  const all = [...favourites, ...kept("recent").filter((r) => !favourites.some((f) => f.role === r.role))];
  box.hidden = all.length === 0;
  box.querySelector("ul").replaceChildren(...all.map(({ role, label }) => {
    const [account, name] = role.split("/");
    const tags = ["li", "span", "a", "form", "button"];
    const [item, words, open, form, keys] = tags.map((tag) => document.createElement(tag));
    words.textContent = (favourites.some((f) => f.role === role) ? "★ " : "") + label;
    open.className = "button quiet";
    open.textContent = "Console";
    open.href = "/start/console?" + new URLSearchParams({ account_id: account, role_name: name });
    open.setAttribute("aria-label", "Console: " + label);
    form.method = "post";
    form.action = `/start/accounts/${encodeURIComponent(account)}/roles/${encodeURIComponent(name)}/credentials`;
    keys.className = "quiet";
    keys.textContent = "Access keys";
    keys.setAttribute("aria-label", "Access keys for " + label);
    form.append(keys);
    const actions = document.createElement("div");
    actions.className = "actions end";
    actions.append(open, form);
    item.append(words, actions);
    return item;
  }));
}
showStars();

document.addEventListener("click", (event) => {
  const row = event.target.closest("[data-role]");
  if (!row) return;
  const { role, label } = row.dataset;
  const others = (name) => kept(name).filter((r) => r.role !== role);
  if (event.target.closest("[data-star]")) {
    const was = kept("favourites").length, left = others("favourites");
    keep("favourites", left.length < was ? left : [...left, { role, label }]);
    showStars();
  } else if (event.target.closest("a, button")) {
    keep("recent", [{ role, label }, ...others("recent")].slice(0, maxRecent));
  }
});

// The portal's entrance, and its first page. Shortcut links have AWS's form, with the role behind a number sign, which
// servers never see. Where the page is open already, a link changes only what stands there.
const entrance = document.querySelector("[data-entrance]");
function enter() {
  const { entrance: role, otherwise } = entrance.dataset;
  const wanted = location.hash.startsWith("#/console?") ? role + location.hash.slice("#/console".length) : otherwise;
  if (wanted) location.replace(wanted);
}
if (entrance) {
  enter();
  addEventListener("hashchange", enter);
}

// A form that only carries a message to another site is sent at once; without a script its button does it.
for (const form of document.querySelectorAll("form[data-auto]")) form.submit();

// A button that only asks leaves its form as it is, with what pages never show again, and puts the answer above it.
document.addEventListener("submit", async (event) => {
  const { target: form, submitter } = event;
  if (submitter?.dataset.stay === undefined) return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form, submitter));
  submitter.disabled = true;
  const answer = await fetch(form.getAttribute("action"), { method: "POST", body }).catch(() => null);
  submitter.disabled = false;
  const page = answer && new DOMParser().parseFromString(await answer.text(), "text/html");
  const said = page?.querySelector("form > .flash") ?? document.createElement("div");
  if (!said.textContent) {
    said.className = "flash bad";
    said.setAttribute("role", "alert");
    said.textContent = "There was no answer. Try again.";
  }
  said.tabIndex = -1;
  form.querySelector(":scope > .flash")?.remove();
  form.prepend(document.adoptNode(said));
  said.focus();
});

// Whoever presses a button twice means it once.
const twice = 2000;
document.addEventListener("submit", (event) => {
  const { target: form, submitter } = event;
  if (event.defaultPrevented || (submitter?.getAttribute("formmethod") ?? form.method) !== "post") return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
  setTimeout(() => { delete form.dataset.sent; }, twice);
});

// What is shown once is gone when somebody comes back to its page, also out of the memory of the browser.
addEventListener("pageshow", (event) => {
  if (event.persisted && document.querySelector("[data-once]")) location.replace(location.href);
});

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

// A page that shows work in progress is fetched again while it is visible. Only its live parts are replaced: a form
// beside them keeps what you type.
function renew(page) {
  for (const old of document.querySelectorAll("[data-live]")) {
    const now = page.getElementById(old.id);
    if (now) localize(now);
    if (!now || old.isEqualNode(now)) continue;
    if (old.querySelector("details[open], :active")) continue; // somebody reads or presses there
    replace(old, now);
  }
}

async function watch() {
  const part = document.querySelector("[data-refresh]");
  if (!part) return;
  await new Promise((resolve) => setTimeout(resolve, Number(part.dataset.refresh) * 1000));
  if (!document.hidden) {
    try {
      renew(new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html"));
    } catch { /* not reachable at the moment */ }
  }
  watch();
}
watch();

// Security keys: a form with data-key asks the browser for one, with the options in data-options, and sends what it
// answered.
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (buffer) => {
  const base64 = btoa(String.fromCharCode(...new Uint8Array(buffer)));
  return base64.replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
};

async function askForKey(form) {
  const options = JSON.parse(form.dataset.options);
  options.challenge = bytes(options.challenge);
  for (const list of [options.excludeCredentials, options.allowCredentials]) {
    for (const c of list ?? []) c.id = bytes(c.id);
  }
  if (options.user) options.user.id = bytes(options.user.id);
  const asked = { publicKey: options };
  const { credentials } = navigator;
  const key = await (form.dataset.key === "create" ? credentials.create(asked) : credentials.get(asked));
  const response = {};
  for (const part of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (key.response[part]) response[part] = text(key.response[part]);
  }
  if (key.response.getTransports) response.transports = key.response.getTransports();
  const clientExtensionResults = key.getClientExtensionResults();
  return JSON.stringify({ id: key.id, rawId: text(key.rawId), type: key.type, response, clientExtensionResults });
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
      problem.textContent = "The key was not used: it is not registered, is already registered, or took too long. " +
        "Try again.";
    }
  });
}
