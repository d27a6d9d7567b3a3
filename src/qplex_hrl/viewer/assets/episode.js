// One recorded episode: what happened in a frame, who decided what, who believed what.

const SMOOTHING_FRAMES = 25;
const RANDOM_WALK = 4; // a particle's goal: 0 to 3 warehouses, 4 none, -1 without weight
const MODELS = 5;

class Episode {
  constructor(about, arrays, letter) {
    this.about = about;
    this.arrays = arrays;
    this.letter = letter;
    [this.frames, this.cameras, this.targets] = arrays.camera_target.shape;
    this.obstacles = arrays.obstacle_xy.shape[0];
    this.decisions = arrays.decision_frame.shape[0];
    this.selecting = about.actions.length > 0; // scripted cameras select nothing
    this.losses = rowsOf(arrays.losses).map(([target, first, last]) => ({ target, first, last }));
    this.sightings = this._countSightings();
    this.meanSoFar = runningMean(arrays.coverage.values);
    this.smoothed = smooth(arrays.coverage.values, SMOOTHING_FRAMES);
  }

  has(name) {
    return name in this.arrays && this.arrays[name].values.length > 0;
  }

  /** One value of an array, by as many numbers as it has axes. */
  value(name, ...at) {
    const { shape, values } = this.arrays[name];
    return values[at.reduce((index, i, axis) => index * shape[axis] + i, 0)];
  }

  /** The values of the last axis, by one number less. */
  row(name, ...at) {
    const { shape, values } = this.arrays[name];
    const width = shape[shape.length - 1];
    const start = width * at.reduce((index, i, axis) => index * shape[axis] + i, 0);
    return values.subarray(start, start + width);
  }

  clamp(frame) {
    return Math.max(0, Math.min(this.frames - 1, frame));
  }

  pose(frame, camera) {
    const [phi, theta, range] = this.row("camera_pose", frame, camera);
    return { phi, theta, range };
  }

  sees(frame, camera, target) {
    return Boolean(this.value("camera_target", frame, camera, target));
  }

  reaches(frame, camera, target) {
    return Boolean(this.value("reachable", frame, camera, target));
  }

  /** How many cameras see a target. */
  seenBy(frame, target) {
    return this.sightings[frame * this.targets + target];
  }

  /** For how many frames no camera has seen a target, this one included; 0: it is seen. */
  lostFor(frame, target) {
    const loss = this.lossAt(frame, target);
    return loss ? frame - loss.first + 1 : 0;
  }

  lossAt(frame, target) {
    return this.losses.find((l) => l.target === target && l.first <= frame && frame <= l.last);
  }

  distance(frame, camera, target) {
    const [cx, cy] = this.row("camera_xy", camera);
    const [tx, ty] = this.row("target_xy", frame, target);
    return Math.hypot(tx - cx, ty - cy);
  }

  /** The decision that is in force in a frame: made in an earlier one, or in frame 0. */
  decisionInForce(frame) {
    return this._lastDecision((made) => made < frame || made === 0);
  }

  /** The latest decision that knows no more than this frame: its particles are of then. */
  decisionKnown(frame) {
    return this._lastDecision((made) => made <= frame);
  }

  _lastDecision(allowed) {
    const made = this.arrays.decision_frame.values;
    let [low, high] = [-1, made.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (allowed(made[middle])) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** First frame of the decision before or after the one in force. */
  neighbourDecision(frame, step) {
    if (!this.decisions) return this.clamp(frame + step);
    const made = this.arrays.decision_frame.values;
    const start = (k) => made[k] + 1;
    let k = this.decisionInForce(frame);
    if (step > 0) k += 1;
    else if (frame <= start(k)) k -= 1;
    if (k < 0) return 0;
    return k < this.decisions ? this.clamp(start(k)) : this.frames - 1;
  }

  action(index) {
    return index < 0 ? null : this.about.actions[index] || {};
  }

  actionOf(frame, camera) {
    return this.value("action", frame, camera);
  }

  slowActionOf(frame, camera) {
    return this.value("slow_action", frame, camera);
  }

  wasReplaced(frame, camera) {
    return this.actionOf(frame, camera) !== this.slowActionOf(frame, camera);
  }

  actionName(index) {
    const action = this.action(index);
    if (!action) return "none";
    if (action.targets && action.targets.length) {
      return action.targets.map((t) => `T${t}`).join(" + ");
    }
    if (action.search) {
      const { bearing_deg: bearing, view_deg: view } = action.search;
      return `search ${signed(wrappedDegrees(bearing))}°, view ${digits(view)}°`;
    }
    if (action.move) { // shares of the largest turn and zoom
      return `turn ${signed(100 * action.move[0])} %, zoom ${signed(100 * action.move[1])} %`;
    }
    return "nothing";
  }

  selects(index, target) {
    const action = this.action(index);
    return Boolean(action && action.targets && action.targets.includes(target));
  }

  /** Where a camera aimed in a frame in which it searches: {phi, theta, range}; null elsewhere. */
  searchAim(frame, camera) {
    const [phi, theta] = this.has("search_deg") ? this.row("search_deg", frame, camera) : [NaN, NaN];
    return Number.isNaN(phi) ? null : this._view(camera, phi, theta);
  }

  /** What a search action is named after, without what the camera aims at beside it. */
  searchPose(camera, search) {
    const [x, y] = this.row("camera_xy", camera);
    const forward = (Math.atan2(-y, -x) * 180) / Math.PI;
    return this._view(camera, forward + search.bearing_deg, search.view_deg);
  }

  /** A view in degrees, with its range in units; none is narrower than the camera's narrowest. */
  _view(camera, phi, wanted) {
    const narrowest = this.value("camera_min_angle_deg", camera);
    const theta = Math.max(wanted, narrowest);
    return { phi, theta, range: this.value("camera_max_range", camera) * Math.sqrt(narrowest / theta) };
  }

  /** What a camera takes for a target's place: null without a track. */
  track(frame, camera, target) {
    if (!this.has("track_xy") || !this.value("track_known", frame, camera, target)) return null;
    const [x, y] = this.row("track_xy", frame, camera, target);
    if (Number.isNaN(x)) return null;
    return { x, y, age: this.value("track_age", frame, camera, target) };
  }

  /**
   * Frames since a camera has detected a target, or in a shared view any that it hears of; -1:
   * never, or it keeps no record.
   */
  age(frame, camera, target) {
    return this.has("track_age") ? this.value("track_age", frame, camera, target) : -1;
  }

  /**
   * How far from the truth a camera takes a target to be: {error, tracked}. With a particle belief
   * it also has an estimate of targets without a track. Null without both.
   */
  estimate(frame, camera, target) {
    const tracked = this.track(frame, camera, target) !== null;
    if (!tracked && !(this.has("track_xy") && this.has("particle_goal"))) return null;
    const [x, y] = this.row("track_xy", frame, camera, target);
    const [tx, ty] = this.row("target_xy", frame, target);
    const error = Math.hypot(x - tx, y - ty);
    return Number.isNaN(error) ? null : { error, tracked };
  }

  /** Median distance of a camera's particles from where the target was then; null without. */
  particleError(frame, camera, target) {
    const k = this.has("particle_goal") ? this.decisionKnown(frame) : -1;
    if (k < 0) return null;
    const row = this.particleRow(camera);
    const [x, y] = this.row("target_xy", this.value("decision_frame", k), target);
    const goals = this.row("particle_goal", k, row, target);
    const n = goals.length;
    const first = 2 * n * ((k * this.arrays.particle_goal.shape[1] + row) * this.targets + target);
    const places = this.arrays.particle_xy.values.subarray(first, first + 2 * n);
    const errors = [];
    for (let p = 0; p < n; p += 1) {
      if (goals[p] >= 0) errors.push(Math.hypot(places[2 * p] - x, places[2 * p + 1] - y));
    }
    return errors.length ? median(errors) : null;
  }

  /** Row of a camera's particles: where all cameras know the same there is one. */
  particleRow(camera) {
    return Math.min(camera, this.arrays.particle_goal.shape[1] - 1);
  }

  /** Shares of particles that walk to each warehouse and at random; null without particles. */
  modelShares(frame, camera, target) {
    const k = this.has("particle_goal") ? this.decisionKnown(frame) : -1;
    if (k < 0) return null;
    const counts = new Array(MODELS).fill(0);
    let n = 0;
    for (const goal of this.row("particle_goal", k, this.particleRow(camera), target)) {
      if (goal >= 0) {
        counts[goal] += 1;
        n += 1;
      }
    }
    return n ? counts.map((count) => count / n) : null;
  }

  /** Values of a camera's actions, best first: [{action, value, advantage}]; null without. */
  values(decision, camera) {
    if (!this.has("q_values") || decision < 0) return null;
    const rated = Array.from(this.row("q_values", decision, camera), (value, action) => ({ action, value }))
      .filter(({ value }) => !Number.isNaN(value))
      .sort((a, b) => b.value - a.value);
    return rated.map((each) => ({ ...each, advantage: each.value - rated[0].value }));
  }

  _countSightings() {
    const seen = this.arrays.camera_target.values;
    const counts = new Uint8Array(this.frames * this.targets);
    for (let f = 0; f < this.frames; f += 1) {
      for (let c = 0; c < this.cameras; c += 1) {
        const from = (f * this.cameras + c) * this.targets;
        for (let t = 0; t < this.targets; t += 1) counts[f * this.targets + t] += seen[from + t];
      }
    }
    return counts;
  }
}

function median(values) {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

const wrappedDegrees = (angle) => angle - 360 * Math.ceil((angle - 180) / 360);

/** Rows of an array [N, W] as lists. */
function rowsOf({ shape: [n, width], values }) {
  return Array.from({ length: n }, (_, i) => Array.from(values.subarray(i * width, (i + 1) * width)));
}

/** Mean of frames 1 to each; frame 0, after the reset, stands for itself. */
function runningMean(values) {
  const means = Float32Array.from(values);
  for (let f = 1, sum = 0; f < values.length; f += 1) {
    sum += values[f];
    means[f] = sum / f;
  }
  return means;
}

/** Mean over a window centred on each frame; shorter at both ends. */
function smooth(values, window) {
  const half = Math.floor(window / 2);
  const sums = new Float64Array(values.length + 1);
  values.forEach((value, f) => { sums[f + 1] = sums[f] + value; });
  return Float32Array.from(values, (_, f) => {
    const from = Math.max(0, f - half);
    const to = Math.min(values.length, f + half + 1);
    return (sums[to] - sums[from]) / (to - from);
  });
}
