// Decides who asks, what for, and how that reaches the server: credential, purpose, emergency.

const CREDENTIAL = "roundview.credential";
const EMERGENCY_MS = 15 * 60000;
const OTHER_TABS_MS = 150;

// The credential is kept for this tab only; other open tabs of the desk are asked for theirs.
const session = { credential: stored(), purpose: "", emergency: null };
const tabs = new BroadcastChannel("roundview.session");

export class SignedOut extends Error {}

// Fetches from the server as who is signed in; throws SignedOut where nobody is, any more.
export async function call(path, options = {}) {
  const response = await fetch(path, { ...options, headers: { ...options.headers, ...headers() } });
  if (response.status !== 401) return response;
  store("");
  throw new SignedOut();
}

// Posts a persisted document. Returns {answer, response}.
export async function callDocument(documentId, variables, signal) {
  const response = await call("/graphql", {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify({ documentId, variables }),
    cache: "no-store",
    signal,
  });
  return { answer: await response.json(), response };
}

function headers() {
  const told = {};
  if (session.credential) told.authorization = `Bearer ${session.credential}`;
  if (session.purpose) told["roundview-purpose"] = session.purpose;
  if (session.emergency) {
    told["roundview-emergency"] = "true";
    told["roundview-reason"] = encodeURIComponent(session.emergency.reason);
  }
  return told;
}

// Listens to other tabs: `ended` is called where somebody signed out in one.
export function listenToTabs(ended) {
  tabs.addEventListener("message", ({ data }) => {
    if (data === "who" && session.credential) tabs.postMessage({ credential: session.credential });
    if (data === "out" && session.credential) {
      store("");
      ended();
    }
  });
}

// Takes the credential of another tab; waits a moment for one.
export function borrowCredential() {
  if (session.credential) return Promise.resolve();
  return new Promise((resolve) => {
    const take = ({ data }) => {
      if (!data || !data.credential) return;
      store(data.credential);
      done();
    };
    const done = () => {
      tabs.removeEventListener("message", take);
      resolve();
    };
    tabs.addEventListener("message", take);
    tabs.postMessage("who");
    setTimeout(done, OTHER_TABS_MS);
  });
}

export function signIn(credential) {
  store(credential);
}

export function signOut() {
  store("");
  tabs.postMessage("out");
}

export function choosePurpose(purpose) {
  session.purpose = purpose;
}

export function beginEmergency(reason) {
  session.emergency = { reason, until: Date.now() + EMERGENCY_MS };
}

export function endEmergency() {
  session.emergency = null;
}

export function emergencyEnd() {
  return session.emergency ? session.emergency.until : 0;
}

function stored() {
  try {
    return sessionStorage.getItem(CREDENTIAL) || "";
  } catch {
    return "";
  }
}

function store(credential) {
  session.credential = credential;
  if (!credential) session.emergency = null;
  try {
    if (credential) sessionStorage.setItem(CREDENTIAL, credential);
    else sessionStorage.removeItem(CREDENTIAL);
  } catch {
    // Without storage it holds until the page is left.
  }
}
