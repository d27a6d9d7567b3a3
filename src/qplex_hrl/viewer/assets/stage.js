// One recording on the stage.

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
