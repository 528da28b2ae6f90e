// Decides how values read: money, times, ages, names. Everything returns text or a node.
import { h } from "./dom.js";

const LOCALE = "en-GB";
const day = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "short", year: "numeric" });
const shortDay = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "short" });
const exact = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeStyle: "short" });
const dateOnly = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const plain = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 4 });

const STEPS = [["year", 31557600], ["month", 2629800], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60]];

export function parseTime(text) {
  const at = typeof text === "string" ? Date.parse(text) : NaN;
  return Number.isNaN(at) ? null : at;
}

export function ago(text, now = Date.now()) {
  const at = parseTime(text);
  if (at === null) return "";
  const seconds = Math.round((at - now) / 1000);
  for (const [unit, size] of STEPS) {
    if (Math.abs(seconds) >= size) return relative.format(Math.trunc(seconds / size), unit);
  }
  return "just now";
}

export function dayOf(text) {
  const at = parseTime(text);
  if (at === null) return String(text ?? "");
  if (/^\d{4}-\d\d-\d\d$/.test(text)) return dateOnly.format(at);
  return day.format(at);
}

export function shortDayOf(text) {
  const at = parseTime(text);
  return at === null ? "" : shortDay.format(at);
}

export function exactTime(text) {
  const at = parseTime(text);
  return at === null ? String(text ?? "") : exact.format(at);
}

export function time(text, shown) {
  return h("time", { datetime: text, title: exactTime(text) }, shown ?? ago(text));
}

// Age of a source's answer from its `asOf`: "live", "2 h old".
export function age(milliseconds) {
  if (milliseconds === null || milliseconds === undefined) return "";
  const seconds = milliseconds / 1000;
  if (seconds < 5) return "live";
  if (seconds < 90) return `${Math.round(seconds)} s old`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min old`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h old`;
  return `${Math.round(seconds / 86400)} d old`;
}

const DECIMAL = /^-?\d+(\.\d+)?$/;

export function money(amount, currency) {
  if (amount === null || amount === undefined) return "";
  const text = String(amount);
  if (!DECIMAL.test(text)) return text;
  if (!/^[A-Z]{3}$/.test(currency || "")) return plain.format(text);
  return new Intl.NumberFormat(LOCALE, { style: "currency", currency, currencyDisplay: "narrowSymbol" }).format(text);
}

// Decimals have up to four places: sums are whole numbers of 1/10000, so they are exact.
export function toUnits(amount) {
  const text = String(amount ?? "");
  if (!DECIMAL.test(text)) return null;
  const negative = text.startsWith("-");
  const [whole, fraction = ""] = text.replace("-", "").split(".");
  const units = BigInt(whole) * 10000n + BigInt((fraction + "0000").slice(0, 4));
  return negative ? -units : units;
}

export function fromUnits(units) {
  const positive = units < 0n ? -units : units;
  const fraction = String(positive % 10000n).padStart(4, "0");
  return `${units < 0n ? "-" : ""}${positive / 10000n}.${fraction}`;
}

export function number(value) {
  const text = String(value ?? "");
  return DECIMAL.test(text) ? plain.format(text) : text;
}

export function words(code) {
  const text = String(code ?? "").replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function plural(count, one, many = `${one}s`) {
  return `${count} ${count === 1 ? one : many}`;
}

export function list(items) {
  return new Intl.ListFormat("en", { type: "conjunction" }).format(items);
}

export function initials(name) {
  const parts = String(name || "").trim().split(/\s+/).filter(Boolean);
  const letters = parts.length > 1 ? [parts[0], parts[parts.length - 1]] : parts;
  return letters.map((part) => Array.from(part)[0].toUpperCase()).join("") || "?";
}

const MONEY = /total$|amount$|price$|^tax$|^discount$|^shipping$|^subtotal$/i;
const TIMES = new Set(["timestamp", "timestamptz"]);

// One value of a field of the catalog, whatever it is, as text.
export function fieldText(value, field, row) {
  if (value === null || value === undefined || value === "") return "—";
  if (TIMES.has(field.type)) return exactTime(value);
  if (field.type === "date") return dayOf(value);
  if (field.type === "boolean") return value ? "Yes" : "No";
  if (field.type === "enum") return words(value);
  if (field.type === "decimal") return isMoney(field) ? money(value, row.currency) : number(value);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

export function fieldValue(value, field, row) {
  const text = fieldText(value, field, row);
  return TIMES.has(field.type) && text !== "—" ? time(value, text) : text;
}

function isMoney(field) {
  return /currency|money/.test(field.unit) || MONEY.test(field.key);
}
