// Colours of the canvases, read from the style sheet; warehouses have a shape each as well.

const PALETTE_NAMES = [
  "terrain", "grid", "border", "ink", "soft", "obstacle", "obstacle-edge", "camera", "camera-ink",
  "fast", "belief", "lost", "card", "accent", "message-camera", "message-target", "series-a",
  "series-b", "goal-0", "goal-1", "goal-2", "goal-3", "goal-none",
];
const SHAPES = ["square", "triangle", "diamond", "pentagon", "cross", "disc"];
const GOAL_MARKS = ["■", "▲", "◆", "⬟", "✕"]; // of what particles walk to; ✕ at random
const GOAL_NAMES = [0, 1, 2, 3].map((goal) => `W${goal} ${GOAL_MARKS[goal]}`);

/** All colours as the browser resolves them in the theme that is shown. */
function readPalette() {
  const probe = make("span", { hidden: true });
  document.body.append(probe);
  const palette = {};
  for (const name of PALETTE_NAMES) {
    probe.style.color = `var(--${name})`;
    palette[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  palette.goals = [0, 1, 2, 3].map((goal) => palette[`goal-${goal}`]);
  return palette;
}

const goalColour = (palette, goal) => palette.goals[goal] || palette["goal-none"];

/** The shape of cargo for a warehouse; a disc for none. */
const goalShape = (goal) => (goal >= 0 && goal < 4 ? SHAPES[goal] : "disc");
