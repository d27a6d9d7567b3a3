// The world on a canvas. What never moves is drawn once, on a canvas of its own.

const HALF_VIEW = 1.04; // of the terrain, with a margin
const TRAIL_FRAMES = 60;
const TRAIL_PARTS = 4; // older parts are fainter
const TARGET_RADIUS = 6;
const CLICK_REACH = 18;

class World {
  constructor(canvas, episode) {
    this.canvas = canvas;
    this.episode = episode;
    this.background = document.createElement("canvas");
    this.drawnFor = "";
  }

  /** Pixels of a place in the terrain; y points up there. */
  pixel(x, y) {
    return [this.middle + x * this.scale, this.middle - y * this.scale];
  }

  draw(view) {
    const { context: g, width } = sharp(this.canvas);
    this.g = g;
    this.view = view;
    this.palette = view.palette;
    this.frame = this.episode.clamp(view.frame);
    this.middle = width / 2;
    this.scale = width / (2 * HALF_VIEW * this.episode.about.terrain);
    this._background(width);
    g.save();
    g.setTransform(1, 0, 0, 1, 0, 0);
    g.clearRect(0, 0, this.canvas.width, this.canvas.height);
    g.drawImage(this.background, 0, 0);
    g.restore();
    this.boxes = []; // of the labels so far
    this.searches = []; // labels that no clipping may cut
    this.width = width;
    const { layers } = view;
    g.save();
    this._clipToTerrain();
    if (layers.fields) this._fields();
    if (layers.trails) this._trails();
    if (layers.selections) this._selections();
    g.restore();
    this.searches.forEach((each) => this.label(...each));
    if (layers.messages) this._messages();
    this._cameras();
    this._targets();
    drawBelief(this);
  }

  _clipToTerrain() {
    const half = this.episode.about.terrain;
    const [left, top] = this.pixel(-half, half);
    this.g.beginPath();
    this.g.rect(left, top, 2 * half * this.scale, 2 * half * this.scale);
    this.g.clip();
  }

  /** The camera or target at a place in pixels: {kind, index}, or null. */
  hit(px, py) {
    const { episode, frame } = this;
    const found = [];
    const look = (kind, n, name, ...at) => {
      for (let i = 0; i < n; i += 1) {
        const [x, y] = this.pixel(...episode.row(name, ...at, i));
        const distance = Math.hypot(x - px, y - py);
        if (distance <= CLICK_REACH) found.push({ kind, index: i, distance });
      }
    };
    look("target", episode.targets, "target_xy", frame);
    look("camera", episode.cameras, "camera_xy");
    return found.sort((a, b) => a.distance - b.distance)[0] || null;
  }

  isDim(camera) {
    return this.view.camera >= 0 && this.view.camera !== camera;
  }

  _background(width) {
    const key = `${this.canvas.width} ${width} ${this.view.theme}`;
    if (key === this.drawnFor) return;
    this.drawnFor = key;
    this.background.width = this.canvas.width;
    this.background.height = this.canvas.height;
    const g = this.background.getContext("2d");
    const ratio = this.canvas.width / width;
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    const { palette } = this;
    const half = this.episode.about.terrain;
    const [left, top] = this.pixel(-half, half);
    const side = 2 * half * this.scale;
    g.fillStyle = palette.terrain;
    g.fillRect(left, top, side, side);
    for (let k = 1; k < 8; k += 1) {
      const at = (side * k) / 8;
      line(g, [[left + at, top], [left + at, top + side]], palette.grid, 1);
      line(g, [[left, top + at], [left + side, top + at]], palette.grid, 1);
    }
    g.strokeStyle = palette.border;
    g.lineWidth = 1;
    g.strokeRect(left, top, side, side);
    this._warehouses(g);
    this._obstacles(g);
  }

  _warehouses(g) {
    const { about } = this.episode;
    const size = 2 * about.warehouse_half_width * this.scale;
    about.warehouses.forEach(([x, y], goal) => {
      const [px, py] = this.pixel(x, y);
      const colour = goalColour(this.palette, goal);
      g.fillStyle = colour;
      g.globalAlpha = 0.16;
      g.fillRect(px - size / 2, py - size / 2, size, size);
      g.globalAlpha = 1;
      g.strokeStyle = colour;
      g.lineWidth = 1.5;
      g.strokeRect(px - size / 2, py - size / 2, size, size);
      shapePath(g, goalShape(goal), px, py - 5, 6);
      g.fillStyle = colour;
      g.fill();
      label(g, `W${goal}`, px, py + 11, { colour: this.palette.ink, halo: this.palette.terrain });
    });
  }

  _obstacles(g) {
    const { episode, palette } = this;
    for (let o = 0; o < episode.obstacles; o += 1) {
      const radius = episode.value("obstacle_radius", o) * this.scale;
      if (radius <= 0) continue;
      const [x, y] = this.pixel(...episode.row("obstacle_xy", o));
      shapePath(g, "disc", x, y, radius);
      g.fillStyle = palette.obstacle;
      g.fill();
      g.strokeStyle = palette["obstacle-edge"];
      g.lineWidth = 1;
      g.stroke();
    }
  }

  _fields() {
    const { g, episode, palette } = this;
    for (let c = 0; c < episode.cameras; c += 1) {
      const outline = fieldOfView(episode, this.frame, c);
      const chosen = this.view.camera === c;
      const dim = this.isDim(c);
      g.beginPath();
      g.moveTo(...this.pixel(...episode.row("camera_xy", c)));
      for (let i = 0; i < outline.length; i += 2) g.lineTo(...this.pixel(outline[i], outline[i + 1]));
      g.closePath();
      g.fillStyle = palette.camera;
      g.globalAlpha = chosen ? 0.24 : dim ? 0.06 : 0.12;
      g.fill();
      g.strokeStyle = palette.camera;
      g.lineWidth = chosen ? 1.5 : 0.75;
      g.globalAlpha = chosen ? 0.95 : dim ? 0.2 : 0.5;
      g.stroke();
      g.globalAlpha = 1;
      if (chosen) this._sector(c, episode.pose(this.frame, c), palette.camera, [2, 4]);
    }
  }

  /** Outline of a whole sector, whatever stands in it. */
  _sector(camera, { phi, theta, range }, colour, dash) {
    const { g } = this;
    const [x, y] = this.pixel(...this.episode.row("camera_xy", camera));
    const [from, to] = [-(phi + theta / 2) * RADIANS, -(phi - theta / 2) * RADIANS];
    g.beginPath();
    g.moveTo(x, y);
    g.arc(x, y, range * this.scale, from, to);
    g.closePath();
    g.strokeStyle = colour;
    g.lineWidth = 1.25;
    g.setLineDash(dash);
    g.stroke();
    g.setLineDash([]);
    return [x + Math.cos((from + to) / 2) * range * this.scale * 0.6,
      y + Math.sin((from + to) / 2) * range * this.scale * 0.6];
  }

  _trails() {
    const { g, episode, palette, frame } = this;
    const start = Math.max(0, frame - TRAIL_FRAMES);
    for (let t = 0; t < episode.targets; t += 1) {
      g.strokeStyle = goalColour(palette, episode.value("target_goal", frame, t));
      g.lineWidth = this.view.target === t ? 2 : 1.25;
      for (let part = 0; part < TRAIL_PARTS; part += 1) {
        const from = Math.round(start + ((frame - start) * part) / TRAIL_PARTS);
        const to = Math.round(start + ((frame - start) * (part + 1)) / TRAIL_PARTS);
        g.globalAlpha = (0.7 * (part + 1)) / TRAIL_PARTS;
        g.beginPath();
        for (let f = from; f <= to; f += 1) g.lineTo(...this.pixel(...episode.row("target_xy", f, t)));
        g.stroke();
      }
    }
    g.globalAlpha = 1;
  }

  /** What cameras have decided: lines to selected targets, wedges of search actions. */
  _selections() {
    const { g, episode, frame } = this;
    for (let c = 0; c < episode.cameras; c += 1) {
      const replaced = episode.wasReplaced(frame, c);
      g.globalAlpha = this.isDim(c) ? 0.22 : 1;
      if (replaced) {
        g.globalAlpha *= 0.4;
        this._decision(c, episode.slowActionOf(frame, c), false);
        g.globalAlpha = this.isDim(c) ? 0.22 : 1;
      }
      this._decision(c, episode.actionOf(frame, c), replaced);
    }
    g.globalAlpha = 1;
  }

  _decision(camera, index, fast) {
    const { g, episode, palette, frame } = this;
    const action = episode.action(index);
    if (!action) return;
    const colour = fast ? palette.fast : palette["camera-ink"];
    const from = this.pixel(...episode.row("camera_xy", camera));
    for (const t of action.targets || []) {
      const to = this.pixel(...episode.row("target_xy", frame, t));
      const seen = episode.sees(frame, camera, t);
      if (fast) g.lineCap = "round";
      const dash = fast ? (seen ? [0.5, 5] : [9, 5, 0.5, 5]) : (seen ? [] : [9, 6]);
      line(g, [from, to], colour, fast ? 2.5 : 1.5, dash);
      g.lineCap = "butt";
    }
    if (!action.search) return;
    const held = index === episode.actionOf(frame, camera) && episode.searchAim(frame, camera);
    const pose = held || episode.searchPose(camera, action.search);
    const [x, y] = this._sector(camera, pose, colour, fast ? [1, 4] : [7, 5]);
    if (!this.isDim(camera)) this.searches.push([`C${camera} searches`, x, y, { colour, size: 10 }]);
  }

  _messages() {
    const { episode, palette } = this;
    const teams = [
      ["camera_messages", (i) => episode.row("camera_xy", i), palette["message-camera"]],
      ["target_messages", (i) => episode.row("target_xy", this.frame, i), palette["message-target"]],
    ];
    for (const [name, place, colour] of teams) {
      if (!episode.has(name)) continue;
      const n = episode.arrays[name].shape[1];
      for (let from = 0; from < n; from += 1) {
        episode.row(name, this.frame, from).forEach((count, to) => {
          if (!count || from === to) return;
          const [start, end] = [this.pixel(...place(from)), this.pixel(...place(to))];
          arrow(this.g, start, end, 14, colour, Math.min(3, 0.75 + 0.25 * count));
        });
      }
    }
  }

  _cameras() {
    const { g, episode, palette } = this;
    for (let c = 0; c < episode.cameras; c += 1) {
      const [x, y] = this.pixel(...episode.row("camera_xy", c));
      const radius = Math.max(8, episode.value("camera_radius", c) * this.scale);
      const chosen = this.view.camera === c;
      shapePath(g, "disc", x, y, radius);
      g.fillStyle = palette.card;
      g.fill();
      g.strokeStyle = chosen ? palette.accent : palette.camera;
      g.lineWidth = chosen ? 3 : 1.75;
      g.stroke();
      this.label(`C${c}`, x, y, { bold: chosen, halo: palette.card });
    }
  }

  _targets() {
    const { g, episode, palette, frame } = this;
    for (let t = 0; t < episode.targets; t += 1) {
      const [x, y] = this.pixel(...episode.row("target_xy", frame, t));
      const goal = episode.value("target_goal", frame, t);
      const lost = episode.lostFor(frame, t);
      shapePath(g, goalShape(goal), x, y, TARGET_RADIUS);
      g.fillStyle = episode.value("target_load", frame, t) > 0 ? goalColour(palette, goal) : palette.card;
      g.fill();
      g.strokeStyle = goalColour(palette, goal);
      g.lineWidth = 2;
      g.stroke();
      if (!lost) this._ring(x, y, 11, palette.ink, 1.25, []);
      if (this.view.target === t) this._ring(x, y, 15, palette.accent, 3, []);
      const words = lost ? `T${t} lost ${lost}` : `T${t}`;
      this.label(words, x, y + 20, { colour: lost ? palette.lost : palette.ink, bold: this.view.target === t });
    }
  }

  _ring(x, y, radius, colour, width, dash) {
    const { g } = this;
    shapePath(g, "disc", x, y, radius);
    g.strokeStyle = colour;
    g.lineWidth = width;
    g.setLineDash(dash);
    g.stroke();
    g.setLineDash([]);
  }

  /** Text that stays on the canvas and moves down a little where another text stands. */
  label(text, x, y, options = {}) {
    const { size = 11 } = options;
    const half = 0.29 * size * text.length; // about half of its width: measuring it costs more
    const at = [Math.max(half, Math.min(this.width - half, x)), Math.min(this.width - size, y)];
    const overlaps = ([bx, by, bHalf]) => Math.abs(by - at[1]) < size && Math.abs(bx - at[0]) < bHalf + half;
    for (let tries = 0; tries < 3 && this.boxes.some(overlaps); tries += 1) at[1] += size;
    this.boxes.push([...at, half]);
    label(this.g, text, ...at, { colour: this.palette.ink, halo: this.palette.terrain, ...options });
  }
}

/** The world of a frame in words, for those who do not see the canvas. */
function worldInWords(episode, frameShown, camera, target) {
  const frame = episode.clamp(frameShown);
  const lost = [];
  for (let t = 0; t < episode.targets; t += 1) {
    const n = episode.lostFor(frame, t);
    if (n) lost.push(`target ${t} for ${plural(n, "frame")}`);
  }
  const seen = episode.targets - lost.length;
  const words = [`Frame ${frame}: ${seen} of ${plural(episode.targets, "target")} in view.`];
  if (lost.length) words.push(`Lost: ${lost.join(", ")}.`);
  if (camera >= 0) {
    words.push(`Camera ${camera} has chosen ${episode.actionName(episode.actionOf(frame, camera))}.`);
  }
  if (target >= 0) words.push(`Target ${target} is seen by ${plural(episode.seenBy(frame, target), "camera")}.`);
  return words.join(" ");
}
