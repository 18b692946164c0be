// The page that leads a person through what has no API. The link's secret stands behind a number sign, which browsers
// send to nobody; it is traded once for a session. That is kept where only pages of this address and port can read it,
// which a cookie is not, and is sent in a header.
const $ = (id) => document.getElementById(id);
const kept = () => { try { return JSON.parse(localStorage.getItem("session")); } catch { return null; } };

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

class Refused extends Error {
  constructor(status, text) { super(text); this.status = status; }
}

async function ask(path, options = {}) {
  const answer = await fetch(path, {
    ...options, cache: "no-store", headers: { Authorization: "Bearer " + (kept()?.session ?? "") },
  });
  if (!answer.ok) throw new Refused(answer.status, await answer.text());
  return answer;
}

// state also has the program prove that it is the one that the session was made with: when it has ended, a program of
// somebody else's may listen at its port.
async function state(after) {
  const now = await (await ask("/state?after=" + after)).json();
  if (!now.proof || now.proof !== kept()?.proof) throw new Refused(410, "another program");
  return now;
}

function only(title, text, bad) {
  $("title").textContent = title;
  $("why").textContent = text;
  $("why").hidden = false;
  $("todo").hidden = true;
  $("wants").replaceChildren();
  say("", false);
  document.title = title + " · Gatehouse";
  $("step").classList.toggle("dim", Boolean(bad));
}

function say(text, busy) {
  if ($("said").textContent !== text) $("said").textContent = text;
  $("said").classList.toggle("busy", busy);
}

// A text of the console's menus, such as Actions > Change identity source.
function words(text) {
  const parts = text.split(" > ");
  return parts.length < 2 ? [text] : parts.flatMap((part, i) => (i ? [" › ", part] : [part]));
}

function copier(word) {
  const button = make("button", { type: "button", className: "quiet", textContent: "Copy " + word, id: "copy" });
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(word);
      button.textContent = "Copied " + word;
    } catch {
      button.textContent = "Type " + word;
    }
    setTimeout(() => { button.textContent = "Copy " + word; }, 3000);
  });
  return button;
}

function offered(name) {
  const button = make("button", { type: "button", textContent: "Download " + name, id: "offer" });
  button.addEventListener("click", async () => {
    try {
      const address = URL.createObjectURL(await (await ask("/offer")).blob());
      make("a", { href: address, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(address), 60000);
    } catch (error) {
      lost(error);
    }
  });
  return button;
}

function steps(task) {
  const list = [];
  if (task.link) {
    const open = make("a", {
      className: "button", href: task.link, target: "_blank", rel: "noopener noreferrer", id: "link",
      textContent: "Open the page ↗",
    });
    list.push(make("li", {}, make("span", { className: "hand" }, open, new URL(task.link).host)));
  }
  if (task.offer) list.push(make("li", {}, make("span", { className: "hand" }, offered(task.offer))));
  let copied = !task.copy;
  for (const click of task.clicks) {
    const item = make("li", {}, ...words(click));
    if (!copied && click.includes(task.copy)) {
      item.append(" ", copier(task.copy));
      copied = true;
    }
    list.push(item);
  }
  if (!copied) list.push(make("li", {}, copier(task.copy)));
  return list;
}

// send hands a value over. What becomes of it comes with the state.
async function send(want, value, name = "") {
  const box = $("want-" + want.name);
  const before = document.activeElement;
  for (const field of box.querySelectorAll("input, textarea, button")) field.disabled = true;
  say("Checking what you brought …", true);
  try {
    await state(-1); // the program that asked is there
    await ask("/wants/" + encodeURIComponent(want.name) + "?file=" + encodeURIComponent(name), {
      method: "POST", body: value,
    });
  } catch (error) {
    if (error.status !== 409 && error.status !== 413) return lost(error);
    say(error.message, false);
  } finally {
    for (const field of box.querySelectorAll("input, textarea, button")) field.disabled = false;
    for (const field of box.querySelectorAll("input, textarea")) field.value = "";
    // Whoever uses the keyboard goes on where they were, unless they have gone on already.
    if (box.contains(before) && document.activeElement === document.body) before.focus();
  }
}

function pasted(want) {
  const field = want.file
    ? make("textarea", { rows: 2 })
    : make("input", { type: want.hidden ? "password" : "text" });
  Object.assign(field, { id: "field-" + want.name, name: want.name, autocomplete: "off", spellcheck: false });
  field.autocapitalize = "off";
  field.addEventListener("paste", (event) => { // it does not get into the page at all
    const text = event.clipboardData.getData("text");
    if (!text.trim()) return;
    event.preventDefault();
    send(want, text);
  });
  const form = make("form", {}, make("label", { htmlFor: field.id }, want.label, field));
  form.append(make("button", { className: "quiet", textContent: "Check what I typed" }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (field.value.trim()) send(want, field.value);
  });
  return form;
}

function dropped(want) {
  const choose = make("input", { type: "file", id: "file-" + want.name });
  choose.setAttribute("aria-label", want.label + ": choose the file");
  choose.addEventListener("change", () => { if (choose.files[0]) hand(want, choose.files[0]); });
  const text = want.folder
    ? `When you download the file, it is taken from your folder ${want.folder} by itself. Or drop it on this page:`
    : "Drop the file anywhere on this page, or choose it:";
  return make("div", { className: "drop" }, text, choose);
}

const largest = 1 << 20;

function hand(want, file) {
  if (file.size > largest) say(file.name + " is larger than the file could be.", false);
  else send(want, file, file.name);
}

let showing = { task: null, version: -1 };

function wanted(want, before) {
  let box = $("want-" + want.name);
  if (!box || !before) {
    box = make("div", { className: "want", id: "want-" + want.name });
    const open = make("div", { className: "open" });
    if (want.file) open.append(dropped(want));
    open.append(pasted(want));
    const result = make("div", { className: "result", ariaLive: "polite" });
    result.setAttribute("role", "status");
    box.append(open, result);
  }
  const result = box.querySelector(".result");
  const taken = want.taken ? want.label + (want.from ? ": " + want.from : "") + ", checked" : "";
  const text = want.problem || want.more || taken;
  if (result.textContent !== text) {
    const kind = want.problem ? "flash bad" : want.more ? "flash" : "taken";
    result.replaceChildren(text && make("p", { className: kind, textContent: text }));
  }

  box.querySelector(".open").hidden = want.taken && !want.problem;
  return box;
}

function show(now) {
  $("done").hidden = now.done.length === 0;
  $("done").replaceChildren(...now.done.map((title) => make("li", { textContent: title })));
  $("step").classList.remove("dim");
  if (now.closing) {
    only(now.closing.title, "", now.closing.bad);
    $("why").hidden = true;
    $("wants").replaceChildren(...now.closing.lines.map((line) => make("p", { textContent: line })));
    showing.task = null;
    $("title").focus();
    return;
  }
  const { task } = now;
  if (!task) {
    only("Gatehouse is at work", "The next step comes here by itself. The terminal says what is being done.");
    say("Working …", true);
    showing.task = null;
    return;
  }
  const same = showing.task?.title === task.title;
  if (!same) {
    $("title").textContent = task.title;
    document.title = task.title + " · Gatehouse";
    $("why").textContent = task.why;
    $("why").hidden = !task.why;
    $("todo").hidden = false;
    $("todo").replaceChildren(...steps(task));
  }
  const boxes = task.wants.map((want) => wanted(want, same));
  if (!same) {
    $("wants").replaceChildren(...boxes);
    $("title").focus();
  }
  showing.task = task;
  const missing = task.wants.filter((want) => !want.taken).length;
  say(task.problem || (missing ? "Waiting for you. Nothing is lost if you close this page." :
    "Waiting for the proof that it is done. This goes on by itself."), !task.problem);
}

// A file that is dropped anywhere is for the want that takes one.
document.addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dropping"); });
document.addEventListener("dragleave", () => document.body.classList.remove("dropping"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  const want = showing.task?.wants.find((w) => w.file && !w.taken) ?? showing.task?.wants.find((w) => w.file);
  const [file] = event.dataTransfer.files;
  if (want && file) hand(want, file);
});

let ended = false;

function lost(error) {
  if (error.status === 401 || error.status === 403) {
    ended = true;
    only("Open the link that the terminal shows",
      "This page is for one browser, and this is not it, or a newer link is open elsewhere.", true);
  } else if (error.status === 410 || error.status === 421) {
    ended = true;
    only("The command has ended",
      "The terminal says how. If it is not complete, run it again: it goes on where it was.", true);
  }
}

async function begin() {
  const secret = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  if (secret) {
    try { // a browser that is in keeps its session, and the link stays good for another
      if (!kept()) throw new Refused(401, "");
      await state(-1);
    } catch {
      const answer = await fetch("/session", { method: "POST", body: secret });
      if (!answer.ok) return lost(new Refused(answer.status, ""));
      localStorage.setItem("session", JSON.stringify(await answer.json()));
    }
  }
  let failures = 0;
  while (!ended) {
    try {
      const now = await state(showing.version);
      failures = 0;
      showing.version = now.version;
      show(now);
      ended = Boolean(now.closing);
    } catch (error) {
      lost(error);
      if (error.status) showing.version = -1;
      if (++failures > 3) lost(new Refused(410, ""));
      await new Promise((resolve) => setTimeout(resolve, 500 * failures));
    }
  }
}
addEventListener("hashchange", () => location.reload()); // another link, in the same tab
begin();
