// Marks on a canvas, in pixels: shapes, arrows, labels.

const CORNERS = { triangle: [3, -90], square: [4, -45], diamond: [4, -90], pentagon: [5, -90] };
const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

/** Begin the path of a shape of about the same area whatever its corners. */
function shapePath(g, shape, x, y, r) {
  g.beginPath();
  if (shape === "cross") {
    g.moveTo(x - r, y - r);
    g.lineTo(x + r, y + r);
    g.moveTo(x - r, y + r);
    g.lineTo(x + r, y - r);
  } else if (!CORNERS[shape]) {
    g.arc(x, y, r, 0, 2 * Math.PI);
  } else {
    const [n, turn] = CORNERS[shape];
    const reach = r * (n === 3 ? 1.35 : 1.2);
    for (let k = 0; k < n; k += 1) {
      const angle = (turn + (360 * k) / n) * RADIANS;
      g.lineTo(x + reach * Math.cos(angle), y + reach * Math.sin(angle));
    }
    g.closePath();
  }
}

function line(g, points, colour, width, dash = []) {
  g.beginPath();
  points.forEach(([x, y], i) => (i ? g.lineTo(x, y) : g.moveTo(x, y)));
  g.strokeStyle = colour;
  g.lineWidth = width;
  g.setLineDash(dash);
  g.stroke();
  g.setLineDash([]);
}

/** Text with a halo, so that it can be read on anything. */
function label(g, text, x, y, { colour, halo, size = 11, bold = false, align = "center" }) {
  g.font = `${bold ? "600 " : ""}${size}px ${FONT}`;
  g.textAlign = align;
  g.textBaseline = "middle";
  g.lineJoin = "round";
  g.lineWidth = 3;
  g.strokeStyle = halo;
  g.strokeText(text, x, y);
  g.fillStyle = colour;
  g.fillText(text, x, y);
}

/** A bent arrow that keeps away from both ends. */
function arrow(g, [x0, y0], [x1, y1], gap, colour, width) {
  const length = Math.hypot(x1 - x0, y1 - y0);
  if (length < 2.5 * gap) return;
  const [ux, uy] = [(x1 - x0) / length, (y1 - y0) / length];
  const bend = 0.12 * length;
  const [mx, my] = [(x0 + x1) / 2 - uy * bend, (y0 + y1) / 2 + ux * bend];
  const start = [x0 + ux * gap, y0 + uy * gap];
  const tip = [x1 - ux * gap, y1 - uy * gap];
  const angle = Math.atan2(tip[1] - my, tip[0] - mx);
  g.beginPath();
  g.moveTo(...start);
  g.quadraticCurveTo(mx, my, ...tip);
  for (const side of [-0.45, 0.45]) {
    g.moveTo(...tip);
    g.lineTo(tip[0] - 8 * Math.cos(angle + side), tip[1] - 8 * Math.sin(angle + side));
  }
  g.strokeStyle = colour;
  g.lineWidth = width;
  g.stroke();
}
