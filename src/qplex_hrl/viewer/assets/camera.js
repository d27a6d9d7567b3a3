// The panel of one camera: its pose, its decision, values, attentions, belief.

const SHOWN_ACTIONS = 8;
const NO_BELIEF = {
  scripted: "Scripted cameras keep no belief that could be shown.",
  planner: "This recording holds no belief of the planner.",
  trained: "This recording holds no belief of these cameras.",
};

class CameraPanel {
  constructor(episode, state, camera) {
    this.episode = episode;
    this.camera = camera;
    this.allActions = false;
    const frameKey = (view) => episode.clamp(view.frame);
    const decisionKey = (view) => `${this._decision(view)} ${this._actions(view)} ${this.allActions}`;
    const decidedKey = (view) => `${decisionKey(view)} ${this._aimed(view)}`;
    this.sections = [
      new Section("", frameKey, (view) => this._pose(view)),
      new Section("Decision", decidedKey, (view) => this._decided(view)),
    ];
    this.toggle = make("button", { type: "button", class: "small", onclick: () => this._toggle(state) });
    if (episode.has("q_values")) {
      const values = new Section("Values per action", decisionKey, (view) => this._values(view));
      values.node.append(this.toggle);
      this.sections.push(values);
    }
    if (episode.has("slow_probs") || episode.has("fast_probs")) {
      this.sections.push(new Section("Attention", (view) => this._decision(view), (view) => this._attention(view)));
    }
    this.belief = episode.has("track_xy") ? this._beliefTable(state) : null;
    const belief = make(
      "section", { class: "part" }, make("h4", {}, "Belief"),
      this.belief ? this.belief.node : note(NO_BELIEF[episode.about.kind] || NO_BELIEF.trained),
      this.belief ? note("Select a target as well to see its particles alone.") : null,
    );
    const absent = [["q_values", "values per action"], ["slow_probs", "attention"]]
      .filter(([name]) => !episode.has(name))
      .map(([, words]) => `no ${words}`);
    this.node = make(
      "article", { class: "card", "aria-label": `Camera ${camera}` },
      make("h3", {}, `Camera ${camera}`), ...this.sections.map((section) => section.node), belief,
      absent.length ? note(`This recording holds ${absent.join(" and ")}.`) : null,
    );
  }

  update(view) {
    this.sections.forEach((section) => section.update(view));
    if (this.belief) this.belief.update(view);
  }

  _toggle(state) {
    this.allActions = !this.allActions;
    state.changed();
  }

  _decision(view) {
    return this.episode.decisionInForce(this.episode.clamp(view.frame));
  }

  _actions(view) {
    const frame = this.episode.clamp(view.frame);
    return [this.episode.slowActionOf(frame, this.camera), this.episode.actionOf(frame, this.camera)];
  }

  /** What a search of this frame aimed at; no words elsewhere. */
  _aimed(view) {
    const aim = this.episode.searchAim(this.episode.clamp(view.frame), this.camera);
    return aim ? `${digits(wrappedDegrees(aim.phi), 1)}°, view ${digits(aim.theta)}°` : "";
  }

  _pose(view) {
    const { episode, camera } = this;
    const frame = episode.clamp(view.frame);
    const { phi, theta, range } = episode.pose(frame, camera);
    const seen = [];
    for (let t = 0; t < episode.targets; t += 1) if (episode.sees(frame, camera, t)) seen.push(`T${t}`);
    return [terms([
      ["Direction", `${digits(phi, 1)}°`],
      ["View", `${digits(theta, 1)}°`],
      ["Range", digits(range)],
      ["Sees", seen.join(", ") || "no target"],
    ])];
  }

  _decided(view) {
    const { episode } = this;
    const k = this._decision(view);
    const [slow, now] = this._actions(view);
    if (!episode.selecting) return [note("These cameras turn and zoom by rule; they select nothing.")];
    const reacts = episode.about.fast_interval < episode.about.decision_frames;
    const pairs = [[reacts ? "Slow level" : "Chosen", episode.actionName(slow)]];
    if (reacts) {
      pairs.push(["Fast level", slow === now ? "kept it" : `replaced it: ${episode.actionName(now)}`]);
    }
    const aimed = this._aimed(view);
    if (aimed) pairs.push(["Aimed at", aimed]);
    if (k >= 0) {
      const made = episode.value("decision_frame", k);
      pairs.push(["Made in frame", String(made)], ["Holds for", `frames ${made + 1} to ${this._lastFrame(k)}`]);
    }
    return [terms(pairs)];
  }

  _lastFrame(k) {
    const { episode } = this;
    return k + 1 < episode.decisions ? episode.value("decision_frame", k + 1) : episode.frames - 1;
  }

  _values(view) {
    const { episode, camera } = this;
    const values = episode.values(this._decision(view), camera);
    const rated = values && values.length > 0;
    const nothingMore = !rated || values.length <= SHOWN_ACTIONS;
    this.toggle.hidden = nothingMore;
    setText(this.toggle, this.allActions ? "Show the best only" : "Show all");
    if (!rated) return [note("There are no values for this decision.")];
    const [slow, now] = this._actions(view);
    const marked = (action) => action === now || action === slow;
    const rows = values
      .map((each, i) => ({ ...each, rank: i }))
      .filter(({ rank, action }) => this.allActions || rank < SHOWN_ACTIONS || marked(action));
    const span = -values[Math.min(values.length, Math.max(SHOWN_ACTIONS, 2)) - 1].advantage || 1;
    const unavailable = episode.about.actions.length - values.length;
    const shown = rows.map(({ action, value, advantage }) => ({
      mark: marked(action) ? "marked" : "",
      cells: [
        `${episode.actionName(action)}${choiceWords(action, slow, now)}`,
        bar(1 + advantage / span, digits(value, 3)),
        digits(advantage, 3),
      ],
    }));
    return [
      table("Values of the slow decision, best first", ["Action", "Value", "To the best"], shown),
      unavailable ? note(`${plural(unavailable, "action")} not available in this decision.`) : "",
    ];
  }

  _attention(view) {
    const { episode, camera } = this;
    const k = this._decision(view);
    const names = ["slow_probs", "fast_probs"].filter((name) => episode.has(name) && k >= 0);
    const rows = names.map((name) => Array.from(episode.row(name, k, camera)));
    const [first, second] = rows;
    if (!rows.some((row) => row.some((p) => p > 0))) return [note("This network has no attention over targets.")];
    const one = (row, i) => (row ? bar(row[i], percent(row[i])) : "–");
    const who = (i) => (i < episode.targets ? `T${i}` : "search");
    const cells = Array.from({ length: episode.targets + 1 }, (_, i) => [who(i), one(first, i), one(second, i)]);
    return [table("Attention in this decision", ["", "First (priorities)", "Second"], cells)];
  }

  _beliefTable(state) {
    const { episode, camera } = this;
    const heads = Array.from({ length: episode.targets }, (_, t) => targetButton(state, t));
    const particles = episode.has("particle_goal");
    const cells = (view, t) => {
      const frame = episode.clamp(view.frame);
      const shares = episode.modelShares(frame, camera, t);
      return {
        mark: view.target === t ? "marked" : "",
        cells: [
          detectedWords(episode, frame, camera, t),
          errorWords(episode.estimate(frame, camera, t)),
          ...(particles ? [digits(episode.particleError(frame, camera, t))] : []),
          shares ? modelBar(shares) : "–",
        ],
      };
    };
    return new LiveTable(
      `What it believes of each target: ${detectedCaption(episode)}, ${ERROR_CAPTION}`
        + (particles ? "; of the latest decision: median distance of its particles from the target, their goals in per cent" : ""),
      ["Target", "Detected", "Error", ...(particles ? ["Particles"] : []), "Walks to"], heads, cells,
    );
  }
}

function choiceWords(action, slow, now) {
  if (action === now && action === slow) return " ◂ chosen";
  if (action === now) return " ◂ chosen by the fast level";
  return action === slow ? " ◂ slow decision, replaced" : "";
}
