// What is shown: frame, selection, layers, theme. The address keeps frame and selection.

const SPEEDS = [0.25, 0.5, 1, 2, 4, 8, 16];
const LAYERS = ["fields", "trails", "selections", "messages", "particles", "tracks"];

class State {
  constructor(episodes, changed) {
    this.frames = Math.max(...episodes.map((episode) => episode.frames));
    this.cameras = episodes[0].cameras;
    this.targets = episodes[0].targets;
    this.position = 0; // frames, with a fraction while playing
    this.playing = false;
    this.speed = 1;
    this.camera = -1;
    this.target = -1;
    this.layers = Object.fromEntries(LAYERS.map((name) => [name, true]));
    this.theme = "light";
    this.palette = null;
    this.changed = changed;
  }

  get frame() {
    return Math.floor(this.position);
  }

  seek(frame) {
    this.position = Math.max(0, Math.min(this.frames - 1, frame));
    this.changed();
  }

  /** Select a camera; the one that is selected already is let go, as is -1. */
  selectCamera(camera, toggle = true) {
    this.camera = toggle && camera === this.camera ? -1 : camera;
    this.changed();
  }

  selectTarget(target, toggle = true) {
    this.target = toggle && target === this.target ? -1 : target;
    this.changed();
  }

  /** Frame and selection at once, as a link asks for. */
  show({ frame = this.frame, camera = this.camera, target = this.target }) {
    this.playing = false;
    this.camera = camera;
    this.target = target;
    this.seek(frame);
  }

  hash() {
    const parts = [`frame=${this.frame}`];
    if (this.camera >= 0) parts.push(`camera=${this.camera}`);
    if (this.target >= 0) parts.push(`target=${this.target}`);
    return `#${parts.join("&")}`;
  }

  /** Take what an address says, where it makes sense; tell whether it said a frame. */
  readHash(hash) {
    const words = new URLSearchParams(hash.replace(/^#/, ""));
    const number = (name, n) => {
      const value = words.has(name) ? Number(words.get(name)) : NaN;
      return Number.isInteger(value) && value >= 0 && value < n ? value : -1;
    };
    this.camera = number("camera", this.cameras);
    this.target = number("target", this.targets);
    const frame = number("frame", this.frames);
    if (frame >= 0) this.position = frame;
    return frame >= 0;
  }
}
