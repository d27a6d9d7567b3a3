// Small helpers to make and update elements. Text is always set as text, never as HTML.

/** An element with attributes and children; attributes that start with "on" are listeners. */
function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

const byId = (id) => document.getElementById(id);

/** Set text only where it changed: cheap, and screen readers and selections are left alone. */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** A number with a real minus sign; "–" where there is none. */
function digits(value, n = 0) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  return value.toFixed(n).replace("-", "\u2212");
}

const signed = (value, n = 0) => (value > 0 ? "+" : "") + digits(value, n);
const percent = (share) => (Number.isNaN(share) ? "–" : `${Math.round(100 * share)}\u00a0%`);
const plural = (n, word, many = `${word}s`) => `${n} ${n === 1 ? word : many}`;

/** A bar of a share from 0 to 1, with its text beside it. */
function bar(share, text, kind = "") {
  const fill = make("span", { class: `fill ${kind}` });
  fill.style.width = `${Math.max(0, Math.min(1, share || 0)) * 100}%`;
  return make(
    "span", { class: "bar" },
    make("span", { class: "track", "aria-hidden": "true" }, fill),
    make("span", { class: "value" }, text),
  );
}

/** A table with a caption, column heads and rows of cells; the first cell heads its row. */
function table(caption, heads, rows, kind = "") {
  const cell = (content, i) => make(i ? "td" : "th", i ? {} : { scope: "row" }, content);
  return make(
    "div", { class: "scroll" },
    make(
      "table", { class: kind },
      make("caption", {}, caption),
      make("thead", {}, make("tr", {}, ...heads.map((h) => make("th", { scope: "col" }, h)))),
      make("tbody", {}, ...rows.map((row) => {
        const attributes = row.mark ? { class: row.mark } : {};
        return make("tr", attributes, ...(row.cells || row).map(cell));
      })),
    ),
  );
}

/** Rows and values as a list of terms. */
function terms(pairs) {
  return make("dl", { class: "terms" }, ...pairs.map(
    ([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)),
  ));
}

/** A canvas that is as sharp as the screen; returns its context and its size in CSS pixels. */
function sharp(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  const size = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { context, width, height };
}
