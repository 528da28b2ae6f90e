// Decides what the keyboard does, and that notes of origin stay inside the window.

const KEYS_OFF = "roundview.single-keys-off";
const find = (id) => document.getElementById(id);

export function listenToKeys(refetch) {
  const actions = {
    "/": focusSearch,
    "?": () => find("help").showModal(),
    j: () => step(1),
    k: () => step(-1),
    r: refetch,
  };
  find("help-open").addEventListener("click", actions["?"]);
  find("single-keys").checked = !keysAreOff();
  find("single-keys").addEventListener("change", (event) => storeKeys(!event.target.checked));
  document.addEventListener("keydown", (event) => onKey(event, actions));
  document.addEventListener("focusin", placeOrigin);
}

function onKey(event, actions) {
  if (event.key === "Escape") closeOrigin();
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || document.querySelector("dialog[open]")) return;
  if (keysAreOff() || event.target.closest("input, select, textarea")) return;
  const action = actions[event.key] || (/^[1-6]$/.test(event.key) && (() => goToPanel(Number(event.key) - 1)));
  if (!action) return;
  event.preventDefault();
  action();
}

function focusSearch() {
  find("value").focus();
  find("value").select();
}

function step(by) {
  const all = [...document.querySelectorAll("#timeline .event-summary")];
  if (!all.length) return;
  const at = all.indexOf(document.activeElement);
  const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

function goToPanel(at) {
  const heading = document.querySelectorAll("#panels .panel-head h2")[at];
  if (!heading) return;
  heading.focus({ preventScroll: true });
  heading.closest(".panel").scrollIntoView({ block: "start" });
}

function keysAreOff() {
  try {
    return localStorage.getItem(KEYS_OFF) === "1";
  } catch {
    return !find("single-keys").checked;
  }
}

function storeKeys(off) {
  try {
    if (off) localStorage.setItem(KEYS_OFF, "1");
    else localStorage.removeItem(KEYS_OFF);
  } catch {
    // Without storage the choice holds for this page: the check box keeps it.
  }
}

// A note of origin opens to the left near the right edge.
function placeOrigin(event) {
  const wrap = event.target.closest(".value-wrap");
  document.querySelectorAll(".value-wrap.is-closed").forEach((node) => node.classList.remove("is-closed"));
  if (!wrap) return;
  wrap.classList.toggle("is-left", wrap.getBoundingClientRect().left > window.innerWidth - 340);
}

function closeOrigin() {
  const wrap = document.activeElement.closest(".value-wrap");
  if (wrap) wrap.classList.add("is-closed");
}
