// The player: clock, buttons, keyboard.

const FRAMES_PER_SECOND = 30;
const PANEL_INTERVAL = 100; // milliseconds between updates of panels while it plays
const SAY_AFTER = 300; // milliseconds of rest before the frame is read out
const MOST_TIMES = 2000;

class Player {
  /** `draw(view)` is called for every frame shown, `inform(view)` less often while it plays. */
  constructor(state, episodes, { draw, inform, say }) {
    Object.assign(this, { state, episodes, draw, inform, say });
    this.waiting = false;
    this.lastTick = 0;
    this.lastInformed = 0;
    this.times = { work: [], interval: [] };
    state.changed = () => this.request();
  }

  request() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame((now) => this._tick(now));
  }

  play(on = !this.state.playing) {
    if (on && this.state.frame >= this.state.frames - 1) this.state.position = 0;
    this.state.playing = on;
    this.lastTick = 0;
    this.request();
  }

  /** Stop, and go so many frames on. */
  step(n) {
    this.state.playing = false;
    this.state.seek(this.state.frame + n);
  }

  stepDecision(step) {
    const long = this.episodes.reduce((a, b) => (b.decisions > a.decisions ? b : a));
    this.state.playing = false;
    this.state.seek(long.neighbourDecision(this.state.frame, step));
  }

  /** Go to the next or previous loss: of the selected target, or else of any. */
  stepLoss(step) {
    const { frame, target } = this.state;
    const found = this.episodes
      .map((episode) => neighbourLoss(episode, frame, step, target))
      .filter((loss) => loss)
      .sort((a, b) => step * (a.first - b.first));
    if (found.length) this.state.show({ frame: found[0].first });
    else this.say(`No ${step > 0 ? "later" : "earlier"} loss.`);
  }

  changeSpeed(step) {
    const at = SPEEDS.indexOf(this.state.speed) + step;
    this.state.speed = SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, at))];
    this.request();
  }

  /** Select the next camera or target; after the last one, none. */
  cycle(kind, step) {
    const n = this.state[`${kind}s`];
    const next = ((this.state[kind] + 1 + step + n + 1) % (n + 1)) - 1;
    if (kind === "camera") this.state.selectCamera(next, false);
    else this.state.selectTarget(next, false);
  }

  _tick(now) {
    this.waiting = false;
    const { state } = this;
    if (state.playing) this._advance(now);
    const view = {
      frame: state.frame, camera: state.camera, target: state.target, layers: state.layers,
      palette: state.palette, theme: state.theme,
    };
    const start = performance.now();
    this.draw(view);
    if (!state.playing || now - this.lastInformed >= PANEL_INTERVAL) {
      this.lastInformed = now;
      this.inform(view);
    }
    if (state.playing) {
      keep(this.times.work, performance.now() - start);
      this.request();
    }
    this._sayLater(view);
  }

  _advance(now) {
    const { state } = this;
    if (this.lastTick) {
      keep(this.times.interval, now - this.lastTick);
      state.position += ((now - this.lastTick) / 1000) * FRAMES_PER_SECOND * state.speed;
    }
    this.lastTick = now;
    if (state.position >= state.frames - 1) {
      state.position = state.frames - 1;
      state.playing = false;
    }
  }

  /** Read out the frame when it has come to rest: not while it plays. */
  _sayLater(view) {
    clearTimeout(this.timer);
    if (this.state.playing) return;
    this.timer = setTimeout(() => {
      const words = this.episodes.map((episode) => {
        const name = this.episodes.length > 1 ? `${episode.letter}: ` : "";
        return name + worldInWords(episode, view.frame, view.camera, view.target);
      });
      this.say(words.join(" "));
    }, SAY_AFTER);
  }
}

function keep(times, time) {
  times.push(time);
  if (times.length > MOST_TIMES) times.shift();
}

/** What each key does; letters also with Shift, for the way back. */
function keyActions(player, openHelp) {
  const { state } = player;
  return {
    " ": () => player.play(),
    ArrowLeft: (shift) => (shift ? player.stepDecision(-1) : player.step(-1)),
    ArrowRight: (shift) => (shift ? player.stepDecision(1) : player.step(1)),
    Home: () => player.step(-state.frames),
    End: () => player.step(state.frames),
    "[": () => player.changeSpeed(-1),
    "]": () => player.changeSpeed(1),
    l: (shift) => player.stepLoss(shift ? -1 : 1),
    c: (shift) => player.cycle("camera", shift ? -1 : 1),
    t: (shift) => player.cycle("target", shift ? -1 : 1),
    Escape: () => state.show({ camera: -1, target: -1 }),
    "?": openHelp,
  };
}

/** Listen to the keyboard, but leave to each control the keys that it needs itself. */
function listenToKeys(actions, enabled) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (!actions[key] || (key.length === 1 && !enabled())) return;
    const { tagName, type } = event.target;
    const takesText = tagName === "SELECT" || tagName === "TEXTAREA";
    const slides = type === "range" && /^(Home|End)$|^Arrow/.test(key) && !event.shiftKey;
    const presses = key === " " && /^(BUTTON|SUMMARY|INPUT|A)$/.test(tagName) && type !== "range";
    if (takesText || slides || presses) return;
    event.preventDefault();
    actions[key](event.shiftKey);
  });
}
