// The panel of the episode: figures of the frame, the longest losses, who plays.

const SHOWN_LOSSES = 6;

class OverviewPanel {
  constructor(episode, state) {
    this.episode = episode;
    this.state = state;
    this.figures = new Section("", (view) => episode.clamp(view.frame), (view) => this._figures(view));
    this.node = make(
      "article", { class: "card", "aria-label": "Episode" },
      make("h3", {}, "Episode"), this.figures.node,
      make("section", { class: "part" }, make("h4", {}, "Longest losses"), ...this._losses()),
    );
  }

  update(view) {
    this.figures.update(view);
  }

  _figures(view) {
    const { episode } = this;
    const frame = episode.clamp(view.frame);
    const pairs = [
      ["Coverage", digits(episode.value("coverage", frame), 3)],
      ["Mean so far", digits(episode.meanSoFar[frame], 3)],
    ];
    if (episode.has("real_coverage")) pairs.push(["Of bounties", digits(episode.value("real_coverage", frame), 3)]);
    pairs.push(
      ["Transport", digits(episode.value("transport", frame), 3)],
      ["Delivered", digits(episode.value("delivered", frame))],
      ["Camera return", digits(episode.value("camera_return", frame), 1)],
    );
    return [terms(pairs)];
  }

  _losses() {
    const { episode, state } = this;
    const losses = longestLosses(episode).slice(0, SHOWN_LOSSES);
    if (!losses.length) return [note("No target was ever lost.")];
    const ranked = losses.map((loss) => couldHaveHad(episode, loss));
    const rows = losses.map((loss, i) => {
      const best = ranked[i][0] || { share: 0 }; // no camera
      const who = best.share
        ? showButton(state, `C${best.camera}`, { camera: best.camera, target: loss.target, frame: best.firstWithin },
          `Show camera ${best.camera} when it could first see target ${loss.target}`)
        : "none";
      return [
        lossButton(state, loss, `T${loss.target}: `), String(lossFrames(loss)), who,
        best.share ? percent(best.share) : "–", best.share ? errorWords(best.estimate) : "–",
      ];
    });
    return [
      make("p", {}, lossWords(episode, losses[0], ranked[0])),
      table(
        "Longest losses, and the camera that could best have had the target",
        ["Frames", "Length", "Camera", "In reach", "Error"], rows,
      ),
    ];
  }
}

/** Who plays where: the head of a recording. */
function aboutCard(episode, alone) {
  const { about } = episode;
  const pairs = [
    ["Policy", about.policy + (about.timestep === null || about.timestep === undefined
      ? "" : ` (step ${about.timestep.toLocaleString("en")})`)],
    ["Scenario", about.scenario],
    ["Opponent", about.opponent],
    ["View", about.regime],
    ["Seed", String(about.seed)],
    ["Mean coverage", digits(about.mean_coverage, 3) + (about.whole === false ? ` (first ${episode.frames} frames)` : "")],
  ];
  const sign = alone ? null : make("span", { class: `letter letter-${episode.letter}` }, episode.letter);
  return make("section", { class: "about", "aria-label": `Recording ${episode.letter}` }, sign, terms(pairs));
}
