// Keeps the live page live: fragments of HTML arrive by SSE and are merged into the page, so
// that focus, open dialogs and what a screen reader has announced stay as they are.

const page = document.getElementById("live");
const link = document.getElementById("link");
const address = new URL("/live", location.origin);
address.searchParams.set("lang", page.dataset.language);
address.searchParams.set("page_of", page.dataset.version);
address.searchParams.set("signed_in", page.dataset.signedIn);

function follow() {
  const source = new EventSource(address);
  source.addEventListener("open", () => say("live"));
  source.addEventListener("reload", () => location.reload());
  source.addEventListener("fragments", (message) => {
    say("live");
    for (const [id, html] of Object.entries(JSON.parse(message.data))) put(id, html);
  });
  source.addEventListener("error", () => {
    say("lost");
    if (source.readyState === EventSource.CLOSED) setTimeout(follow, 3000);
  });
  addEventListener("pagehide", () => source.close(), { once: true });
}

function say(state) {
  if (link.dataset.state === state) return;
  link.dataset.state = state;
  link.firstElementChild.textContent = link.dataset[state];
}

function put(id, html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const now = document.getElementById(id);
  const next = template.content.firstElementChild;
  if (now) merge(now, next);
  else document.querySelector(".cards").append(next);
}

function merge(now, next) {
  for (const { name } of [...now.attributes]) {
    if (!next.hasAttribute(name)) now.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (now.getAttribute(name) !== value) now.setAttribute(name, value);
  }
  let place = now.firstChild;
  for (const child of [...next.childNodes]) {
    const same = counterpart(now, place, child);
    if (!same) {
      now.insertBefore(child, place);
      if (child.id) child.classList.add("new");
      continue;
    }
    if (same !== place) now.insertBefore(same, place);
    place = same.nextSibling;
    if (same.nodeType === Node.ELEMENT_NODE) merge(same, child);
    else if (same.data !== child.data) same.data = child.data;
  }
  while (place) {
    const gone = place;
    place = place.nextSibling;
    gone.remove();
  }
}

// What has an id is recognised by it wherever it is; the rest by its place and kind.
function counterpart(parent, place, child) {
  if (child.id) return [...parent.children].find((one) => one.id === child.id);
  const alike = place && place.nodeName === child.nodeName && !place.id;
  return alike ? place : undefined;
}

// --- opening a door from here ----------------------------------------------------------------

const dialog = document.getElementById("unlock");
let door;

function ask(button) {
  door = button.dataset.door;
  dialog.querySelector(".door-name").textContent = button.dataset.name;
  dialog.querySelector("form").reset();
  tell("");
  dialog.showModal();
}

function tell(text, state = "") {
  const outcome = dialog.querySelector(".outcome");
  outcome.textContent = text;
  outcome.dataset.state = state;
}

async function open_() {
  const send = dialog.querySelector(".primary");
  send.disabled = true;
  try {
    await watch(await call(`/api/v1/doors/${door}/unlock`, { reason: dialog.querySelector("#reason").value }));
  } catch (error) {
    tell(error.message || dialog.dataset.failed, "failed");
  } finally {
    send.disabled = false;
  }
}

// The answer waits for an outcome; a door may say "drawn" first and "opened" seconds later.
async function watch(command) {
  for (let tries = 0; tries < 6; tries += 1) {
    tell(dialog.dataset[camel(command.status)], command.status);
    if (command.status !== "sent") return;
    command = await call(`/api/v1/commands/${command.id}?wait=10`);
  }
}

function camel(status) {
  return status.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
}

async function call(path, body) {
  const csrf = document.querySelector("meta[name=csrf]").content;
  const headers = { "Content-Type": "application/json", "X-CSRF-Token": csrf };
  const request = body ? { method: "POST", headers, body: JSON.stringify(body) } : {};
  const response = await fetch(path, request).catch(() => {
    throw new Error(dialog.dataset.failed);
  });
  const answer = await response.json().catch(() => ({})); // a proxy in between answers in HTML
  if (!response.ok || !answer.id) throw new Error(answer.detail || dialog.dataset.failed);
  return answer;
}

if (dialog) {
  page.addEventListener("click", (event) => {
    const button = event.target.closest("button.unlock");
    if (button) ask(button);
  });
  dialog.querySelector("[value=cancel]").addEventListener("click", () => dialog.close());
  dialog.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    open_();
  });
}

follow();
