// Parts of a panel that are made anew only when what they show has changed.

/** A titled part; `key` says what it shows, `render` returns its children. */
class Section {
  constructor(title, key, render) {
    this.key = key;
    this.render = render;
    this.shown = undefined;
    this.body = make("div");
    this.node = make("section", { class: "part" }, title ? make("h4", {}, title) : null, this.body);
  }

  update(view) {
    const key = String(this.key(view));
    if (key === this.shown) return;
    this.shown = key;
    this.body.replaceChildren(...this.render(view));
  }
}

/** A table whose rows stay, so that their buttons can be pressed while it plays. */
class LiveTable {
  constructor(caption, heads, rowHeads, cells) {
    this.cells = cells;
    this.texts = rowHeads.map(() => heads.slice(1).map(() => make("span")));
    this.node = table(caption, heads, rowHeads.map((head, i) => [head, ...this.texts[i]]), "live");
    this.rows = [...this.node.querySelectorAll("tbody tr")];
  }

  /** `cells(view, row)` returns {cells: texts or nodes, mark}. */
  update(view) {
    this.rows.forEach((row, i) => {
      const { cells, mark = "" } = this.cells(view, i);
      if (row.className !== mark) row.className = mark;
      cells.forEach((content, j) => {
        const place = this.texts[i][j];
        if (typeof content === "string") setText(place, content);
        else place.replaceChildren(content);
      });
    });
  }
}

/** A button that shows a frame, a camera, a target. */
function showButton(state, words, what, name = null) {
  const attributes = { type: "button", class: "link", onclick: () => state.show(what) };
  if (name) attributes["aria-label"] = name;
  return make("button", attributes, words);
}

const cameraButton = (state, c) => showButton(state, `C${c}`, { camera: c }, `Select camera ${c}`);
const targetButton = (state, t) => showButton(state, `T${t}`, { target: t }, `Select target ${t}`);
const note = (words) => make("p", { class: "note" }, words);

/** Shares of particles by what they walk to, as a stack of colours and in words. */
function modelBar(shares) {
  const stack = make("span", { class: "stack", "aria-hidden": "true" });
  shares.forEach((share, goal) => {
    if (!share) return;
    const piece = make("span", { class: `goal goal-${goal}` });
    piece.style.width = `${100 * share}%`;
    stack.append(piece);
  });
  const words = shares
    .map((share, goal) => ({ share, goal }))
    .filter(({ share }) => share >= 0.005)
    .sort((a, b) => b.share - a.share)
    .map(({ share, goal }) => `${GOAL_MARKS[goal]} ${Math.round(100 * share)}`);
  return make("span", { class: "models" }, stack, make("span", { class: "value" }, words.join("  ")));
}
