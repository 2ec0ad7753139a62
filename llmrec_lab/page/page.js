// The live page: sends what you do as events, and shows each slate that the server pushes.
// Titles, labels, and messages are data: they are only ever set as text.

const REST = 400; // milliseconds that a slider has not moved before its weight is sent
const TRIES = 5;
const ANSWERS = [["like", "Like"], ["skip", "Skip"], ["less", "Less like this"]];
const find = (id) => document.getElementById(id);
const pause = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

let stream = null;
let shown = null; // the newest push
let sending = Promise.resolve(); // events leave one after the other, in the order in which they happened

// ---- to the server --------------------------------------------------------------------------------------------------

// Ask until there is an answer that waiting would not change; null if there was none at all.
async function ask(path, options) {
  let answer = null;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    answer = await fetch(path, options).catch(() => null);
    if (answer && answer.status !== 429) return answer;
    trouble("The server did not take that yet; trying again.");
    await pause(Number(answer?.headers.get("Retry-After") ?? 1));
  }
  return answer;
}

// A cookie that no script can read says who we are; who has one keeps it.
const makeUser = () => ask("/users?cookie=true", { method: "POST" });

function send(kind, item_id = "", value = 1) {
  const event_id = Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(16)).join("-");
  const body = JSON.stringify({ event_id, kind, item_id, value }); // sent twice, it is still one event
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body };
  sending = sending.then(async () => {
    let answer = await ask("/events", options);
    if (answer?.status === 401 && (await makeUser())?.ok) answer = await ask("/events", options);
    trouble(answer?.ok ? "" : answer ? (await answer.json()).detail : "The server does not answer; it has not stored that.");
    return answer?.ok ?? false;
  });
  return sending;
}

async function forget() {
  if (!confirm("Delete everything this server knows about you?")) return;
  const answer = await ask("/users/me", { method: "DELETE" });
  trouble(answer?.ok ? "" : "Nothing was deleted; try again.");
  if (answer?.ok) document.querySelectorAll("form").forEach((form) => form.reset());
}

// ---- from the server ------------------------------------------------------------------------------------------------

function listen() {
  if (stream || document.hidden) return;
  stream = new EventSource("/stream");
  stream.onopen = () => trouble("");
  stream.onmessage = (message) => show(JSON.parse(message.data));
  stream.onerror = async () => {
    trouble("The connection is lost; trying again.");
    if (stream?.readyState !== EventSource.CLOSED) return; // the browser opens it again itself
    stop();
    await pause(2);
    await makeUser();
    listen();
  };
}

function stop() {
  stream?.close();
  stream = null;
}

// A browser opens only six connections to a server, so a tab that nobody sees leaves its own to others.
document.addEventListener("visibilitychange", () => (document.hidden ? stop() : listen()));

// ---- on the page ----------------------------------------------------------------------------------------------------

const said = ({ items, interests }) => JSON.stringify([items, interests]);

function show(push) {
  const again = shown?.pending && said(push) === said(shown); // pushed before its event was stored; now it is
  if (!again) redraw(push);
  shown = push;
}

function redraw(push) {
  const focus = focused();
  const before = new Map([...find("slate").children].map((line) => [line.dataset.item, line]));
  find("slate").replaceChildren(...push.items.map((item) => row(item, before.get(item.item_id))));
  find("empty").hidden = push.items.length > 0;
  find("empty").textContent = "Nothing is left: you have judged everything.";
  showSliders(push.interests);
  restore(focus);
  if (shown) announce(push.items);
}

function row(item, before) {
  const line = element("li", {});
  line.dataset.item = item.item_id;
  const title = element("h3", { textContent: item.title });
  if (shown && !before) title.append(element("small", { textContent: "new" }));
  const buttons = ANSWERS.map(([kind, name]) => {
    const button = element("button", { textContent: name, onclick: () => send(kind, item.item_id) });
    button.dataset.kind = kind;
    button.setAttribute("aria-label", `${name}: ${item.title}`);
    return button;
  });
  line.append(title, why(item.reasons, before?.querySelector("details").open), element("div", {}, buttons));
  return line;
}

// The strongest reasons in words; opened, all of them with what each adds to the score.
function why(reasons, open = false) {
  const words = reasons.filter((reason) => reason.value > 0).slice(0, 2).map((reason) => reason.name);
  const parts = reasons.map(({ name, value }) =>
    element("div", {}, [element("dt", { textContent: name }), element("dd", { textContent: value.toFixed(3) })]),
  );
  const summary = element("summary", { textContent: words.join(", ") || "nothing speaks for it yet" });
  return element("details", { open }, [summary, element("dl", {}, parts)]);
}

function showSliders(interests) {
  const there = [...document.querySelectorAll("#sliders input")];
  const same = there.length === interests.length && there.every((range, place) => range.dataset.label === interests[place].label);
  if (!same) find("sliders").replaceChildren(...interests.flatMap(({ label }, place) => slider(label, place)));
  document.querySelectorAll("#sliders input").forEach((range, place) => {
    if (range.dataset.moving) return; // it is in somebody's hand
    range.value = Math.round(interests[place].weight * 100);
    range.disabled = interests.length === 1; // it has nothing to share with
    showPercent(range);
  });
  find("interests").hidden = interests.length === 0;
}

function slider(label, place) {
  const id = `interest-${place}`;
  const range = element("input", { type: "range", id, min: 0, max: 100, step: 1 });
  range.dataset.label = label;
  let resting;
  range.oninput = () => {
    range.dataset.moving = "yes";
    showPercent(range);
    clearTimeout(resting);
    resting = setTimeout(() => {
      delete range.dataset.moving;
      send("weigh", label, range.value / 100);
    }, REST);
  };
  const percent = element("span", { ariaHidden: "true" }); // the slider itself says its value
  return [element("label", { htmlFor: id }, [element("span", { textContent: label }), percent]), range];
}

function showPercent(range) {
  range.labels[0].lastElementChild.textContent = `${range.value}%`;
  range.setAttribute("aria-valuetext", `${range.value}%`);
}

function announce(items) {
  const [first, ...rest] = items.slice(0, 3).map((item) => item.title);
  find("news").textContent = first ? `The list has changed. First ${[first, ...rest].join(", then ")}.` : "The list is empty.";
}

function trouble(text) {
  if (find("trouble").textContent !== text) find("trouble").textContent = text;
}

// ---- focus ----------------------------------------------------------------------------------------------------------

// Where the keyboard is in the list: a new list must not throw it back to the top of the page.
function focused() {
  const active = document.activeElement;
  const line = active?.closest("#slate li");
  const same = active?.dataset.kind ? `[data-kind=${active.dataset.kind}]` : "summary";
  return line && { item: line.dataset.item, place: [...find("slate").children].indexOf(line), same };
}

// To the same item if it is still there, else to the one that took its place.
function restore(focus) {
  if (!focus) return;
  const lines = [...find("slate").children];
  const next = lines.find((line) => line.dataset.item === focus.item) ?? lines[focus.place] ?? lines.at(-1);
  next?.querySelector(focus.same).focus();
}

function element(tag, properties, children = []) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// ---- start ----------------------------------------------------------------------------------------------------------

find("wish").onsubmit = (event) => {
  event.preventDefault();
  send("describe", "", find("words").value);
};
find("remark").onsubmit = async (event) => {
  event.preventDefault();
  if (await send("say", "", find("said").value)) find("remark").reset();
};
find("forget").onclick = forget;
await makeUser();
listen();
