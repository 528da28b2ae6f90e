// Decides how the glass is broken: with a reason, under a banner that counts down to its end.
import { askReason, left } from "./reveal.js";
import { beginEmergency, emergencyEnd, endEmergency } from "./session.js";

const TICK_MS = 1000;
const find = (id) => document.getElementById(id);

// `changed` is called when it begins and when it ends: the desk asks again.
export function listenToGlass(changed) {
  find("glass").addEventListener("click", async () => {
    const reason = await askReason("Break the glass", "You see more than your work usually needs. Every question raises an alarm, and goes on record with your reason.", "Break the glass");
    if (!reason) return;
    beginEmergency(reason);
    await changed();
  });
  const end = async () => {
    endEmergency();
    showGlass({});
    await changed();
  };
  find("emergency-end").addEventListener("click", end);
  setInterval(() => {
    const until = emergencyEnd();
    if (!until) return;
    if (until <= Date.now()) end();
    else find("emergency-left").textContent = left(until);
  }, TICK_MS);
}

export function showGlass(settings) {
  const isBroken = Boolean(settings.isEmergency && emergencyEnd());
  find("glass").hidden = !settings.mayBreakGlass || isBroken;
  find("emergency").hidden = !isBroken;
  document.body.classList.toggle("is-emergency", isBroken);
  if (isBroken) find("emergency-left").textContent = left(emergencyEnd());
}
