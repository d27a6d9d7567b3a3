// Puts the page together.

/** The stage of one recording: its head, its world, its caption. */
class Stage {
  constructor(episode, state, alone) {
    this.episode = episode;
    this.canvas = make("canvas", { class: "world", role: "img", "aria-label": "The world" });
    this.world = new World(this.canvas, episode);
    this.caption = make("p", { class: "caption" });
    this.node = make("div", { class: "stage" }, aboutCard(episode, alone), this.canvas, this.caption);
    this.canvas.addEventListener("click", (event) => {
      const found = this.world.hit(event.offsetX, event.offsetY);
      if (found && found.kind === "camera") state.selectCamera(found.index);
      if (found && found.kind === "target") state.selectTarget(found.index);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      this.canvas.style.cursor = this.world.hit(event.offsetX, event.offsetY) ? "pointer" : "default";
    });
  }

  inform(view) {
    const { episode } = this;
    const frame = episode.clamp(view.frame);
    const ended = view.frame > frame ? " (ended)" : "";
    setText(this.caption, `Frame ${frame} of ${episode.frames - 1}${ended} · coverage ${digits(episode.value("coverage", frame), 3)}`);
    this.canvas.setAttribute("aria-label", worldInWords(episode, frame, view.camera, view.target));
  }
}

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

/** All curves and the strip of losses, and the values under the cursor. */
class Plots {
  constructor(episodes, state) {
    const returns = episodes.flatMap((episode) => Array.from(episode.arrays.camera_return.values));
    const finite = returns.filter((value) => Number.isFinite(value));
    const range = [Math.min(0, ...minMax(finite)), Math.max(1, ...minMax(finite))];
    const coverage = (episode) => [
      { values: episode.arrays.coverage.values, kind: "raw" },
      { values: episode.meanSoFar, kind: "mean" },
      { values: episode.smoothed, kind: "main" },
    ];
    const camera = (episode) => [{ values: episode.arrays.camera_return.values, kind: "main" }];
    this.episodes = episodes;
    this.strip = new LossStrip(byId("plot-losses"), episodes);
    this.curves = [
      new Curve(byId("plot-coverage"), episodes, { name: "Coverage per frame, smoothed, and its mean so far", range: [0, 1], series: coverage }),
      this.strip,
      new Curve(byId("plot-return"), episodes, { name: "Return of the camera team so far", range, series: camera }),
    ];
    this.curves.forEach((curve) => this._follow(curve, state));
    byId("table-curves").append(this._table());
  }

  _follow(curve, state) {
    const seek = (event) => {
      state.seek(curve.frameAt(event.offsetX));
    };
    curve.canvas.addEventListener("pointerdown", (event) => {
      curve.canvas.setPointerCapture(event.pointerId);
      const row = curve === this.strip ? this.strip.rowAt(event.offsetY) : -1;
      if (row >= 0) state.selectTarget(row, false);
      seek(event);
    });
    curve.canvas.addEventListener("pointermove", (event) => {
      if (event.buttons & 1) seek(event);
    });
  }

  moveCursors(frame) {
    this.curves.forEach((curve) => curve.moveCursor(frame));
  }

  draw(view) {
    const key = `${view.theme} ${view.target} ${this.curves[0].canvas.clientWidth} ${window.devicePixelRatio}`;
    if (key === this.drawnFor) return;
    this.drawnFor = key;
    this.curves.forEach((curve) => curve.draw(view));
  }

  inform(view) {
    const rows = this.episodes.map((episode) => {
      const frame = episode.clamp(view.frame);
      const name = this.episodes.length > 1 ? `${episode.letter}: ` : "";
      return `${name}coverage ${digits(episode.value("coverage", frame), 3)}, smoothed ${digits(episode.smoothed[frame], 3)}, `
        + `mean so far ${digits(episode.meanSoFar[frame], 3)}, return ${digits(episode.value("camera_return", frame), 1)}`;
    });
    setText(byId("under-cursor"), `Frame ${view.frame}: ${rows.join(" · ")}`);
  }

  /** The curves as figures, at about 20 frames. */
  _table() {
    const last = Math.max(...this.episodes.map((episode) => episode.frames)) - 1;
    const frames = roundSteps(0, last, 20);
    const heads = this.episodes.flatMap(({ letter }) => {
      const name = this.episodes.length > 1 ? `${letter}: ` : "";
      return [`${name}smoothed`, "mean so far", "lost targets", "return"];
    });
    const rows = frames.map((shown) => [String(shown), ...this.episodes.flatMap((episode) => {
      const frame = episode.clamp(shown);
      const lost = Array.from({ length: episode.targets }, (_, t) => episode.lostFor(frame, t)).filter((n) => n > 0);
      return [digits(episode.smoothed[frame], 3), digits(episode.meanSoFar[frame], 3), String(lost.length), digits(episode.value("camera_return", frame), 1)];
    })]);
    return table("The curves as figures", ["Frame", ...heads], rows);
  }
}

function minMax(values) {
  return values.reduce(([low, high], v) => [Math.min(low, v), Math.max(high, v)], [0, 0]);
}

/** Light or dark: what the system wants until the button is pressed. */
function followTheme(state) {
  const wantsDark = window.matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const apply = () => {
    state.theme = root.dataset.theme || (wantsDark.matches ? "dark" : "light");
    state.palette = readPalette();
    byId("theme").setAttribute("aria-pressed", String(state.theme === "dark"));
    state.changed();
  };
  byId("theme").addEventListener("click", () => {
    root.dataset.theme = state.theme === "dark" ? "light" : "dark";
    apply();
  });
  wantsDark.addEventListener("change", apply);
  apply();
}

/** Connect the bar of controls; returns what updates it. */
function connectControls(player) {
  const { state } = player;
  const slider = byId("frame");
  const speed = byId("speed");
  slider.max = state.frames - 1;
  slider.addEventListener("input", () => {
    state.playing = false;
    state.seek(Number(slider.value));
  });
  speed.append(...SPEEDS.map((s) => make("option", { value: s }, `${s}×`)));
  speed.addEventListener("change", () => { state.speed = Number(speed.value); });
  const press = (id, action) => byId(id).addEventListener("click", action);
  press("play", () => player.play());
  press("back", () => player.step(-1));
  press("on", () => player.step(1));
  press("decision-back", () => player.stepDecision(-1));
  press("decision-on", () => player.stepDecision(1));
  press("loss-back", () => player.stepLoss(-1));
  press("loss-on", () => player.stepLoss(1));
  for (const name of LAYERS) {
    byId(`layer-${name}`).addEventListener("change", (event) => {
      state.layers[name] = event.target.checked;
      state.changed();
    });
  }
  return () => {
    slider.value = state.frame;
    slider.setAttribute("aria-valuetext", `frame ${state.frame} of ${state.frames - 1}`);
    setText(byId("readout"), `${state.frame} / ${state.frames - 1}`);
    if (speed.value !== String(state.speed)) speed.value = String(state.speed);
    const playing = byId("play");
    playing.setAttribute("aria-label", state.playing ? "Pause" : "Play");
    playing.classList.toggle("playing", state.playing);
  };
}

/** The help on keys; its own box turns single keys off. */
function connectHelp() {
  const dialog = byId("help");
  const open = () => dialog.showModal();
  byId("keys").addEventListener("click", open);
  return { open, enabled: () => byId("keys-on").checked };
}

/** The frame that the page opens at, and the target if that is where the longest loss begins. */
function openAt(state, episodes, jumpTo) {
  if (state.readHash(window.location.hash) || jumpTo === null) return;
  state.position = jumpTo;
  const longest = longestLosses(episodes[0])[0];
  if (longest && longest.first === jumpTo) state.target = longest.target;
}

/** The versions of what wrote the recordings. */
function showVersions(episodes) {
  const lines = episodes.map(({ about }) => Object.entries(about.versions || {}).map(([k, v]) => `${k} ${v}`).join(", "));
  setText(byId("versions"), [...new Set(lines)].filter((text) => text).join(" · "));
}

/** Layers and signs of what no recording holds are not offered. */
function hideAbsentLayers(episodes) {
  const needs = { messages: ["camera_messages", "target_messages"], particles: ["particle_goal"], tracks: ["track_xy"] };
  for (const [layer, names] of Object.entries(needs)) {
    const there = episodes.some((episode) => names.some((name) => episode.has(name)));
    for (const node of document.querySelectorAll(`[data-layer="${layer}"]`)) node.hidden = !there;
  }
}

async function main() {
  const manifest = JSON.parse(byId("manifest").textContent);
  const blobs = [...document.querySelectorAll(".blob")];
  const episodes = await Promise.all(manifest.recordings.map(async ({ about, entries }, i) => {
    const arrays = await decodeRecording(entries, blobs[i].textContent);
    return new Episode(about, arrays, "AB"[i]);
  }));
  blobs.forEach((node) => node.remove());
  const alone = episodes.length === 1;
  document.body.classList.toggle("two", !alone);
  const state = new State(episodes, () => {});
  byId("app").hidden = false;
  byId("loading").remove();

  const stages = episodes.map((episode) => new Stage(episode, state, alone));
  const panels = episodes.map((episode) => new Panels(episode, state, alone));
  byId("stages").append(...stages.map((stage) => stage.node));
  byId("details").append(...panels.map((panel) => panel.node));
  const cameras = new Picks(byId("picks"), "camera", state.cameras, (c) => state.selectCamera(c));
  const targets = new Picks(byId("picks"), "target", state.targets, (t) => state.selectTarget(t));
  const plots = new Plots(episodes, state);
  hideAbsentLayers(episodes);
  showVersions(episodes);

  let updateControls = () => {};
  const player = new Player(state, episodes, {
    draw(view) {
      stages.forEach((stage) => stage.world.draw(view));
      plots.draw(view);
      plots.moveCursors(view.frame);
      updateControls();
    },
    inform(view) {
      [...stages, ...panels, plots].forEach((part) => part.inform(view));
      cameras.update(view.camera);
      targets.update(view.target);
      if (!state.playing && window.location.hash !== state.hash()) {
        window.history.replaceState(null, "", state.hash());
      }
    },
    say: (words) => setText(byId("announce"), words),
  });
  updateControls = connectControls(player);
  const help = connectHelp();
  listenToKeys(keyActions(player, help.open), help.enabled);
  openAt(state, episodes, manifest.jumpTo);
  followTheme(state);
  window.addEventListener("hashchange", () => {
    state.readHash(window.location.hash);
    player.request();
  });
  new ResizeObserver(() => player.request()).observe(byId("app"));
  window.replay = { state, player, episodes, fieldOfView, worlds: stages.map((stage) => stage.world), ready: true };
  player.request();
}

main().catch((error) => {
  const words = "DecompressionStream" in window
    ? `The recording could not be read: ${error.message}`
    : "This browser is too old for this page: it needs DecompressionStream (2023 or later).";
  (byId("loading") || document.body).textContent = words;
  throw error;
});
