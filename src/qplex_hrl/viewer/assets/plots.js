// All curves together: what they follow, and the figures under their cursor.

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
