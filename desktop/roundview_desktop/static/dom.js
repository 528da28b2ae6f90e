// Decides how nodes are made: every value becomes text, nothing is ever parsed as markup.

// h("p", {class: "x", "data-id": 1, onclick: f}, "text", node, [nodes], null)
export function h(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  append(node, children);
  return node;
}

function append(node, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) append(node, child);
    else node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

export function replace(node, ...children) {
  node.replaceChildren();
  append(node, children);
}

export function icon(name) {
  return h("span", { class: `icon icon-${name}`, "aria-hidden": "true" });
}

// A mark that is a shape and a word, so that colour is never the only sign.
export function badge(kind, text, title) {
  return h("span", { class: `badge badge-${kind}`, title }, h("span", { class: "badge-mark", "aria-hidden": "true" }), text);
}
