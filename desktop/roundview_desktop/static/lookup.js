// Decides what a typed text may identify, and asks the server about it.
import { SignedOut, callDocument } from "./session.js";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const INVISIBLE = /[\u0000-\u001f\u007f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;
const NUMBERED = ["order_number", "case_number", "loyalty_no", "account_no"];
const SHORT = { order: "order_number", receipt: "order_number", ticket: "case_number", case: "case_number", mail: "email", tel: "phone", loyalty: "loyalty_no", account: "account_no", customer: "customer_id", card: "card_token" };

export const LONGEST = 320;

export function clean(text) {
  return String(text).normalize("NFKC").replace(INVISIBLE, "").trim();
}

// Returns {value, groups}: kinds to try together, group after group until one finds somebody.
export function guess(text, kinds) {
  const known = new Set(kinds.map((kind) => kind.name));
  let value = clean(text);
  const named = /^([a-z_]+)\s*[:=]\s*(.+)$/i.exec(value);
  if (named) {
    const kind = SHORT[named[1].toLowerCase()] || named[1].toLowerCase();
    if (known.has(kind)) return { value: named[2], groups: [[kind]] };
  }
  let groups = [];
  const digits = value.replace(/\D/g, "").length;
  if (value.startsWith("@")) groups = [["social_handle"]];
  else if (value.includes("@")) groups = [["email"]];
  else if (UUID.test(value)) groups = [["customer_id"], ["external_id"]];
  else if (value.startsWith("#")) {
    value = value.slice(1).trim();
    groups = [["order_number", "case_number"], ["loyalty_no", "account_no"]];
  } else if (digits >= 7 && digits <= 17 && /^[+(\d][\d\s().\-/+]*(x\s*\d+)?$/i.test(value)) {
    if (value.startsWith("+") || value.startsWith("00")) groups = [["phone"]];
    else if (value.startsWith("0") || value.startsWith("(")) groups = [["phone"], NUMBERED];
    else groups = [["phone", ...NUMBERED]];
  } else groups = [NUMBERED, ["external_id", "card_token", "social_handle"]];
  groups = groups.map((group) => group.filter((kind) => known.has(kind))).filter((g) => g.length);
  return { value, groups };
}

// Returns {kind, value} from the address of a screen pop, or null.
export function fromAddress(search, kinds) {
  const params = new URLSearchParams(search);
  for (const kind of kinds) {
    const value = params.get(kind.name);
    if (value !== null && clean(value)) return { kind: kind.name, value: clean(value) };
  }
  return null;
}

export class Unreachable extends Error {}
export class StaleDocument extends Error {}

// Posts one persisted document. Returns {customer, errors, sources, complete, ms}.
export async function ask(documentId, by, signal) {
  const started = performance.now();
  let answer;
  try {
    ({ answer } = await callDocument(documentId, { by }, signal));
  } catch (error) {
    if (error.name === "AbortError" || error instanceof SignedOut) throw error;
    throw new Unreachable();
  }
  const errors = Array.isArray(answer.errors) ? answer.errors : [];
  if (!answer.data && errors.some(isStale)) throw new StaleDocument();
  const extensions = answer.extensions || {};
  return {
    customer: answer.data ? answer.data.customer : null,
    hasData: Boolean(answer.data),
    errors,
    sources: extensions.sources || [],
    withheld: extensions.withheld || [],
    complete: extensions.complete !== false,
    ms: performance.now() - started,
  };
}

// The server does not know the document any more, or the catalog has no such field any more.
function isStale(error) {
  return codeOf(error) === "UNKNOWN_NAME" || (codeOf(error) === "BAD_REQUEST" && Boolean(error.locations));
}

export function codeOf(error) {
  return (error.extensions && error.extensions.code) || "";
}

export function errorOf(answer, code) {
  return answer.errors.find((error) => codeOf(error) === code);
}
