// Decides what an agent sees in the first two seconds: who, why, value, feel, may I, known.
import { badge, h, icon, replace } from "./dom.js";
import * as format from "./format.js";
import { alikeContacts } from "./panels.js";
import { maskedValue } from "./reveal.js";
import { allRows, anchorOf, isInFlight, isOpenCase, missingTitles, newestFirst, nodesOf, textOf } from "./view.js";

const LINK_STATES = {
  linked: ["ok", "Linked", "The records of all systems are confirmed to be one person."],
  provisional: ["warn", "Provisional", "Found just now by asking the systems; not yet confirmed."],
  mismatched: ["bad", "Check identity", "Name or birth date differ from what was linked: this may be somebody else."],
  anonymous: ["none", "Anonymous", "No person is known for this record."],
  unlinked: ["warn", "Not linked yet", "Known in one system only."],
};
const CONSENT_ORDER = ["email", "phone", "sms", "post"];

export function renderHeader(node, view) {
  const { customer } = view;
  const name = customer.fullName || [customer.givenName, customer.familyName].filter(Boolean).join(" ");
  replace(
    node,
    h("div", { class: "who" },
      h("span", { class: "avatar", "aria-hidden": "true" }, format.initials(name)),
      h("div", { class: "who-text" },
        h("div", { class: "who-title" },
          h("h1", { id: "name", tabindex: "-1" }, valueOf(view, "fullName", name || "Name not known")),
          linkBadge(customer.linkState),
          tierBadge(view)),
        h("p", { class: "who-line" }, contactLine(view)),
        withheldNote(view))),
    h("div", { class: "answers" },
      card("why", "Why they call", whyBody, view, ["support_case", "sales_order"]),
      card("value", "Value", valueBody, view, ["sales_order"]),
      card("feel", "Feel", feelBody, view, ["survey_response"]),
      card("may", "May I contact", consentBody, view, ["consent"]),
      card("known", "Known, do not ask", knownBody, view, [])),
  );
}

// What is not shown without consent, by its name: whether there is anything is not known here.
function withheldNote(view) {
  const { withheld } = view.answer;
  if (!withheld || !withheld.length) return null;
  const labels = withheld.map(({ entity, field }) => {
    const fields = entity === "customer" ? view.settings.customer : entityOf(view, entity).fields;
    const named = field && fields.find((one) => one.key === field);
    return named ? named.label : entityOf(view, entity).label;
  });
  const why = withheld[0].retryable ? "consents cannot be read just now" : `no consent to ${withheld[0].purpose} is known`;
  return h("p", { class: "lacking" }, icon("consent"), `Withheld, ${why}: ${format.list([...new Set(labels)].map((one) => one.toLowerCase()))}.`);
}

function entityOf(view, key) {
  return [...view.entities.values()].find((one) => one.key === key) || { label: format.words(key), fields: [] };
}

// A survived value that tells where it comes from when it has the focus.
export function valueOf(view, key, shown) {
  const field = view.settings.customer.find((one) => one.key === key);
  const origin = view.origin(key);
  if (field && field.masked && origin) return maskedValue(valueWithOrigin(view, key, shown), field, origin);
  return valueWithOrigin(view, key, shown);
}

function valueWithOrigin(view, key, shown) {
  const origin = view.origin(key);
  if (!origin) return h("span", { class: "value-text" }, shown);
  const id = `origin-${key}`;
  const losing = (origin.losing || []).filter(Boolean);
  const button = h("button", { class: "value", type: "button", "aria-describedby": id, onclick: () => button.focus() }, shown);
  return h("span", { class: "value-wrap" }, button,
    h("span", { class: "origin", role: "tooltip", id },
      h("span", { class: "origin-title" }, view.title(origin.source)),
      originLine("Record", origin.sourceKey),
      originLine("Chosen as", format.words(origin.rule)),
      originLine("As of", `${format.exactTime(origin.asOf)} (${format.ago(origin.asOf)})`),
      losing.length > 0 && h("span", { class: "origin-losing" },
        h("span", { class: "origin-label" }, "Other values"),
        losing.map((one) => h("span", { class: "origin-other" },
          h("span", {}, textOf(one.value)), h("span", { class: "source-tag" }, view.title(one.source)))))));
}

function originLine(label, text) {
  return h("span", { class: "origin-line" }, h("span", { class: "origin-label" }, label), h("span", {}, text || "—"));
}

function linkBadge(state) {
  const [kind, text, title] = LINK_STATES[state] || ["none", format.words(state), ""];
  return badge(kind, text, title);
}

function tierBadge(view) {
  const tier = nodesOf(view, "loyalty_membership").map((row) => row.tier).find(Boolean);
  return tier ? h("span", { class: "tier" }, icon("star"), format.words(tier)) : null;
}

function contactLine(view) {
  const { customer } = view;
  const parts = [];
  for (const key of ["email", "phone", "address"]) {
    if (customer[key]) parts.push(h("span", { class: "who-item" }, icon(key), valueOf(view, key, textOf(customer[key]))));
  }
  if (customer.birthDate) parts.push(h("span", { class: "who-item" }, icon("cake"), valueOf(view, "birthDate", format.dayOf(customer.birthDate))));
  if (customer.language) parts.push(h("span", { class: "who-item" }, icon("language"), valueOf(view, "language", String(customer.language).toUpperCase())));
  if (customer.customerSince) parts.push(h("span", { class: "who-item" }, icon("clock"), valueOf(view, "customerSince", `Customer since ${format.dayOf(customer.customerSince)}`)));
  return parts.length ? parts : h("span", { class: "quiet" }, "No contact details in the systems that answered");
}

function card(id, title, body, view, needed) {
  const missing = missingTitles(view, ...needed);
  return h("section", { class: `answer answer-${id}`, "aria-labelledby": `answer-${id}` },
    h("h2", { id: `answer-${id}` }, title),
    h("div", { class: "answer-body" }, body(view, missing.length > 0)),
    missing.length > 0 && h("p", { class: "lacking" }, icon("warn"), `Without ${format.list(missing)}`));
}

function whyBody(view, isLacking) {
  const cases = newestFirst(nodesOf(view, "support_case").filter(isOpenCase), "openedAt");
  const orders = newestFirst(nodesOf(view, "sales_order").filter(isInFlight), "orderedAt");
  const lines = [
    ...cases.map((row) => jump(row, "support_case", "support", row.subject || `Ticket ${row.caseNumber || row.sourceKey}`,
      [format.words(row.status || "open"), format.ago(row.openedAt)])),
    ...orders.map((row) => jump(row, "sales_order", "order", `Order ${row.orderNumber || row.sourceKey}`,
      [format.words(row.fulfillmentStatus || row.status), format.ago(row.orderedAt)])),
  ];
  const contact = lastContact(view);
  const shown = lines.slice(0, 3);
  return [
    shown.length ? h("ul", { class: "lines" }, shown) : h("p", { class: "quiet" }, isLacking ? "Not known" : "Nothing open"),
    lines.length > 3 && h("p", { class: "quiet" }, `and ${lines.length - 3} more open`),
    contact && h("p", { class: "quiet" }, "Last contact ", format.time(contact.at), contact.channel ? ` by ${contact.channel}` : ""),
  ];
}

function jump(row, entityName, mark, text, details) {
  const anchor = anchorOf(row, entityName);
  return h("li", {}, h("a", { class: "line", href: `#${anchor}`, "data-jump": anchor }, icon(mark),
    h("span", { class: "line-text" }, text), h("span", { class: "line-more" }, details.filter(Boolean).join(" · "))));
}

function lastContact(view) {
  const found = [];
  const add = (rows, key, channel) => rows.forEach((row) => row[key] && found.push({ at: row[key], channel: channel(row) }));
  add(allRows(view, "message"), "sentAt", (row) => row.channel);
  add(allRows(view, "conversation"), "lastAt", (row) => row.channel);
  add(nodesOf(view, "support_case"), "openedAt", (row) => row.channel);
  add(nodesOf(view, "engagement").filter((row) => row.type === "call" || row.type === "visit"), "occurredAt", (row) => row.channel || row.type);
  return newestFirst(found, "at")[0];
}

function valueBody(view, isLacking) {
  const list = view.list("sales_order");
  if (!list || list.failure) return h("p", { class: "quiet" }, "Not known");
  if (!list.nodes.length) return h("p", { class: "quiet" }, isLacking ? "Not known" : "No orders");
  const counted = list.nodes.filter((row) => String(row.status).toLowerCase() !== "cancelled");
  const totals = new Map();
  for (const row of counted) {
    const units = format.toUnits(row.grandTotal);
    if (units === null) continue;
    const total = totals.get(row.currency || "") || { units: 0n, count: 0 };
    totals.set(row.currency || "", { units: total.units + units, count: total.count + 1 });
  }
  // One total per currency, the most used first: currencies are never added up.
  const sorted = [...totals].sort((a, b) => b[1].count - a[1].count);
  const yearAgo = Date.now() - 365 * 86400000;
  const recent = counted.filter((row) => Date.parse(row.orderedAt) > yearAgo);
  const channels = new Map();
  for (const row of recent) channels.set(row.salesChannel || "unknown", (channels.get(row.salesChannel || "unknown") || 0) + 1);
  const split = [...channels].map(([name, count]) => `${count} ${name.replaceAll("_", " ")}`).join(", ");
  const last = newestFirst(list.nodes, "orderedAt")[0];
  return [
    h("p", { class: "figure" }, isLacking && h("span", { class: "figure-plus" }, "at least "), sorted.map(([currency, { units }]) => h("span", { class: "figure-part" }, format.money(format.fromUnits(units), currency)))),
    h("p", { class: "quiet" }, list.hasMore ? `in the newest ${format.plural(list.nodes.length, "order")}` : `in ${format.plural(counted.length, "order")}`),
    h("p", { class: "quiet" }, `12 months: ${split || "none"}`),
    h("p", { class: "quiet" }, "Last order ", format.time(last.orderedAt)),
  ];
}

function feelBody(view, isLacking) {
  const surveys = newestFirst(allRows(view, "survey_response"), "respondedAt");
  const unhappy = nodesOf(view, "support_case").filter((row) => isOpenCase(row) && String(row.sentiment).toLowerCase() === "negative");
  if (!surveys.length && !unhappy.length) return h("p", { class: "quiet" }, isLacking ? "Not known" : "No feedback given");
  const latest = surveys[0];
  return [
    latest && h("p", { class: "figure" }, format.number(latest.score),
      latest.scaleMax && h("span", { class: "figure-plus" }, ` / ${format.number(latest.scaleMax)}`),
      " ", mood(latest)),
    latest && h("p", { class: "quiet" }, `${String(latest.instrument || "Survey").toUpperCase()} `, format.time(latest.respondedAt),
      surveys.length > 1 && ` · before: ${surveys.slice(1, 4).map((row) => format.number(row.score)).join(", ")}`),
    latest && latest.comment && h("p", { class: "quote" }, `“${latest.comment}”`),
    unhappy.length > 0 && badge("bad", `${format.plural(unhappy.length, "unhappy open case")}`),
  ];
}

function mood(row) {
  const most = Number(row.scaleMax) || (String(row.instrument).toUpperCase() === "NPS" ? 10 : 5);
  const share = Number(row.score) / most;
  if (Number.isNaN(share)) return null;
  if (share >= 0.8) return badge("ok", "Happy");
  return share >= 0.6 ? badge("warn", "Neutral") : badge("bad", "Unhappy");
}

// channel -> "opt_in" | "opt_out" | "pending" | "some": the strictest word about the channel
// itself; where only single topics were answered, what they say together.
export function consentByChannel(view) {
  const strict = { opt_out: 0, pending: 1, opt_in: 2 };
  const found = new Map();
  const topics = new Map();
  const put = (channel, status) => {
    const old = found.get(channel);
    if (old === undefined || (strict[status] ?? 1) < (strict[old] ?? 1)) found.set(channel, status);
  };
  for (const row of nodesOf(view, "consent")) {
    if (!row.status || (row.expiresAt && Date.parse(row.expiresAt) < Date.now())) continue;
    if (!row.channel && row.scope !== "channel") continue;
    const channel = String(row.channel || "all channels");
    if (row.scope === "topic") topics.set(channel, [...(topics.get(channel) || []), row.status]);
    else put(channel, row.status);
  }
  const emails = nodesOf(view, "contact_point_email");
  if (emails.length && emails.every((row) => row.optOut === true)) put("email", "opt_out");
  for (const [channel, statuses] of topics) {
    if (!found.has(channel)) found.set(channel, statuses.every((one) => one === statuses[0]) ? statuses[0] : "some");
  }
  return found;
}

// While a system with consents is silent, a "yes" of another is not the last word.
function consentBody(view, isLacking) {
  const found = consentByChannel(view);
  const channels = [...new Set([...CONSENT_ORDER.slice(0, 3), ...found.keys()])];
  const mark = { opt_in: isLacking ? ["warn", "Unconfirmed"] : ["ok", "Yes"], opt_out: ["bad", "No"], pending: ["warn", "Pending"], some: ["warn", "Some topics"] };
  return h("dl", { class: "consents" }, channels.map((channel) => {
    const [kind, text] = mark[found.get(channel)] || ["none", "Not known"];
    return h("div", {}, h("dt", {}, format.words(channel).replace("Sms", "SMS")), h("dd", {}, badge(kind, text)));
  }));
}

function knownBody(view) {
  const { customer } = view;
  const known = [];
  const gaps = [];
  const note = (label, is) => (is ? known : gaps).push(label);
  note("Name", customer.fullName || customer.familyName);
  note("Birth date", customer.birthDate);
  for (const [entity, key, label] of [["contact_point_email", "email", "Email"], ["contact_point_phone", "phone", "Phone"], ["contact_point_address", "address", "Address"], ["loyalty_membership", "", "Loyalty card"]]) {
    if (!view.entities.has(entity) && !(key && key in customer)) continue;
    const count = alikeContacts(nodesOf(view, entity), view.entities.get(entity) || { name: entity }).length;
    note(count > 1 ? `${label} (${count})` : label, count || (key && customer[key]));
  }
  return [
    h("ul", { class: "known" }, known.map((label) => h("li", {}, icon("check"), label))),
    gaps.length > 0 && h("p", { class: "quiet" }, `Not known: ${gaps.join(", ").toLowerCase()}`),
  ];
}
