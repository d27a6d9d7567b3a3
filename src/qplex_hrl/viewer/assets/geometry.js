// What a camera sees: its sector, cut where obstacles that it knows stand in the way.

const RADIANS = Math.PI / 180;
const RAY_STEP = 2 * RADIANS;
const BESIDE = 1e-5; // rays this far to both sides of an obstacle's edge

const wrapped = (angle) => Math.atan2(Math.sin(angle), Math.cos(angle));

/** Obstacles [{x, y, radius}] seen from a camera that may cut its view. */
function nearObstacles(episode, frame, camera, range) {
  const [cx, cy] = episode.row("camera_xy", camera);
  const near = [];
  if (episode.about.transmittance >= 1) return near; // they let everything through
  for (let o = 0; o < episode.obstacles; o += 1) {
    if (!episode.value("camera_obstacle", frame, camera, o)) continue;
    const [x, y] = episode.row("obstacle_xy", o);
    const radius = episode.value("obstacle_radius", o);
    const distance = Math.hypot(x - cx, y - cy);
    if (radius > 0 && distance - radius < range) near.push({ x: x - cx, y: y - cy, radius, distance });
  }
  return near;
}

/** Angles from the middle of a view at which rays are sent: even ones, and where shadows turn. */
function rayAngles(phi, half, obstacles) {
  const n = Math.max(2, Math.ceil((2 * half) / RAY_STEP) + 1);
  const angles = Array.from({ length: n }, (_, i) => half * ((2 * i) / (n - 1) - 1));
  for (const { x, y, radius, distance } of obstacles) {
    const middle = wrapped(Math.atan2(y, x) - phi);
    const edge = Math.asin(Math.min(1, radius / distance));
    for (const share of [-1, -0.92, -0.7, -0.35, 0, 0.35, 0.7, 0.92, 1]) {
      for (const beside of Math.abs(share) === 1 ? [-BESIDE, BESIDE] : [0]) {
        const angle = wrapped(middle + share * edge + beside);
        if (Math.abs(angle) <= half) angles.push(angle);
      }
    }
  }
  return angles.sort((a, b) => a - b);
}

/** How far a ray gets before an obstacle stops it. */
function rayLength(bearing, range, obstacles) {
  const [ux, uy] = [Math.cos(bearing), Math.sin(bearing)];
  let length = range;
  for (const { x, y, radius } of obstacles) {
    const along = ux * x + uy * y;
    const cross = ux * y - uy * x;
    const chord = radius * radius - cross * cross;
    if (chord > 0 && along > 0) length = Math.min(length, along - Math.sqrt(chord));
  }
  return length;
}

/** Outline of what a camera sees, as [x, y, x, y, …], without its apex. */
function fieldOfView(episode, frame, camera) {
  const { phi, theta, range } = episode.pose(frame, camera);
  const [cx, cy] = episode.row("camera_xy", camera);
  const obstacles = nearObstacles(episode, frame, camera, range);
  if (obstacles.some(({ distance, radius }) => distance <= radius)) return [];
  const middle = phi * RADIANS;
  const outline = [];
  for (const angle of rayAngles(middle, 0.5 * theta * RADIANS, obstacles)) {
    const length = rayLength(middle + angle, range, obstacles);
    outline.push(cx + length * Math.cos(middle + angle), cy + length * Math.sin(middle + angle));
  }
  return outline;
}
