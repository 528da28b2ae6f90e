// Decides what happens: search, screen pop, one / several / none, sign in, keys, refetch.
import { h, icon, replace } from "./dom.js";
import * as format from "./format.js";
import { listenToGlass, showGlass } from "./emergency.js";
import { renderHeader } from "./header.js";
import { listenToKeys } from "./keys.js";
import { LONGEST, StaleDocument, Unreachable, ask, clean, codeOf, errorOf, fromAddress, guess } from "./lookup.js";
import { renderPanels } from "./panels.js";
import { remember, restore } from "./place.js";
import { forgetRevealed } from "./reveal.js";
import { SignedOut, borrowCredential, call, choosePurpose, listenToTabs, signIn, signOut } from "./session.js";
import { renderSources, titleOf } from "./systems.js";
import { renderTimeline } from "./timeline.js";
import { makeView } from "./view.js";

const POLL_MS = 15000;
const find = (id) => document.getElementById(id);
const newFilters = () => ({ kinds: new Set(), systems: new Set(), limit: 0 });

const desk = {
  settings: JSON.parse(document.querySelector('meta[name="roundview-settings"]').content),
  etag: "",
  asked: null, // {kind, value} of what is shown
  running: null, // AbortController of the current question
  filters: newFilters(),
};

start();

async function start() {
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
  find("purpose").addEventListener("change", () => {
    choosePurpose(find("purpose").value);
    adoptSettings();
  });
  find("login-form").addEventListener("submit", enter);
  find("sign-out").addEventListener("click", () => {
    signOut();
    showLogin();
  });
  find("why-cancel").addEventListener("click", () => find("why").close());
  listenToGlass(adoptSettings);
  listenToTabs(showLogin);
  if (!desk.settings) {
    await borrowCredential();
    await adoptSettings(true);
    if (!desk.settings) return showLogin();
  }
  fillKinds();
  openAddress();
  setInterval(() => document.hidden || !desk.settings || adoptSettings(), POLL_MS);
}

async function enter(event) {
  event.preventDefault();
  signIn(find("credential").value.trim());
  const problem = await adoptSettings(true);
  find("login-problem").hidden = Boolean(desk.settings);
  find("login-problem").textContent = problem || "That was not accepted. It may have ended: get a new one.";
  if (!desk.settings) return find("credential").focus();
  find("credential").value = "";
  openAddress();
}

function showLogin() {
  if (desk.running) desk.running.abort();
  Object.assign(desk, { settings: null, asked: null, customerId: "", etag: "" });
  forgetRevealed();
  for (const id of ["head", "timeline", "panels", "notice", "sources", "examples"]) replace(find(id));
  for (const id of ["purpose-label", "sign-out"]) find(id).hidden = true;
  for (const id of ["principal", "timing", "said", "guess"]) find(id).textContent = "";
  find("value").value = "";
  say("Nobody is signed in.");
  showGlass({});
  setState("login");
  find("credential").focus();
}

function openAddress() {
  const by = fromAddress(location.search, desk.settings.kinds);
  if (!by) {
    setState("idle");
    renderSources(desk.settings, []);
    find("value").focus();
    return;
  }
  if (by.kind !== "customer_id") find("value").value = by.value;
  open(by);
}

function fillKinds() {
  const { kinds, principal, purposes, purpose, hasLogin } = desk.settings;
  replace(find("purpose"), purposes.map((one) => h("option", { value: one, selected: one === purpose }, format.words(one))));
  find("purpose-label").hidden = purposes.length < 2;
  find("sign-out").hidden = !hasLogin;
  choosePurpose(purpose);
  showGlass(desk.settings);
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
  renderSources(desk.settings, answer.sources, answer.ms);
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
    renderSources(desk.settings, null);
    say("Asking all systems.");
  }
  return desk.running;
}

function failed(error, again) {
  if (error.name === "AbortError") return;
  if (error instanceof SignedOut) return showLogin();
  renderSources(desk.settings, []);
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

// Returns what refused the settings, as text.
async function adoptSettings(isNeeded = false) {
  let response;
  try {
    response = await call("/desk/context", { headers: desk.etag ? { "if-none-match": desk.etag } : {} });
  } catch (error) {
    if (error instanceof SignedOut && desk.settings) showLogin();
    return error instanceof SignedOut ? "" : "Roundview does not answer. Try again.";
  }
  if (response.status === 304) return "";
  if (response.status !== 200) return response.text();
  const settings = await response.json();
  desk.etag = response.headers.get("etag") || "";
  const before = desk.settings;
  desk.settings = settings;
  fillKinds();
  const isSame = before && ["view", "reveal"].every((name) => settings.documents[name] === before.documents[name]) && settings.purpose === before.purpose && settings.isEmergency === before.isEmergency;
  if (!isSame && desk.asked && !isNeeded) {
    say("What may be seen changed. Asking all systems again.");
    await open(desk.asked, true);
  }
  return "";
}

// -- showing -----------------------------------------------------------------------------------

function setState(state) {
  document.body.dataset.state = state;
  find("customer").hidden = state !== "customer";
  find("login").hidden = state !== "login";
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
  forgetRevealed(desk.settings.documents.reveal, desk.customerId);
  find("said").textContent = "";
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
  const titles = failedSources.map((source) => titleOf(desk.settings, source.name));
  replace(find("notice"),
    h("h1", { id: "notice-title", tabindex: "-1" }, "Nobody found"),
    h("p", {}, "No system that answered knows ", h("strong", { class: "echo" }, value), ` as ${format.list(kinds.map((kind) => kindLabel(kind).toLowerCase()))}.`),
    titles.length > 0 && h("p", { class: "lacking" }, icon("warn"), `${format.list(titles)} did not answer: the customer may be known there.`),
    h("p", { class: "quiet" }, "Try another identifier, or choose its kind beside the search box. Names cannot be searched."));
  settle(titles.length ? `Nobody found, but ${format.list(titles)} did not answer.` : "Nobody found.");
}

function showUnlinked(error) {
  const { source, sourceKey } = error.extensions || {};
  showNotice("warn", "The record exists, its person is not known", `${titleOf(desk.settings, source)}${sourceKey ? `, record ${sourceKey}` : ""}: it belongs to nobody that Roundview knows, such as a walk-in sale.`);
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

function say(text) {
  find("status").textContent = text;
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
