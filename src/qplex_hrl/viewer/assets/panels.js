// Panels beside the stage, and the buttons that choose what they are about.

/** The panels of one recording: camera, target, episode. */
class Panels {
  constructor(episode, state, alone) {
    Object.assign(this, { episode, state, camera: null, target: null });
    this.overview = new OverviewPanel(episode, state);
    this.chosen = make("div", { class: "chosen" });
    const head = alone ? null : make("h2", {}, `${episode.letter}: ${episode.about.policy}`);
    this.node = make("div", { class: "panels" }, head, this.chosen, this.overview.node);
  }

  inform(view) {
    this.camera = this._panel(this.camera, view.camera, CameraPanel, "camera");
    this.target = this._panel(this.target, view.target, TargetPanel, "target");
    const nodes = [this.camera, this.target].filter((panel) => panel).map((panel) => panel.node);
    if (nodes.length !== this.chosen.children.length || nodes.some((n, i) => n !== this.chosen.children[i])) {
      this.chosen.replaceChildren(...nodes);
    }
    for (const panel of [this.camera, this.target, this.overview]) if (panel) panel.update(view);
  }

  _panel(panel, index, Kind, name) {
    if (index < 0) return null;
    return panel && panel[name] === index ? panel : new Kind(this.episode, this.state, index);
  }
}

/** Buttons that select cameras or targets. */
class Picks {
  constructor(box, kind, n, select) {
    const name = kind === "camera" ? "Cameras" : "Targets";
    this.buttons = Array.from({ length: n }, (_, i) => make("button", {
      type: "button", class: "pick", "aria-pressed": "false", "aria-label": `${name.slice(0, -1)} ${i}`,
      onclick: () => select(i),
    }, `${name[0]}${i}`));
    box.append(make("div", { class: "picks", role: "group", "aria-label": name }, make("span", {}, name), ...this.buttons));
  }

  update(chosen) {
    this.buttons.forEach((button, i) => {
      const pressed = String(i === chosen);
      if (button.getAttribute("aria-pressed") !== pressed) button.setAttribute("aria-pressed", pressed);
    });
  }
}
