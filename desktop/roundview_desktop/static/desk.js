// Decides what happens: search, screen pop, one / several / none, keys, refetch.
import { h, icon, replace } from "./dom.js";
import * as format from "./format.js";
import { renderHeader } from "./header.js";
import { listenToKeys } from "./keys.js";
import { LONGEST, StaleDocument, Unreachable, ask, clean, codeOf, errorOf, fromAddress, guess } from "./lookup.js";
import { renderPanels } from "./panels.js";
import { renderTimeline } from "./timeline.js";
import { makeView } from "./view.js";

const POLL_MS = 15000;
const find = (id) => document.getElementById(id);

const desk = {
  settings: JSON.parse(document.querySelector('meta[name="roundview-settings"]').content),
  etag: "",
  asked: null, // {kind, value} of what is shown
  running: null, // AbortController of the current question
  filters: newFilters(),
};

start();

function start() {
  fillKinds();
  find("search").addEventListener("submit", (event) => {
    event.preventDefault();
    searchFor(find("value").value, find("kind").value);
  });
  find("value").addEventListener("input", showGuess);
  find("kind").addEventListener("change", showGuess);
  find("refetch").addEventListener("click", refetch);
  listenToKeys(refetch);
  document.addEventListener("click", onClick);
  window.addEventListener("popstate", openAddress);
  openAddress();
  setInterval(() => document.hidden || adoptSettings(), POLL_MS);
}

function openAddress() {
  const by = fromAddress(location.search, desk.settings.kinds);
  if (!by) {
    setState("idle");
    renderSources([]);
    find("value").focus();
    return;
  }
  if (by.kind !== "customer_id") find("value").value = by.value;
  open(by);
}

function fillKinds() {
  const { kinds, principal } = desk.settings;
  const chosen = find("kind").value;
  replace(find("kind"), h("option", { value: "" }, "Anything"), kinds.map((kind) => h("option", { value: kind.name }, kind.label)));
  find("kind").value = chosen;
  find("principal").textContent = principal ? `as ${principal}` : "";
  replace(find("examples"), kinds.filter((kind) => kind.name !== "customer_id").slice(0, 8).map((kind) => h("li", { title: kind.comment }, kind.label)));
}

function kindLabel(name) {
  const kind = desk.settings.kinds.find((one) => one.name === name);
  return kind ? kind.label : name;
}

function showGuess() {
  const text = find("value").value;
  if (!clean(text) || find("kind").value) {
    find("guess").textContent = "";
    return;
  }
  const { groups } = guess(text, desk.settings.kinds);
  const first = groups[0] || [];
  find("guess").textContent = first.length ? `Looks like: ${first.map(kindLabel).join(", ").toLowerCase()}` : "";
}

// -- asking ------------------------------------------------------------------------------------

async function searchFor(text, kind) {
  const value = clean(text);
  find("guess").textContent = "";
  if (!value) {
    say("Type something to search for.");
    find("value").focus();
    return;
  }
  if (value.length > LONGEST) return showNotice("bad", "That is too long to be an identifier", "Check what was typed.");
  if (kind) return open({ kind, value });
  const guessed = guess(value, desk.settings.kinds);
  const [first] = guessed.groups;
  if (guessed.groups.length === 1 && first.length === 1) return open({ kind: first[0], value: guessed.value });
  await tryKinds(guessed);
}

// Asks every kind of a group at once. Two different people are a question for the agent.
async function tryKinds({ value, groups }) {
  const controller = begin(value);
  const lacking = new Map();
  let refusal = null;
  let accepted = false;
  try {
    for (const group of groups) {
      const answers = await Promise.all(group.map((kind) => send("find", { kind, value }, controller.signal)));
      const people = new Map();
      answers.forEach((answer, at) => {
        const kind = group[at];
        if (!answer.hasData) {
          refusal = refusal || answer.errors[0];
          return;
        }
        accepted = true;
        answer.sources.forEach((source) => source.status === "failed" && lacking.set(source.name, source));
        if (answer.customer) people.set(answer.customer.customerId, { kind, value, hint: answer.customer.fullName });
        const ambiguous = errorOf(answer, "IDENTITY_AMBIGUOUS");
        if (ambiguous) candidatesOf(ambiguous).forEach((one) => people.set(one.customerId, { kind: "customer_id", value: one.customerId, hint: one.hint, from: kind }));
        const unlinked = errorOf(answer, "IDENTITY_UNLINKED");
        if (unlinked) refusal = unlinked;
      });
      const found = [...people.entries()];
      if (found.length === 1 && found[0][1].from === undefined) return open(found[0][1]);
      if (found.length) return showSeveral(found.map(([customerId, one]) => ({ customerId, hint: one.hint, kind: one.from || one.kind })));
    }
  } catch (error) {
    return failed(error, () => tryKinds({ value, groups }));
  }
  if (refusal && codeOf(refusal) === "IDENTITY_UNLINKED") return showUnlinked(refusal);
  if (!accepted && refusal) return showRefusal(refusal);
  showNone(value, groups.flat(), [...lacking.values()]);
}

async function open(by, quiet = false) {
  const controller = begin(by.value, quiet);
  let answer;
  try {
    answer = await send("view", by, controller.signal);
  } catch (error) {
    if (quiet && error instanceof Unreachable) return keepShown();
    return failed(error, () => open(by));
  }
  renderSources(answer.sources, answer.ms);
  const ambiguous = errorOf(answer, "IDENTITY_AMBIGUOUS");
  const unlinked = errorOf(answer, "IDENTITY_UNLINKED");
  if (answer.customer) return showCustomer(by, answer, quiet);
  if (ambiguous) return showSeveral(candidatesOf(ambiguous).map((one) => ({ ...one, kind: by.kind })));
  if (unlinked) return showUnlinked(unlinked);
  if (answer.errors.length) return showRefusal(answer.errors[0]);
  showNone(by.value, [by.kind], answer.sources.filter((source) => source.status === "failed"));
}

// A document is unknown after the catalog changed: take the new one and ask once more.
async function send(document, by, signal) {
  const variables = () => {
    const kind = desk.settings.kinds.find((one) => one.name === by.kind);
    return { [kind ? kind.key : by.kind]: by.value };
  };
  try {
    return await ask(desk.settings.documents[document], variables(), signal);
  } catch (error) {
    if (!(error instanceof StaleDocument)) throw error;
    await adoptSettings(true);
    return ask(desk.settings.documents[document], variables(), signal);
  }
}

function candidatesOf(error) {
  return ((error.extensions && error.extensions.candidates) || []).filter((one) => one && one.customerId);
}

function begin(value, quiet = false) {
  if (desk.running) desk.running.abort();
  desk.running = new AbortController();
  find("main").setAttribute("aria-busy", "true");
  if (!quiet) {
    setState("loading");
    renderSources(null);
    say("Asking all systems.");
  }
  return desk.running;
}

function failed(error, again) {
  if (error.name === "AbortError") return;
  renderSources([]);
  const text = error instanceof Unreachable ? "Roundview does not answer" : "This page is out of date";
  showNotice("bad", text, error instanceof Unreachable ? "Nothing is known about the caller yet. Check the connection, then try again." : "Reload it.", again);
}

function keepShown() {
  find("main").removeAttribute("aria-busy");
  find("timing").textContent = "not refreshed: Roundview does not answer";
  say("Not refreshed: Roundview does not answer. What is shown is from before.");
}

async function refetch() {
  if (!desk.asked) return;
  say("Asking all systems again.");
  await open(desk.asked, true);
}

async function adoptSettings(isNeeded = false) {
  let response;
  try {
    response = await fetch("/desk/context", { headers: desk.etag ? { "if-none-match": desk.etag } : {} });
  } catch {
    return;
  }
  if (response.status !== 200) return;
  const settings = await response.json();
  desk.etag = response.headers.get("etag") || "";
  if (settings.documents.view === desk.settings.documents.view) return;
  desk.settings = settings;
  fillKinds();
  if (desk.asked && !isNeeded) {
    say("The catalog changed. Asking all systems again.");
    await open(desk.asked, true);
  }
}

// -- showing -----------------------------------------------------------------------------------

function setState(state) {
  document.body.dataset.state = state;
  find("customer").hidden = state !== "customer";
  find("notice").hidden = state !== "notice";
  find("refetch").hidden = state !== "customer";
  if (state !== "loading") find("main").removeAttribute("aria-busy");
  if (state !== "customer" && state !== "loading") document.title = "Roundview desk";
}

function showCustomer(by, answer, quiet) {
  const view = makeView(desk.settings, answer);
  const isSame = desk.asked && desk.customerId === view.customer.customerId;
  const kept = quiet && isSame ? remember() : null;
  if (!isSame) desk.filters = newFilters();
  desk.asked = by;
  desk.customerId = view.customer.customerId;
  renderHeader(find("head"), view);
  renderTimeline(find("timeline"), view, desk.filters);
  renderPanels(find("panels"), view);
  setState("customer");
  const name = view.customer.fullName || "Customer";
  // A title cannot isolate text, so marks that reverse it are left out.
  const plain = name.replace(/[\u202a-\u202e\u2066-\u2069]/g, "").slice(0, 120);
  document.title = `${plain} · Roundview desk`;
  // The address names the customer by our own id: no phone number stays in the history.
  if (view.customer.customerId) {
    const address = `/desk?customer_id=${encodeURIComponent(view.customer.customerId)}`;
    if (location.pathname + location.search !== address) history.replaceState(null, "", address);
  }
  if (kept) restore(kept);
  else {
    find("name").focus();
    window.scrollTo(0, 0);
  }
  say(`${name} found. ${sourcesText(view, answer.sources)}`);
}

function sourcesText(view, sources) {
  const broken = sources.filter((source) => source.status !== "ok");
  if (!broken.length) return `All ${sources.length} systems answered.`;
  return `${sources.length - broken.length} of ${sources.length} systems answered in full. ${broken.map((source) => `${view.title(source.name)}: ${source.reason || source.status}`).join(". ")}.`;
}

function showSeveral(candidates) {
  desk.asked = null;
  replace(find("notice"),
    h("h1", { id: "notice-title", tabindex: "-1" }, `${format.plural(candidates.length, "customer")} match`),
    h("p", {}, "Ask the caller for something that tells them apart, then choose. Nobody is opened by a guess."),
    h("ul", { class: "candidates" }, candidates.map((one) => h("li", {},
      h("a", { class: "candidate", href: `/desk?customer_id=${encodeURIComponent(one.customerId)}` }, icon("person"),
        h("span", { class: "row-main" }, h("span", { class: "row-title" }, one.hint || "No hint"),
          h("span", { class: "row-sub" }, `by ${kindLabel(one.kind).toLowerCase()} · ${one.customerId}`)),
        h("span", { class: "button", "aria-hidden": "true" }, "Open"))))));
  settle(`${candidates.length} customers match. Choose one.`);
}

function showNone(value, kinds, failedSources) {
  desk.asked = null;
  const titles = failedSources.map((source) => titleOf(source.name));
  replace(find("notice"),
    h("h1", { id: "notice-title", tabindex: "-1" }, "Nobody found"),
    h("p", {}, "No system that answered knows ", h("strong", { class: "echo" }, value), ` as ${format.list(kinds.map((kind) => kindLabel(kind).toLowerCase()))}.`),
    titles.length > 0 && h("p", { class: "lacking" }, icon("warn"), `${format.list(titles)} did not answer: the customer may be known there.`),
    h("p", { class: "quiet" }, "Try another identifier, or choose its kind beside the search box. Names cannot be searched."));
  settle(titles.length ? `Nobody found, but ${format.list(titles)} did not answer.` : "Nobody found.");
}

function showUnlinked(error) {
  const { source, sourceKey } = error.extensions || {};
  showNotice("warn", "The record exists, its person is not known", `${titleOf(source)}${sourceKey ? `, record ${sourceKey}` : ""}: it belongs to nobody that Roundview knows, such as a walk-in sale.`);
}

function showRefusal(error) {
  const code = codeOf(error);
  const title = { BAD_IDENTIFIER: "That cannot be right", SOURCE_TIMEOUT: "No system answered in time" }[code] || "The question was refused";
  const hint = error.extensions && error.extensions.hint;
  showNotice("bad", title, [error.message, hint].filter(Boolean).join(" — "));
}

function showNotice(kind, title, text, again) {
  desk.asked = null;
  replace(find("notice"),
    h("h1", { id: "notice-title", tabindex: "-1" }, icon(kind === "bad" ? "fail" : "warn"), title),
    h("p", {}, text),
    again && h("p", {}, h("button", { class: "button primary", type: "button", onclick: again }, "Try again")));
  settle(`${title}. ${text}`);
}

function settle(text) {
  setState("notice");
  find("notice-title").focus();
  say(text);
}

function titleOf(name) {
  const source = desk.settings.sources.find((one) => one.name === name);
  return source ? source.title : name || "A system";
}

// null: being asked. Every source of the catalog has a chip, also one that was not asked.
function renderSources(sources, ms) {
  const asked = new Map((sources || []).map((source) => [source.name, source]));
  const names = [...new Set([...desk.settings.sources.map((source) => source.name), ...asked.keys()])];
  replace(find("sources"), names.map((name) => chip(name, asked.get(name), sources === null)));
  find("timing").textContent = ms ? `answered in ${ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`}` : "";
}

function chip(name, source, isAsking) {
  if (!source) {
    return h("li", { class: "chip chip-idle" }, icon("idle"), h("span", { class: "chip-name" }, titleOf(name)), h("span", { class: "chip-state" }, isAsking ? "asking" : "not asked"));
  }
  const texts = { ok: format.age(source.ageMs) || "live", partial: "partial", failed: "failed" };
  const odd = source.problems ? `${source.problems} unreadable` : "";
  const reason = source.reason || odd || (source.status === "ok" ? "" : source.code);
  return h("li", { class: `chip chip-${source.status}`, title: [reason, source.hint, source.asOf && `as of ${format.exactTime(source.asOf)}`, `${source.rows ?? 0} rows`].filter(Boolean).join(" · ") },
    icon({ ok: "ok", partial: "warn", failed: "fail" }[source.status] || "idle"),
    h("span", { class: "chip-name" }, titleOf(name)),
    h("span", { class: "chip-state" }, texts[source.status] || source.status, reason && `: ${reason}`),
    source.status === "ok" && source.ms !== undefined && source.ms !== null && h("span", { class: "chip-ms" }, `${Math.max(1, Math.round(source.ms))} ms`));
}

function say(text) {
  find("status").textContent = text;
}

// -- keeping the place over a refetch ----------------------------------------------------------

function remember() {
  const isOpen = [...document.querySelectorAll("details[open]")].map((node) => node.dataset.event ? `e${node.dataset.event}` : node.dataset.record);
  const active = document.activeElement.closest("details");
  return { opened: new Set(isOpen), active: active && (active.dataset.event ? `e${active.dataset.event}` : active.dataset.record) };
}

function restore({ opened, active }) {
  for (const node of document.querySelectorAll("details")) {
    const id = node.dataset.event ? `e${node.dataset.event}` : node.dataset.record;
    if (!id) continue;
    if (opened.has(id)) node.open = true;
    if (id === active) node.querySelector("summary").focus();
  }
}

function newFilters() {
  return { kinds: new Set(), systems: new Set(), limit: 0 };
}

function onClick(event) {
  const link = event.target.closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (link.dataset.jump) {
    event.preventDefault();
    const row = find(link.dataset.jump);
    if (!row) return;
    const more = row.closest("details.more");
    if (more) more.open = true;
    row.open = true;
    row.querySelector("summary").focus({ preventScroll: true });
    row.scrollIntoView({ block: "center" });
  } else if (link.classList.contains("candidate")) {
    event.preventDefault();
    history.pushState(null, "", link.getAttribute("href"));
    openAddress();
  }
}
