// Decides how each system says what it did: asked, answered, how old, or why not.
import { h, icon, replace } from "./dom.js";
import * as format from "./format.js";

const find = (id) => document.getElementById(id);

export function titleOf(settings, name) {
  const source = settings.sources.find((one) => one.name === name);
  return source ? source.title : name || "A system";
}

// null: being asked. Every source of the catalog has a chip, also one that was not asked.
export function renderSources(settings, sources, ms) {
  const asked = new Map((sources || []).map((source) => [source.name, source]));
  const names = [...new Set([...settings.sources.map((source) => source.name), ...asked.keys()])];
  replace(find("sources"), names.map((name) => chip(titleOf(settings, name), asked.get(name), sources === null)));
  find("timing").textContent = ms ? `answered in ${ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`}` : "";
}

function chip(title, source, isAsking) {
  if (!source) {
    return h("li", { class: "chip chip-idle" }, icon("idle"), h("span", { class: "chip-name" }, title), h("span", { class: "chip-state" }, isAsking ? "asking" : "not asked"));
  }
  const texts = { ok: format.age(source.ageMs) || "live", partial: "partial", failed: "failed" };
  const odd = source.problems ? `${source.problems} unreadable` : "";
  const reason = source.reason || odd || (source.status === "ok" ? "" : source.code);
  return h("li", { class: `chip chip-${source.status}`, title: [reason, source.hint, source.asOf && `as of ${format.exactTime(source.asOf)}`, `${source.rows ?? 0} rows`].filter(Boolean).join(" · ") },
    icon({ ok: "ok", partial: "warn", failed: "fail" }[source.status] || "idle"),
    h("span", { class: "chip-name" }, title),
    h("span", { class: "chip-state" }, texts[source.status] || source.status, reason && `: ${reason}`),
    source.status === "ok" && source.ms !== undefined && source.ms !== null && h("span", { class: "chip-ms" }, `${Math.max(1, Math.round(source.ms))} ms`));
}
