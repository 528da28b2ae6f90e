// Decides what stays open, and keeps the focus, over a refetch.

export function remember() {
  const isOpen = [...document.querySelectorAll("details[open]")].map((node) => node.dataset.event ? `e${node.dataset.event}` : node.dataset.record);
  const active = document.activeElement.closest("details");
  return { opened: new Set(isOpen), active: active && (active.dataset.event ? `e${active.dataset.event}` : active.dataset.record) };
}

export function restore({ opened, active }) {
  for (const node of document.querySelectorAll("details")) {
    const id = node.dataset.event ? `e${node.dataset.event}` : node.dataset.record;
    if (!id) continue;
    if (opened.has(id)) node.open = true;
    if (id === active) node.querySelector("summary").focus();
  }
}
