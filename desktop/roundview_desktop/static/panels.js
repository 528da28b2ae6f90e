// Decides which panels there are and how the rows of each entity read.
import { badge, h, icon, replace } from "./dom.js";
import * as format from "./format.js";
import { maskedValue } from "./reveal.js";
import { anchorOf, isInFlight, isOpenCase, newestFirst, readPage, recordId, textOf } from "./view.js";

// `entities` share a panel; the first six panels answer the keys 1 to 6.
const PANELS = [
  { id: "work", title: "Open work", entities: ["support_case"], row: caseRow },
  { id: "orders", title: "Orders", entities: ["sales_order"], row: orderRow },
  { id: "engagement", title: "Engagement", entities: ["engagement"], row: engagementRow, group: byCampaign },
  { id: "consent", title: "Consent", entities: ["consent"], row: consentRow },
  { id: "contact", title: "Contact points", entities: ["contact_point_email", "contact_point_phone", "contact_point_address", "contact_point_social"], row: contactRow, group: alikeContacts },
  { id: "loyalty", title: "Loyalty and numbers", entities: ["loyalty_membership", "party_identification"], row: numberRow },
  { id: "feel", title: "Feedback", entities: ["survey_response", "social_mention"], row: feedbackRow },
  { id: "notes", title: "Notes", entities: ["note"], row: noteRow },
  { id: "relations", title: "Relations", entities: ["party_relationship"], row: relationRow },
  { id: "records", title: "Records of this person", entities: ["individual"], row: personRow },
];
const ONLY_TIMELINE = new Set(["message", "conversation"]);
const SHOWN_AT_FIRST = 6;

export function renderPanels(node, view) {
  const taken = new Set(ONLY_TIMELINE);
  const panels = [];
  for (const panel of PANELS) {
    panel.entities.forEach((name) => taken.add(name));
    const names = panel.entities.filter((name) => view.entities.has(name));
    if (names.length) panels.push({ ...panel, names });
  }
  for (const entity of view.entities.values()) {
    if (!taken.has(entity.name)) {
      panels.push({ id: `entity-${entity.name}`, title: entity.label, comment: entity.comment, names: [entity.name], row: genericRow });
    }
  }
  const nodes = panels.map((panel, at) => renderPanel(view, panel, at));
  replace(node, inColumns(nodes).map((column) => h("div", { class: "panel-column" }, column)));
}

// Two columns that keep the order of the keys, cut where they are most alike in length.
function inColumns(nodes) {
  const lengths = nodes.map((node) => 2 + node.querySelectorAll(":scope > .rows > li").length);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  let [best, bestGap, sum] = [0, Infinity, 0];
  lengths.forEach((length, at) => {
    sum += length;
    if (Math.abs(total - 2 * sum) < bestGap) [best, bestGap] = [at + 1, Math.abs(total - 2 * sum)];
  });
  return [nodes.slice(0, best), nodes.slice(best)];
}

function renderPanel(view, panel, at) {
  const lists = panel.names.map((name) => ({ entity: view.entities.get(name), ...view.list(name) }));
  const hasMore = lists.some((list) => list.hasMore);
  const isUnknown = lists.every((list) => list.failure);
  const rows = lists.flatMap((list) => {
    const nodes = list.entity.at ? newestFirst(list.nodes, list.entity.at) : list.nodes;
    return (panel.group ? panel.group(nodes, list.entity) : nodes).map((row) => [row, list.entity]);
  });
  if (panel.id === "work") rows.sort((a, b) => Number(isOpenCase(b[0])) - Number(isOpenCase(a[0])));
  const total = panel.group === alikeContacts ? rows.length : lists.reduce((sum, list) => sum + list.nodes.length, 0);
  const items = rows.map(([row, entity]) => panel.row(view, row, entity));
  const rest = items.slice(SHOWN_AT_FIRST);
  const heading = `panel-${panel.id}`;
  return h("section", { class: "panel", id: `section-${panel.id}`, "aria-labelledby": heading },
    h("header", { class: "panel-head" },
      h("h2", { id: heading, tabindex: "-1", title: panel.comment }, panel.title),
      h("span", { class: "count" }, isUnknown ? "" : hasMore ? `${total}+` : String(total)),
      at < 6 && h("kbd", { class: "panel-key", "aria-hidden": "true" }, at + 1)),
    lackingOf(view, lists),
    items.length ? h("ul", { class: "rows" }, items.slice(0, SHOWN_AT_FIRST))
      : !isUnknown && h("p", { class: "empty" }, lists.some((list) => !list.complete) ? "None in the systems that answered" : "None"),
    rest.length > 0 && h("details", { class: "more" },
      h("summary", {}, `Show ${rest.length} more`), h("ul", { class: "rows" }, rest)));
}

function lackingOf(view, lists) {
  const notes = lists.map((list) => lacking(view, list)).filter(Boolean);
  return notes.filter((note, at) => notes.findIndex((one) => one.textContent === note.textContent) === at);
}

// Says which system a list lacks; never by colour alone.
export function lacking(view, list) {
  if (!list.failure && list.complete && !list.missing.length) return null;
  let systems = list.missing.map(view.title);
  const failed = list.failure && list.failure.extensions && list.failure.extensions.source;
  if (failed && !systems.length) systems = [view.title(failed)];
  const what = systems.length ? format.list(systems) : "a system";
  return h("p", { class: "lacking" }, icon("warn"), list.failure
    ? `${what} did not answer, so this is not known.`
    : `Incomplete: ${what} did not answer. There may be more.`);
}

// One row that opens: what it is, then every field and where it comes from.
export function disclosure(view, row, entity, { mark, title, beside, sub, side, extra }) {
  return h("li", {}, h("details", { class: "row", id: anchorOf(row, entity.name), "data-record": anchorOf(row, entity.name) },
    h("summary", {}, icon(mark),
      h("span", { class: "row-main" },
        h("span", { class: "row-head" }, h("span", { class: "row-title" }, title), beside),
        h("span", { class: "row-sub" }, sub.filter(Boolean).join(" · "))),
      h("span", { class: "row-side" }, side, sourceTag(view, row))),
    h("div", { class: "row-body" }, extra, fieldsOf(row, entity), (row.alike || [row]).map((one) => originOf(view, one)))));
}

function sourceTag(view, row) {
  const titles = [...new Set((row.alike || [row]).map((one) => view.title(one.source)))];
  return h("span", { class: "source-tag", title: titles.join(", ") }, titles.length > 1 ? `${titles.length} systems` : titles[0]);
}

export function fieldsOf(row, entity) {
  const shown = entity.fields.filter((field) => field.masked || !isEmpty(row[field.key]));
  return h("dl", { class: "fields" }, shown.map((field) => {
    const value = format.fieldValue(row[field.key], field, row);
    return h("div", {}, h("dt", {}, field.label), h("dd", {}, field.masked ? maskedValue(value, field, row) : value));
  }));
}

export function originOf(view, row) {
  const read = row.provenance || {};
  return h("p", { class: "row-origin" }, `${view.title(row.source)}, record ${row.sourceKey}`,
    row.sourceUpdatedAt && [" · changed there ", format.time(row.sourceUpdatedAt)],
    read.asOf && [" · as of ", format.time(read.asOf, format.exactTime(read.asOf))]);
}

export function linesOf(row, entity) {
  const child = (entity.children || []).find((one) => one.name === "sales_order_product");
  if (!child) return null;
  const lines = readPage(row[child.key]);
  if (!lines.nodes.length) return null;
  const cell = (text, isNumber) => h("td", { class: isNumber ? "number" : null }, text ?? "");
  return h("div", { class: "table-wrap" }, h("table", { class: "lines-table" },
    h("caption", { class: "unseen" }, "Lines of this order"),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Item"), h("th", { scope: "col", class: "number" }, "Qty"),
      h("th", { scope: "col", class: "number" }, "Price"), h("th", { scope: "col", class: "number" }, "Total"))),
    h("tbody", {}, lines.nodes.map((line) => h("tr", {},
      h("th", { scope: "row" }, line.name || line.sku || "Item", line.name && line.sku && h("span", { class: "quiet" }, ` ${line.sku}`)),
      cell(format.number(line.quantity), true), cell(format.money(line.unitPrice, row.currency), true),
      cell(format.money(line.lineTotal, row.currency), true))))));
}

function isEmpty(value) {
  return value === null || value === undefined || value === "";
}

function caseRow(view, row, entity) {
  return disclosure(view, row, entity, {
    mark: "support",
    title: row.subject || `Ticket ${row.caseNumber || row.sourceKey}`,
    sub: [row.caseNumber && `#${row.caseNumber}`, format.ago(row.openedAt), row.channel, row.priority && `${row.priority} priority`],
    side: badge(isOpenCase(row) ? "warn" : "none", format.words(row.status || "open")),
  });
}

function orderRow(view, row, entity) {
  const hasLines = (entity.children || []).some((child) => child.name === "sales_order_product");
  const count = hasLines ? readPage(row.salesOrderProduct).nodes.length : 0;
  const isOff = row.status === "cancelled" || row.status === "returned";
  return disclosure(view, row, entity, {
    mark: row.salesChannel === "store" ? "store" : "order",
    title: row.orderNumber || row.sourceKey,
    beside: row.status && badge(isInFlight(row) ? "warn" : isOff ? "none" : "ok", format.words(row.status)),
    sub: [format.dayOf(row.orderedAt), format.words(row.salesChannel), count > 0 && format.plural(count, "line")],
    side: h("span", { class: "amount" }, format.money(row.grandTotal, row.currency)),
    extra: linesOf(row, entity),
  });
}

function byCampaign(nodes) {
  const groups = new Map();
  for (const row of nodes) {
    const key = row.campaignName || row.campaignId ? `${row.source}/${row.campaignId || row.campaignName}` : recordId(row);
    if (!groups.has(key)) groups.set(key, { ...row, steps: [] });
    groups.get(key).steps.push(row);
  }
  return [...groups.values()];
}

// "sent · open 2× · click" of rows of one campaign, in the order they happened.
export function stepsText(steps) {
  const counts = new Map();
  for (const step of [...steps].reverse()) counts.set(step.type || "event", (counts.get(step.type || "event") || 0) + 1);
  return [...counts].map(([type, count]) => (count > 1 ? `${type} ${count}×` : type)).join(" · ").replaceAll("_", " ");
}

function engagementRow(view, row, entity) {
  return disclosure(view, row, entity, {
    mark: iconOfChannel(row.channel),
    title: row.campaignName || row.asset || format.words(row.type),
    sub: [stepsText(row.steps), format.ago(row.occurredAt)],
  });
}

export function iconOfChannel(channel) {
  const known = { email: "email", phone: "phone", sms: "message", web: "globe", store: "store", chat: "message", whatsapp: "message" };
  return known[String(channel || "").toLowerCase()] || "signal";
}

function consentRow(view, row, entity) {
  const marks = { opt_in: ["ok", "Opted in"], opt_out: ["bad", "Opted out"], pending: ["warn", "Pending"] };
  const [kind, text] = marks[row.status] || ["none", format.words(row.status)];
  return disclosure(view, row, entity, {
    mark: row.channel ? iconOfChannel(row.channel) : "consent",
    title: consentTitle(row),
    sub: [row.scope && format.words(row.scope), row.legalBasis && `basis: ${row.legalBasis.replaceAll("_", " ")}`, row.capturedAt && `since ${format.dayOf(row.capturedAt)}`],
    side: badge(kind, text),
  });
}

export function consentTitle(row) {
  const channel = row.channel ? format.words(row.channel) : "";
  return channel ? [channel, row.topic].filter(Boolean).join(": ") : format.words(row.topic || row.scope || "All channels");
}

// The same address or number in several systems is one row that names them all.
export function alikeContacts(nodes, entity) {
  const groups = new Map();
  for (const row of nodes) {
    const key = contactKey(row, entity.name) || recordId(row);
    if (!groups.has(key)) groups.set(key, { ...row, alike: [] });
    const group = groups.get(key);
    group.alike.push(row);
    for (const mark of ["isPrimary", "isMobile", "verified", "lastBounceAt", "optOut"]) group[mark] = group[mark] || row[mark];
  }
  return [...groups.values()];
}

function contactKey(row, entityName) {
  const keys = {
    contact_point_email: row.emailNormalized || row.emailAddress,
    contact_point_phone: row.phoneE164 || row.phoneRaw,
    contact_point_address: [row.line1, row.line2, row.postalCode, row.city].filter(Boolean).join(" "),
    contact_point_social: [row.network, row.handleNormalized || row.handle].filter(Boolean).join(" "),
  };
  return String(keys[entityName] || "").toLowerCase();
}

function contactRow(view, row, entity) {
  const address = row.formatted || [row.line1, row.postalCode, row.city, row.countryCode].filter(Boolean).join(", ");
  const kinds = {
    contact_point_email: ["email", row.emailNormalized || row.emailAddress],
    contact_point_phone: ["phone", row.phoneE164 || row.phoneRaw],
    contact_point_address: ["address", address],
    contact_point_social: ["globe", row.handle],
  };
  const [mark, text] = kinds[entity.name];
  return disclosure(view, row, entity, {
    mark,
    title: textOf(text),
    sub: [row.isPrimary && "primary", row.isMobile && "mobile", (row.verified || row.verifiedAt) && "verified", row.type, row.network, row.lastBounceAt && "bounces", row.optOut && "opted out"],
  });
}

function numberRow(view, row, entity) {
  const isLoyalty = entity.name === "loyalty_membership";
  const hasPoints = isLoyalty && !isEmpty(row.pointsBalance);
  return disclosure(view, row, entity, {
    mark: isLoyalty ? "star" : "hash",
    title: textOf(isLoyalty ? row.memberNo : row.number || row.numberNormalized || row.name),
    sub: isLoyalty ? [row.program, row.tier && format.words(row.tier)] : [format.words(row.type), row.issuedBy],
    side: hasPoints && h("span", { class: "amount" }, `${format.number(row.pointsBalance)} points`),
  });
}

function feedbackRow(view, row, entity) {
  const isSurvey = entity.name === "survey_response";
  return disclosure(view, row, entity, {
    mark: isSurvey ? "heart" : "globe",
    title: isSurvey ? scoreText(row) : textOf(row.textExcerpt || row.network),
    sub: [isSurvey ? row.comment : row.sentiment, format.ago(row.respondedAt || row.postedAt)],
  });
}

export function scoreText(row) {
  const most = isEmpty(row.scaleMax) ? "" : ` / ${format.number(row.scaleMax)}`;
  return `${String(row.instrument || "Survey").toUpperCase()} ${format.number(row.score)}${most}`;
}

function noteRow(view, row, entity) {
  return disclosure(view, row, entity, {
    mark: "message",
    title: textOf(row.text),
    sub: [row.pinned && "pinned", row.author, format.ago(row.createdAt)],
  });
}

function relationRow(view, row, entity) {
  return disclosure(view, row, entity, {
    mark: "person",
    title: textOf(row.toName || row.toId),
    sub: [format.words(row.type), row.since && `since ${format.dayOf(row.since)}`],
  });
}

function personRow(view, row, entity) {
  return disclosure(view, row, entity, {
    mark: "person",
    title: row.fullName || [row.givenName, row.familyName].filter(Boolean).join(" ") || "No name",
    sub: [`record ${row.sourceKey}`, row.birthDate && `born ${format.dayOf(row.birthDate)}`],
  });
}

// Any entity the page has never heard of: its most telling field, then some others.
export function genericRow(view, row, entity) {
  const { best, others } = tellingFields(row, entity);
  return disclosure(view, row, entity, {
    mark: "signal",
    title: best ? format.fieldText(row[best.key], best, row) : row.sourceKey,
    sub: [entity.at && format.ago(row[entity.at]), ...others.slice(0, 3).map((field) => `${field.label}: ${format.fieldText(row[field.key], field, row)}`)],
  });
}

export function tellingFields(row, entity) {
  const given = entity.fields.filter((field) => !isEmpty(row[field.key]) && field.key !== entity.at);
  const best = given.find((field) => /subject|title|name|excerpt|text|body|number/i.test(field.key)) || given[0];
  return { best, others: given.filter((field) => field !== best) };
}
