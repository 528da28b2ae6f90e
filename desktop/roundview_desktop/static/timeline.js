// Decides how everything dated becomes one history, newest first, with filters.
import { h, icon, replace } from "./dom.js";
import * as format from "./format.js";
import { consentTitle, fieldsOf, iconOfChannel, lacking, linesOf, originOf, scoreText, stepsText, tellingFields } from "./panels.js";
import { anchorOf, readPage } from "./view.js";

const KINDS = { sales_order: "Orders", support_case: "Cases", engagement: "Engagement", message: "Messages", conversation: "Messages", survey_response: "Feedback", consent: "Consent", social_mention: "Social", note: "Notes", lead: "Leads" };
const HIDDEN_CHILDREN = new Set(["payment", "sales_order_product"]);
const SHOWN_AT_FIRST = 40;

export function renderTimeline(node, view, filters) {
  const events = collapse(eventsOf(view));
  const kinds = tally(events, (event) => event.kind);
  const systems = tally(events, (event) => event.row.source);
  const shown = events.filter((event) => !filters.kinds.has(event.kind) && !filters.systems.has(event.row.source));
  const again = () => {
    renderTimeline(node, view, filters);
  };
  replace(node,
    h("header", { class: "panel-head" }, h("h2", { id: "timeline-title", tabindex: "-1" }, "Timeline"),
      h("span", { class: "count" }, String(shown.length)),
      h("kbd", { class: "panel-key", "aria-hidden": "true" }, "j k")),
    h("div", { class: "filters" },
      filterGroup("Show kinds", kinds, filters.kinds, (kind) => kind, again),
      systems.length > 1 && filterGroup("Show systems", systems, filters.systems, view.title, again)),
    gaps(view),
    shown.length ? dated(view, shown.slice(0, filters.limit || SHOWN_AT_FIRST)) : h("p", { class: "empty" }, events.length ? "Everything is filtered out" : "No events"),
    shown.length > (filters.limit || SHOWN_AT_FIRST) && h("button", { class: "button wide", type: "button", onclick: () => {
      filters.limit = (filters.limit || SHOWN_AT_FIRST) + 100;
      again();
    } }, "Show older"));
}

function tally(events, keyOf) {
  const counts = new Map();
  for (const event of events) counts.set(keyOf(event), (counts.get(keyOf(event)) || 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]);
}

function filterGroup(label, entries, hidden, title, again) {
  return h("div", { class: "filter-group", role: "group", "aria-label": label }, entries.map(([key, count]) => {
    const button = h("button", { class: "filter", type: "button", "aria-pressed": hidden.has(key) ? "false" : "true", "data-filter": key, onclick: () => {
      if (!hidden.delete(key)) hidden.add(key);
      again();
      const next = [...document.querySelectorAll(".filter")].find((one) => one.dataset.filter === key);
      if (next) next.focus();
    } }, h("span", { class: "filter-mark", "aria-hidden": "true" }), title(key), " ", h("span", { class: "filter-count" }, count));
    return button;
  }));
}

function gaps(view) {
  const missing = new Set();
  for (const entity of view.entities.values()) {
    const list = view.list(entity.name);
    if (entity.at && !list.complete) list.missing.forEach((source) => missing.add(source));
    if (entity.at && list.failure && list.failure.extensions) missing.add(list.failure.extensions.source);
  }
  missing.delete(undefined);
  return missing.size ? lacking(view, { complete: false, missing: [...missing] }) : null;
}

function eventsOf(view) {
  const events = [];
  const walk = (entity, page) => {
    for (const row of page.nodes) {
      if (entity.at && row[entity.at]) events.push({ at: row[entity.at], kind: KINDS[entity.name] || entity.label, entity, row });
      for (const child of entity.children || []) {
        if (!HIDDEN_CHILDREN.has(child.name)) walk(child, readPage(row[child.key]));
      }
    }
  };
  for (const entity of view.entities.values()) walk(entity, view.list(entity.name));
  return events.sort((a, b) => (Date.parse(b.at) || 0) - (Date.parse(a.at) || 0));
}

// Sent, opened and clicked of one campaign on one day read as one event.
function collapse(events) {
  const result = [];
  const open = new Map();
  for (const event of events) {
    const { row } = event;
    if (event.entity.name !== "engagement" || !(row.campaignId || row.campaignName)) {
      result.push(event);
      continue;
    }
    const key = [row.source, row.campaignId || row.campaignName, String(event.at).slice(0, 10)].join("/");
    if (open.has(key)) open.get(key).steps.push(row);
    else {
      const first = { ...event, steps: [row] };
      open.set(key, first);
      result.push(first);
    }
  }
  return result;
}

function dated(view, events) {
  const years = [];
  for (const event of events) {
    const month = monthOf(event.at);
    if (!years.length || years[years.length - 1][0] !== month) years.push([month, []]);
    years[years.length - 1][1].push(event);
  }
  return years.map(([month, own]) => h("section", { class: "month" }, h("h3", {}, month),
    h("ol", { class: "events" }, own.map((event) => eventItem(view, event)))));
}

function monthOf(at) {
  return new Date(at).toLocaleDateString("en-GB", { month: "long", year: "numeric" });
}

function eventItem(view, event) {
  const { row, entity } = event;
  const [mark, title, sub] = describe(event);
  return h("li", { class: "event" }, h("details", { class: "row", "data-event": anchorOf(row, entity.name) },
    h("summary", { class: "event-summary" }, h("span", { class: "event-icon" }, icon(mark)),
      h("span", { class: "row-main" }, h("span", { class: "row-title" }, title), h("span", { class: "row-sub" }, sub)),
      h("span", { class: "event-side" }, format.time(event.at, format.shortDayOf(event.at)),
        h("span", { class: "source-tag" }, view.title(row.source)))),
    h("div", { class: "row-body" }, linesOf(row, entity), fieldsOf(row, entity), originOf(view, row))));
}

function describe({ row, entity, kind, steps }) {
  const join = (...parts) => parts.filter(Boolean).join(" · ");
  const status = row.status && format.words(row.status);
  switch (entity.name) {
    case "sales_order":
      return [row.salesChannel === "store" ? "store" : "order", `Order ${row.orderNumber || row.sourceKey}`, join(format.money(row.grandTotal, row.currency), status, format.words(row.salesChannel))];
    case "support_case":
      return ["support", row.subject || `Ticket ${row.caseNumber || row.sourceKey}`, join(row.caseNumber && `#${row.caseNumber}`, status, row.channel)];
    case "engagement":
      return [iconOfChannel(row.channel), row.campaignName || format.words(row.type), steps ? stepsText(steps) : join(format.words(row.type), row.channel)];
    case "message":
      return ["message", row.bodyExcerpt || "Message", join(row.authorType && `from ${row.authorType}`, row.channel)];
    case "survey_response":
      return ["heart", scoreText(row), row.comment || ""];
    case "consent":
      return ["consent", consentTitle(row), join(status, row.scope && format.words(row.scope), row.legalBasis && format.words(row.legalBasis))];
    case "note":
      return ["message", row.text || "Note", join(row.author)];
    default: {
      const { best, others } = tellingFields(row, entity);
      const shown = others.slice(0, 2).map((field) => `${field.label}: ${format.fieldText(row[field.key], field, row)}`);
      return ["signal", best ? format.fieldText(row[best.key], best, row) : kind, join(kind, ...shown)];
    }
  }
}
