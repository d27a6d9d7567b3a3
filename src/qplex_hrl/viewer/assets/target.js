// The panel of one target: who has it, its losses, who could have had it and believed what.

class TargetPanel {
  constructor(episode, state, target) {
    this.episode = episode;
    this.state = state;
    this.target = target;
    const lossKey = (view) => (this._loss(view) || { first: -1 }).first;
    this.sections = [
      new Section("", (view) => episode.clamp(view.frame), (view) => this._now(view)),
      new Section("Who could have had it", lossKey, (view) => this._couldHave(view)),
      new Section("Losses", lossKey, (view) => this._losses(view)),
    ];
    this.cameras = this._cameraTable();
    const [now, could, losses] = this.sections.map((section) => section.node);
    const cameras = make("section", { class: "part" }, make("h4", {}, "Cameras"), this.cameras.node);
    this.node = make(
      "article", { class: "card", "aria-label": `Target ${target}` },
      make("h3", {}, `Target ${target}`), now, cameras, could, losses,
    );
  }

  update(view) {
    this.sections.forEach((section) => section.update(view));
    this.cameras.update(view);
  }

  /** The loss of this frame, or else the longest of this target. */
  _loss(view) {
    const { episode, target } = this;
    return episode.lossAt(episode.clamp(view.frame), target) || longestLosses(episode, target)[0] || null;
  }

  _now(view) {
    const { episode, target } = this;
    const frame = episode.clamp(view.frame);
    const [seers, slow, fast] = [[], [], []];
    for (let c = 0; c < episode.cameras; c += 1) {
      if (episode.sees(frame, c, target)) seers.push(`C${c}`);
      if (!episode.selects(episode.actionOf(frame, c), target)) continue;
      if (episode.selects(episode.slowActionOf(frame, c), target)) slow.push(`C${c}`);
      else fast.push(`C${c} (fast level)`);
    }
    const lost = episode.lostFor(frame, target);
    const [x, y] = episode.row("target_xy", frame, target);
    const goal = episode.value("target_goal", frame, target);
    const pairs = [
      ["Status", lost ? `lost for ${plural(lost, "frame")}` : `seen by ${seers.join(", ")}`],
      ["Place", `${digits(x)}, ${digits(y)}`],
      ["Goal", goal < 0 ? "none" : GOAL_NAMES[goal]],
      ["Load", digits(episode.value("target_load", frame, target))],
    ];
    if (episode.selecting) pairs.splice(1, 0, ["Selected by", [...slow, ...fast].join(", ") || "no camera"]);
    if (episode.has("target_bounty")) pairs.push(["Bounty", digits(episode.value("target_bounty", frame, target))]);
    return [terms(pairs)];
  }

  _cameraTable() {
    const { episode, state, target } = this;
    const heads = Array.from({ length: episode.cameras }, (_, c) => cameraButton(state, c));
    const cells = (view, c) => {
      const frame = episode.clamp(view.frame);
      const reach = episode.reaches(frame, c, target) ? "yes" : "no";
      return {
        mark: view.camera === c ? "marked" : "",
        cells: [
          detectedWords(episode, frame, c, target),
          errorWords(episode.estimate(frame, c, target)),
          `${reach}, ${digits(episode.distance(frame, c, target))}`,
          ...(episode.selecting ? [episode.actionName(episode.actionOf(frame, c))] : []),
        ],
      };
    };
    return new LiveTable(
      `Each camera: ${detectedCaption(episode)}, ${ERROR_CAPTION}, whether it could see the target`,
      ["Camera", "Detected", "Error", "In reach, distance", ...(episode.selecting ? ["Selects"] : [])], heads, cells,
    );
  }

  _couldHave(view) {
    const loss = this._loss(view);
    if (!loss) return [note("This target was never lost.")];
    const { episode, state, target } = this;
    const ranked = couldHaveHad(episode, loss);
    const rows = ranked.map(({ camera, share, firstWithin, distance, estimate, chosen }) => [
      showButton(state, `C${camera}`, { camera, target, frame: firstWithin ?? loss.first },
        `Show camera ${camera} when it could first see target ${target}`),
      bar(share, percent(share)),
      digits(distance),
      errorWords(estimate),
      ...(episode.selecting ? [chosenWords(episode, loss, chosen)] : []),
    ]);
    return [
      make("p", {}, lossWords(episode, loss, ranked)),
      table(
        `Frames ${loss.first} to ${loss.last}: share in reach with a clear line, mean distance, median error of the estimate`,
        ["Camera", "In reach", "Distance", "Error", ...(episode.selecting ? ["Chose meanwhile"] : [])], rows,
      ),
    ];
  }

  _losses() {
    const { episode, state, target } = this;
    const losses = longestLosses(episode, target);
    if (!losses.length) return [note("None.")];
    const total = losses.reduce((sum, loss) => sum + lossFrames(loss), 0);
    const rows = losses.slice(0, 12).map((loss) => [lossButton(state, loss), String(lossFrames(loss))]);
    return [
      make("p", {}, `${plural(losses.length, "loss", "losses")}, ${plural(total, "frame")} in all.`),
      table("Losses of this target, longest first", ["Frames", "Length"], rows),
    ];
  }
}

/** A button that shows where a loss begins. */
function lossButton(state, loss, words = "") {
  return showButton(
    state, `${words}${loss.first} to ${loss.last}`, { frame: loss.first, target: loss.target },
    `Show target ${loss.target}, lost from frame ${loss.first} to ${loss.last}`,
  );
}

/** Which camera should have had a lost target, and why it did not, in words. */
function lossWords(episode, loss, ranked) {
  const where = `Target ${loss.target} was lost for ${plural(lossFrames(loss), "frame")} from frame ${loss.first} on.`;
  if (!ranked.length) return `${where} There is no camera.`;
  const { camera, share, distance, estimate, chosen } = ranked[0];
  if (!share) return `${where} No camera had it within reach with a clear line.`;
  const words = [
    where,
    `Camera ${camera} should have had it: within reach with a clear line in ${percent(share)} of these frames,`,
    `${digits(distance)} units away on average.`,
  ];
  if (episode.selecting) words.push(`Meanwhile it chose: ${chosenWords(episode, loss, chosen)}.`);
  if (estimate) {
    const what = estimate.tracked ? "Its estimate was" : "Mostly it had no track, so it might not select the target; its estimate was";
    words.push(`${what} ${digits(estimate.error)} units off (median).`);
  }
  return words.join(" ");
}
