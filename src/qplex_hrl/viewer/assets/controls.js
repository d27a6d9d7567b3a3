// Controls: theme, the player's bar, layers, help.

/** Light or dark: what the system wants until the button is pressed. */
function followTheme(state) {
  const wantsDark = window.matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const apply = () => {
    state.theme = root.dataset.theme || (wantsDark.matches ? "dark" : "light");
    state.palette = readPalette();
    byId("theme").setAttribute("aria-pressed", String(state.theme === "dark"));
    state.changed();
  };
  byId("theme").addEventListener("click", () => {
    root.dataset.theme = state.theme === "dark" ? "light" : "dark";
    apply();
  });
  wantsDark.addEventListener("change", apply);
  apply();
}

/** Connect the bar of controls; returns what updates it. */
function connectControls(player) {
  const { state } = player;
  const slider = byId("frame");
  const speed = byId("speed");
  slider.max = state.frames - 1;
  slider.addEventListener("input", () => {
    state.playing = false;
    state.seek(Number(slider.value));
  });
  speed.append(...SPEEDS.map((s) => make("option", { value: s }, `${s}×`)));
  speed.addEventListener("change", () => { state.speed = Number(speed.value); });
  const press = (id, action) => byId(id).addEventListener("click", action);
  press("play", () => player.play());
  press("back", () => player.step(-1));
  press("on", () => player.step(1));
  press("decision-back", () => player.stepDecision(-1));
  press("decision-on", () => player.stepDecision(1));
  press("loss-back", () => player.stepLoss(-1));
  press("loss-on", () => player.stepLoss(1));
  for (const name of LAYERS) {
    byId(`layer-${name}`).addEventListener("change", (event) => {
      state.layers[name] = event.target.checked;
      state.changed();
    });
  }
  return () => {
    slider.value = state.frame;
    slider.setAttribute("aria-valuetext", `frame ${state.frame} of ${state.frames - 1}`);
    setText(byId("readout"), `${state.frame} / ${state.frames - 1}`);
    if (speed.value !== String(state.speed)) speed.value = String(state.speed);
    const playing = byId("play");
    playing.setAttribute("aria-label", state.playing ? "Pause" : "Play");
    playing.classList.toggle("playing", state.playing);
  };
}

/** The help on keys; its own box turns single keys off. */
function connectHelp() {
  const dialog = byId("help");
  const open = () => dialog.showModal();
  byId("keys").addEventListener("click", open);
  return { open, enabled: () => byId("keys-on").checked };
}
