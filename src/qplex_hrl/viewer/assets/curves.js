// Curves of the episode and a strip of losses; a cursor of its own moves over them.

const MARGIN = { left: 40, right: 46, top: 10, bottom: 20 };
const DASHES = [[], [6, 4]]; // of the first and the second recording
const STRIP_ROW = 9;

/** Lines over frames: [{values, kind}] of each episode; `kind` is "raw", "main" or "mean". */
class Curve {
  constructor(box, episodes, { name, range, series }) {
    this.episodes = episodes;
    this.range = range;
    this.series = series;
    this.canvas = make("canvas", { role: "img", "aria-label": name });
    this.cursor = make("div", { class: "cursor", "aria-hidden": "true" });
    this.box = make("div", { class: "plot" }, this.canvas, this.cursor);
    box.append(this.box);
    this.frames = Math.max(...episodes.map((episode) => episode.frames));
  }

  x(frame) {
    const width = this.canvas.clientWidth - MARGIN.left - MARGIN.right;
    return MARGIN.left + (frame / Math.max(1, this.frames - 1)) * width;
  }

  frameAt(px) {
    const width = this.canvas.clientWidth - MARGIN.left - MARGIN.right;
    const share = (px - MARGIN.left) / Math.max(1, width);
    return Math.round(Math.max(0, Math.min(1, share)) * (this.frames - 1));
  }

  moveCursor(frame) {
    this.cursor.style.transform = `translateX(${this.x(frame)}px)`;
  }

  draw(view) {
    const { context: g, width, height } = sharp(this.canvas);
    g.clearRect(0, 0, width, height);
    const { palette } = view;
    const [low, high] = this.range;
    const y = (value) => {
      const share = (value - low) / (high - low || 1);
      return height - MARGIN.bottom - share * (height - MARGIN.top - MARGIN.bottom);
    };
    this._axes(g, palette, y);
    const ends = [];
    this.episodes.forEach((episode, i) => {
      const colour = palette[i ? "series-b" : "series-a"];
      for (const { values, kind } of this.series(episode)) {
        this._line(g, values, y, colour, kind, DASHES[i]);
        if (kind === "main") ends.push({ at: y(values[values.length - 1]), words: episode.letter, colour });
      }
    });
    if (this.episodes.length > 1) {
      if (ends.length > 1 && Math.abs(ends[0].at - ends[1].at) < 12) {
        const upper = ends[0].at <= ends[1].at ? 0 : 1;
        ends[upper].at -= 6;
        ends[1 - upper].at += 6;
      }
      for (const { at, words, colour } of ends) {
        label(g, words, width - MARGIN.right + 12, at, { colour, halo: palette.card, size: 12, bold: true });
      }
    }
  }

  _line(g, values, y, colour, kind, dash) {
    g.beginPath();
    const step = (this.x(this.frames - 1) - this.x(0)) / Math.max(1, this.frames - 1);
    for (let f = 0, x = this.x(0); f < values.length; f += 1, x += step) g.lineTo(x, y(values[f]));
    g.strokeStyle = colour;
    g.globalAlpha = kind === "raw" ? 0.22 : 1;
    g.lineWidth = kind === "main" ? 1.75 : 1;
    g.setLineDash(kind === "mean" ? [1.5, 3] : kind === "main" ? dash : []);
    g.stroke();
    g.setLineDash([]);
    g.globalAlpha = 1;
  }

  _axes(g, palette, y) {
    const [low, high] = this.range;
    const style = { colour: palette.soft, halo: palette.card, size: 11 };
    const right = this.x(this.frames - 1);
    for (const value of roundSteps(low, high, 4)) {
      line(g, [[MARGIN.left, y(value)], [right, y(value)]], palette.grid, 1);
      label(g, shortNumber(value), MARGIN.left - 7, y(value), { ...style, align: "right" });
    }
    const most = Math.max(2, Math.floor((right - MARGIN.left) / 80));
    for (const frame of roundSteps(0, this.frames - 1, most)) {
      label(g, String(frame), this.x(frame), this.canvas.clientHeight - 8, style);
    }
  }
}

/** One row per target and recording: filled while no camera sees it. */
class LossStrip extends Curve {
  constructor(box, episodes) {
    const name = "Losses: one row per target, filled while no camera sees it";
    super(box, episodes, { name, range: [0, 1], series: () => [] });
    this.targets = episodes[0].targets;
    const rows = this.targets * episodes.length;
    this.pitch = rows > 24 ? STRIP_ROW : STRIP_ROW + 4;
    this.canvas.style.height = `${rows * this.pitch + MARGIN.bottom + 4}px`;
  }

  rowAt(py) {
    const row = Math.floor((py - 2) / this.pitch / this.episodes.length);
    return row >= 0 && row < this.targets ? row : -1;
  }

  draw(view) {
    const { context: g, width, height } = sharp(this.canvas);
    g.clearRect(0, 0, width, height);
    const { palette } = view;
    const n = this.episodes.length;
    for (let t = 0; t < this.targets; t += 1) {
      this.episodes.forEach((episode, i) => this._row(g, palette, episode, t, t * n + i));
      const colour = view.target === t ? palette.accent : palette.soft;
      const middle = 2 + (t + 0.5) * n * this.pitch;
      label(g, `T${t}`, MARGIN.left - 7, middle, { colour, halo: palette.card, size: 11, align: "right", bold: view.target === t });
    }
    const style = { colour: palette.soft, halo: palette.card, size: 11 };
    for (const frame of roundSteps(0, this.frames - 1, Math.max(2, Math.floor(width / 90)))) {
      label(g, String(frame), this.x(frame), height - 8, style);
    }
  }

  _row(g, palette, episode, target, row) {
    const top = 3 + row * this.pitch;
    const tall = this.pitch - 3;
    g.fillStyle = palette.grid;
    g.fillRect(MARGIN.left, top, this.x(episode.frames - 1) - MARGIN.left, tall);
    g.fillStyle = palette.lost;
    for (const loss of episode.losses) {
      if (loss.target !== target) continue;
      const from = this.x(loss.first);
      g.fillRect(from, top, Math.max(1, this.x(loss.last + 1) - from), tall);
    }
    if (this.episodes.length > 1) {
      const style = { colour: palette.soft, halo: palette.card, size: 10 };
      label(g, episode.letter, this.canvas.clientWidth - MARGIN.right + 12, top + tall / 2, style);
    }
  }
}

/** At most so many round numbers from low to high. */
function roundSteps(low, high, most) {
  if (!(high > low)) return [low];
  const raw = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= raw * 0.999);
  const values = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high * (1 + 1e-9); k += 1) values.push(k * step);
  return values;
}

const shortNumber = (value) => digits(value, Math.abs(value) < 10 && value % 1 ? 2 : 0);
