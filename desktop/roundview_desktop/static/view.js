// Decides how an answer is read: rows of an entity, what is missing, what a source is called.

const DONE_CASES = new Set(["resolved", "closed", "solved", "cancelled", "spam", "merged"]);
const DONE_ORDERS = new Set(["completed", "cancelled", "returned", "refunded", "closed", "delivered", "fulfilled", "voided"]);
const DELIVERED = new Set(["delivered", "fulfilled", "picked_up"]);

export function makeView(settings, answer) {
  const customer = answer.customer;
  const titles = new Map(settings.sources.map((source) => [source.name, source.title]));
  const entities = new Map(settings.entities.map((entity) => [entity.name, entity]));
  const failures = new Map();
  for (const error of answer.errors) {
    if (Array.isArray(error.path) && error.path.length > 1) failures.set(error.path.join("."), error);
  }
  const origins = new Map();
  for (const one of customer.provenance || []) {
    const key = String(one.field).toLowerCase().replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase());
    origins.set(one.field, one);
    origins.set(key, one);
  }
  return {
    settings,
    answer,
    customer,
    entities,
    origin: (key) => origins.get(key),
    title: (source) => titles.get(source) || source || "unknown system",
    // {nodes, complete, missing, hasMore, failure} of an entity below the customer, null if
    // this catalog has none.
    list(name) {
      const entity = entities.get(name);
      if (!entity) return null;
      return readPage(customer[entity.key], failures.get(`customer.${entity.key}`));
    },
  };
}

export function readPage(page, failure) {
  if (!page) return { nodes: [], complete: false, missing: [], hasMore: false, failure: failure || { message: "not available" } };
  return {
    nodes: (page.nodes || []).filter(Boolean),
    complete: page.complete !== false,
    missing: page.missingSources || [],
    hasMore: Boolean(page.pageInfo && page.pageInfo.hasNextPage),
    failure: null,
  };
}

export function nodesOf(view, name) {
  const list = view.list(name);
  return list ? list.nodes : [];
}

// Every row of an entity, below the customer or below another record, a page deep or three.
export function allRows(view, name) {
  const rows = [];
  const walk = (entity, page) => page.nodes.forEach((row) => {
    if (entity.name === name) rows.push(row);
    for (const child of entity.children || []) walk(child, readPage(row[child.key]));
  });
  for (const entity of view.entities.values()) walk(entity, view.list(entity.name));
  return rows;
}

// Names the systems that a list lacks, or an empty list.
export function missingTitles(view, ...names) {
  const missing = new Set();
  for (const name of names) {
    const list = view.list(name);
    if (!list) continue;
    for (const source of list.missing) missing.add(view.title(source));
    if (list.failure) {
      const source = list.failure.extensions && list.failure.extensions.source;
      missing.add(source ? view.title(source) : "its system");
    }
  }
  return [...missing];
}

export function recordId(row) {
  return [row.source, row.sourceKey, row.slot].filter(Boolean).join("/");
}

export function isOpenCase(row) {
  return !DONE_CASES.has(String(row.status || "open").toLowerCase());
}

export function isInFlight(row) {
  if (DELIVERED.has(String(row.fulfillmentStatus || "").toLowerCase())) return false;
  return Boolean(row.status) && !DONE_ORDERS.has(String(row.status).toLowerCase());
}

export function newestFirst(rows, key) {
  return [...rows].sort((a, b) => (Date.parse(b[key]) || 0) - (Date.parse(a[key]) || 0));
}

export function anchorOf(row, entityName) {
  return `record-${entityName}-${encodeURIComponent(recordId(row)).replaceAll("%", "_")}`;
}

export function textOf(value) {
  if (value === null || value === undefined || value === "") return "—";
  if (Array.isArray(value)) return value.map(textOf).join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
