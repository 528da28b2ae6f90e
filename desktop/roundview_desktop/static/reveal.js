// Decides how a masked value is shown: for a reason, for a while, then masked again.
import { h, replace } from "./dom.js";
import * as format from "./format.js";
import { callDocument } from "./session.js";
import { recordId } from "./view.js";

const TICK_MS = 1000;
const SHORTEST_REASON = 5;
const find = (id) => document.getElementById(id);

// masked field -> {until, values: record -> text}; nothing of it outlives the customer shown.
const revealed = new Map();
const asking = { documentId: "", customerId: "", timer: 0 };

export function forgetRevealed(documentId = "", customerId = "") {
  if (customerId !== asking.customerId || documentId !== asking.documentId) revealed.clear();
  Object.assign(asking, { documentId, customerId });
}

// A masked value of one record with the button that reveals it; `record` is a row, or its origin.
export function maskedValue(shown, field, record) {
  const node = h("span", { class: "masked", "data-masked": field.masked, "data-of": recordId(record) });
  node.field = field;
  node.shown = shown;
  fill(node);
  return node;
}

function fill(node) {
  const known = revealed.get(node.dataset.masked);
  const text = known && valueOf(known, node.dataset.of);
  if (!known) {
    replace(node, h("span", { class: "masked-value" }, node.shown), h("button", {
      class: "reveal", type: "button", "aria-label": `Reveal: ${node.field.label}`, onclick: () => reveal(node.field),
    }, "Reveal"));
    return;
  }
  replace(node, h("span", { class: "revealed-value" }, text ? format.fieldText(text, node.field, {}) : "not known here"),
    h("span", { class: "countdown", "data-until": known.until }, left(known.until)),
    h("button", { class: "reveal", type: "button", "aria-label": `Hide: ${node.field.label}`, onclick: () => hide(node.dataset.masked) }, "Hide"));
}

// A record of which no slot is named stands for its first.
function valueOf(known, record) {
  if (known.values.has(record)) return known.values.get(record);
  const first = [...known.values.keys()].find((key) => key.startsWith(`${record}/`));
  return first === undefined ? undefined : known.values.get(first);
}

async function reveal(field) {
  const { customerId } = asking;
  const reason = await askReason(`Reveal: ${field.label}`, "It is shown for some minutes. That you saw it, and why, goes on record.", "Reveal");
  if (!reason || customerId !== asking.customerId) return;
  const problem = await fetchValues(field, reason);
  if (customerId !== asking.customerId) return;
  say(problem || `${field.label} is shown until the countdown ends.`);
  if (problem) return;
  refresh(field.masked);
  const shown = document.querySelector(`[data-masked="${CSS.escape(field.masked)}"] .reveal`);
  if (shown) shown.focus();
  asking.timer = asking.timer || setInterval(tick, TICK_MS);
}

// Returns what went wrong, as text.
async function fetchValues(field, reason) {
  let response;
  let answer;
  try {
    const variables = { by: { customerId: asking.customerId }, field: field.masked, reason };
    ({ answer, response } = await callDocument(asking.documentId, variables));
  } catch {
    return "Not revealed: Roundview does not answer.";
  }
  const told = answer.data && answer.data.reveal;
  if (!told) {
    const [error] = answer.errors || [];
    return `Not revealed: ${error ? error.message : "nothing is known of it"}.`;
  }
  // By the server's clock, whatever the time is here.
  const now = Date.parse(response.headers.get("date")) || Date.now();
  const until = Date.now() + Math.max(0, Date.parse(told.expiresAt) - now);
  revealed.set(field.masked, { until, values: new Map(told.values.map((one) => [recordId(one), one.value])) });
  return "";
}

function tick() {
  for (const [masked, { until }] of [...revealed]) if (until <= Date.now()) hide(masked);
  for (const node of document.querySelectorAll(".countdown[data-until]")) node.textContent = left(Number(node.dataset.until));
  if (!revealed.size) {
    clearInterval(asking.timer);
    asking.timer = 0;
  }
}

function hide(masked) {
  revealed.delete(masked);
  refresh(masked);
}

function refresh(masked) {
  document.querySelectorAll(`[data-masked="${CSS.escape(masked)}"]`).forEach(fill);
}

export function left(until) {
  const seconds = Math.max(0, Math.ceil((until - Date.now()) / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

// Asks in a dialog why something is done; null where it is not done after all.
export function askReason(title, text, action) {
  const dialog = find("why");
  find("why-title").textContent = title;
  find("why-text").textContent = text;
  find("why-do").textContent = action;
  find("reason").value = "";
  find("why-problem").hidden = true;
  dialog.showModal();
  find("reason").focus();
  return new Promise((resolve) => {
    const submit = (event) => {
      event.preventDefault();
      const reason = find("reason").value.trim();
      find("why-problem").hidden = reason.length >= SHORTEST_REASON;
      if (reason.length >= SHORTEST_REASON) dialog.close(reason);
    };
    find("why-form").addEventListener("submit", submit);
    dialog.addEventListener("close", () => {
      find("why-form").removeEventListener("submit", submit);
      resolve(dialog.returnValue || null);
      dialog.returnValue = "";
    }, { once: true });
  });
}

function say(text) {
  find("status").textContent = text;
  find("said").textContent = text;
}
