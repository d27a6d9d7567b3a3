// What cameras believe, drawn over the world: particles, and tracks with their age and error.

const PARTICLE_RADIUS = 2.1;

/** Draw the belief that the selection asks for. */
function drawBelief(world) {
  const { camera, target, layers } = world.view;
  if (camera >= 0) {
    if (layers.particles) drawParticles(world, camera, target);
    if (layers.tracks) drawTracks(world, [camera], target);
  } else if (target >= 0 && layers.tracks) {
    drawTracks(world, Array.from({ length: world.episode.cameras }, (_, c) => c), target);
  }
}

/** Particles of a camera, of one target or (target -1) of all: shape and colour tell the goal. */
function drawParticles(world, camera, target) {
  const { g, episode, frame, palette } = world;
  const k = episode.has("particle_goal") ? episode.decisionKnown(frame) : -1;
  if (k < 0) return;
  const row = episode.particleRow(camera);
  for (let t = 0; t < episode.targets; t += 1) {
    if ((target >= 0 && t !== target) || (target < 0 && episode.sees(frame, camera, t))) continue;
    episode.row("particle_goal", k, row, t).forEach((goal, p) => {
      if (goal < 0) return;
      const [x, y] = world.pixel(...episode.row("particle_xy", k, row, t, p));
      const walksAtRandom = goal === RANDOM_WALK;
      shapePath(g, SHAPES[goal], x, y, PARTICLE_RADIUS);
      g.globalAlpha = 0.85;
      g.strokeStyle = walksAtRandom ? palette.belief : goalColour(palette, goal);
      g.fillStyle = g.strokeStyle;
      g.lineWidth = 1.25;
      if (walksAtRandom) g.stroke();
      else g.fill();
    });
  }
  g.globalAlpha = 1;
}

/** Ghosts where cameras take targets to be that they do not see, with a line to the truth. */
function drawTracks(world, cameras, target) {
  const { g, episode, frame, palette } = world;
  for (const c of cameras) {
    for (let t = 0; t < episode.targets; t += 1) {
      if ((target >= 0 && t !== target) || episode.sees(frame, c, t)) continue;
      const track = episode.track(frame, c, t);
      if (!track) continue;
      const ghost = world.pixel(track.x, track.y);
      const truth = world.pixel(...episode.row("target_xy", frame, t));
      line(g, [ghost, truth], palette.belief, 1, [1, 3]);
      shapePath(g, "disc", ...ghost, 7);
      g.strokeStyle = palette.belief;
      g.lineWidth = 1.75;
      g.setLineDash([3, 2.5]);
      g.stroke();
      g.setLineDash([]);
      const who = cameras.length > 1 ? `C${c}` : `T${t}?`;
      const age = cameras.length > 1 ? "" : `, ${agoWords(track.age)}`;
      world.label(who + age, ghost[0], ghost[1] - 14, { colour: palette.belief, size: 10 });
    }
  }
}

/** Age of a track in words. */
function agoWords(age) {
  if (age < 0) return "never seen";
  return age === 0 ? "now" : `${plural(age, "frame")} ago`;
}

/** For a table: how long ago a camera has detected a target, or any camera it hears of. */
function detectedWords(episode, frame, camera, target) {
  if (episode.sees(frame, camera, target)) return "sees it";
  const age = episode.age(frame, camera, target);
  const { regime } = episode.about;
  if (age === 0 && regime !== "own") return regime === "shared" ? "another sees it" : "is told";
  return age >= 0 ? String(age) : "–";
}

/** What `detectedWords` counts, for captions. */
function detectedCaption({ about }) {
  if (about.regime === "own") return "frames since its last detection";
  return `frames since any camera detected it${about.regime === "shared" ? "" : " (a full view: every camera is told)"}`;
}

/** An estimate's distance from the truth; "~" where there is no track, so it may not be selected. */
function errorWords(estimate) {
  return estimate ? (estimate.tracked ? "" : "~") + digits(estimate.error) : "–";
}

const ERROR_CAPTION = "distance of its estimate from the truth (~ without a track: it may not select the target)";
