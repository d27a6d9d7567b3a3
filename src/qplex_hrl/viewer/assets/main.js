// Puts the page together.

/** The frame that the page opens at, and the target if that is where the longest loss begins. */
function openAt(state, episodes, jumpTo) {
  if (state.readHash(window.location.hash) || jumpTo === null) return;
  state.position = jumpTo;
  const longest = longestLosses(episodes[0])[0];
  if (jumpTo > 0 && longest && longest.first === jumpTo) state.target = longest.target;
}

/** The versions of what wrote the recordings. */
function showVersions(episodes) {
  const lines = episodes.map(({ about }) => Object.entries(about.versions || {}).map(([k, v]) => `${k} ${v}`).join(", "));
  setText(byId("versions"), [...new Set(lines)].filter((text) => text).join(" · "));
}

/** Layers and signs of what no recording holds are not offered. */
function hideAbsentLayers(episodes) {
  const needs = { messages: ["camera_messages", "target_messages"], particles: ["particle_goal"], tracks: ["track_xy"] };
  for (const [layer, names] of Object.entries(needs)) {
    const there = episodes.some((episode) => names.some((name) => episode.has(name)));
    for (const node of document.querySelectorAll(`[data-layer="${layer}"]`)) node.hidden = !there;
  }
}

async function main() {
  const manifest = JSON.parse(byId("manifest").textContent);
  const blobs = [...document.querySelectorAll(".blob")];
  const episodes = await Promise.all(manifest.recordings.map(async ({ about, entries }, i) => {
    const arrays = await decodeRecording(entries, blobs[i].textContent);
    return new Episode(about, arrays, "AB"[i]);
  }));
  blobs.forEach((node) => node.remove());
  const alone = episodes.length === 1;
  document.body.classList.toggle("two", !alone);
  const state = new State(episodes, () => {});
  byId("app").hidden = false;
  byId("loading").remove();

  const stages = episodes.map((episode) => new Stage(episode, state, alone));
  const panels = episodes.map((episode) => new Panels(episode, state, alone));
  byId("stages").append(...stages.map((stage) => stage.node));
  byId("details").append(...panels.map((panel) => panel.node));
  const cameras = new Picks(byId("picks"), "camera", state.cameras, (c) => state.selectCamera(c));
  const targets = new Picks(byId("picks"), "target", state.targets, (t) => state.selectTarget(t));
  const plots = new Plots(episodes, state);
  hideAbsentLayers(episodes);
  showVersions(episodes);

  let updateControls = () => {};
  const player = new Player(state, episodes, {
    draw(view) {
      stages.forEach((stage) => stage.world.draw(view));
      plots.draw(view);
      plots.moveCursors(view.frame);
      updateControls();
    },
    inform(view) {
      [...stages, ...panels, plots].forEach((part) => part.inform(view));
      cameras.update(view.camera);
      targets.update(view.target);
      if (!state.playing && window.location.hash !== state.hash()) {
        window.history.replaceState(null, "", state.hash());
      }
    },
    say: (words) => setText(byId("announce"), words),
  });
  updateControls = connectControls(player);
  const help = connectHelp();
  listenToKeys(keyActions(player, help.open), help.enabled);
  openAt(state, episodes, manifest.jumpTo);
  followTheme(state);
  window.addEventListener("hashchange", () => {
    state.readHash(window.location.hash);
    player.request();
  });
  new ResizeObserver(() => player.request()).observe(byId("app"));
  window.replay = { state, player, episodes, fieldOfView, worlds: stages.map((stage) => stage.world), ready: true };
  player.request();
}

main().catch((error) => {
  const words = "DecompressionStream" in window
    ? `The recording could not be read: ${error.message}`
    : "This browser is too old for this page: it needs DecompressionStream (2023 or later).";
  (byId("loading") || document.body).textContent = words;
  throw error;
});
