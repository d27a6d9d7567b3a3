"""Checks our rules against a trace recorded from MATE, step by step from recorded states.

Each phase of each step starts from the record: state k and the recorded action give poses and
positions; recorded poses after the step give the masks; recorded masks and drawn goals give cargo,
rewards and rates; recorded states give observations. So the first wrong rule is named.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from camsim.layout import WAREHOUSE_HALF_WIDTH, WAREHOUSES
from camsim.parity.teacher_forcing import (
    POSE_FIELDS,
    RATE_FIELDS,
    VIEW_FIELDS,
    fields,
    read,
    scales_of,
    simulator_at,
    write,
)
from camsim.parity.ties import in_any_disc, near_border, near_reach, near_tangent
from camsim.parity.trace import Array, Trace
from camsim.sim import BatchSim

__all__ = ["Comparison", "Verification", "sight_share_allowed", "verify_trace"]

LENGTH_TOLERANCE = 1e-9  # positions, ranges, observations, state; angles in degrees, modulo 360
RATE_TOLERANCE = 1e-12
SHARE_ONE_FILE = 0.01
SHARE_ALL_FILES = 0.001
"""Share of the camera-target pairs in view that upstream's polyline may judge differently."""

_EDGE_STEP = 2e-6  # how far a disc's edge is moved to see what else a start on it may lead to
_EDGE_TOLERANCE = 1e-4
_SHORTEST_HEADING = 0.01  # below, rounding of the positions shows in the direction of a move
_CHUNK = 256  # steps replayed at once

_ACCOUNTS = {
    "goals and loads": ("target_goal", "target_goal_bits"),
    "deliveries": ("target_dones", "num_delivered_cargoes", "awaiting_cargo_counts"),
    "waiting cargo": ("remaining_cargoes",),
    "known empty warehouses": ("target_empty_bits",),
    "trip counters": ("target_steps", "tracked_steps"),
    "freights and bounties": ("freights", "bounties"),
    "reward sums": ("target_team_episode_reward", "delayed_target_team_episode_reward"),
    "step counter": ("episode_step",),
}
_ENTITIES = {
    "camera_target_mask": ("camera", "target"),
    "camera_camera_mask": ("camera", "camera"),
    "camera_obstacle_mask": ("camera", "obstacle"),
    "target_camera_mask": ("target", "camera"),
    "target_target_mask": ("target", "target"),
    "target_obstacle_mask": ("target", "obstacle"),
    "remaining_cargoes": ("from warehouse", "to warehouse"),
    "awaiting_cargo_counts": ("warehouse",),
    "warehouse_xy": ("warehouse", "coordinate"),
    "camera_obs": ("camera", "number"),
    "target_obs": ("target", "number"),
    "global_state": ("number",),
}


@dataclass
class Comparison:
    """How one quantity fared over a whole trace."""

    quantity: str
    compared: int = 0
    skipped: int = 0
    largest_error: float = 0.0
    failed: int = 0
    first_failure: str | None = None

    @property
    def agrees(self) -> bool:
        """Whether nothing that was compared is wrong."""
        return self.first_failure is None


@dataclass
class Verification:
    """All comparisons of one trace."""

    comparisons: dict[str, Comparison] = field(default_factory=dict)
    pairs_in_view: int = 0
    """Camera-target pairs within range and angle, obstacles ignored."""
    tangent_pairs: int = 0
    """Of these, pairs that upstream's polyline judges differently, at the edge of a shadow."""
    hidden_pairs: int = 0
    """Pairs in view that an obstacle hides; with transmittance some of them are seen."""
    hidden_seen: int = 0

    @property
    def agrees(self) -> bool:
        """Whether every quantity agrees."""
        return all(comparison.agrees for comparison in self.comparisons.values())

    def of(self, quantity: str) -> Comparison:
        """Return the comparison of a quantity, a new one at its first mention."""
        return self.comparisons.setdefault(quantity, Comparison(quantity))

    def compare(
        self,
        quantity: str,
        values: tuple[str, Array, Array],
        times: Array | None,
        tolerance: float = 0.0,
        skip: Array | None = None,
    ) -> None:
        """Count an array and remember its first wrong entry.

        Args:
            quantity: the row of the report.
            values: recorded name, computed and recorded values [M, ...].
            times: the step that each of the M rows belongs to; None for constants.
            tolerance: largest absolute difference that is no error.
            skip: entries [M, ...] left out; may lack trailing axes.
        """
        name, computed, recorded = values
        error = np.abs(computed.astype(np.float64) - recorded.astype(np.float64))
        if name in ("camera_orientation", "target_orientation"):
            error = np.minimum(error, np.abs(360.0 - error))
        left_out = np.zeros(error.shape, np.bool_)
        if skip is not None:
            left_out |= skip.reshape(skip.shape + (1,) * (error.ndim - skip.ndim))
        wrong = ~(error <= tolerance) & ~left_out
        comparison = self.of(quantity)
        comparison.skipped += int(left_out.sum())
        comparison.compared += int((~left_out).sum())
        comparison.failed += int(wrong.sum())
        largest = error[~left_out].max(initial=0.0)
        comparison.largest_error = max(comparison.largest_error, float(largest))
        if wrong.any() and comparison.first_failure is None:
            where = tuple(int(k) for k in np.argwhere(wrong)[0])
            told = f"recorded {recorded[where]}, computed {computed[where]}"
            comparison.first_failure = f"{name}{_place(name, where, times)}: {told}"

    def fail(self, quantity: str, reason: str) -> None:
        """Mark a quantity as wrong as a whole."""
        comparison = self.of(quantity)
        comparison.failed += 1
        comparison.first_failure = comparison.first_failure or reason


def verify_trace(trace: Trace) -> Verification:
    """Return how every recorded quantity of `trace` compares with our rules.

    Raises:
        ScenarioError: a constant of the trace is not possible in MATE.
    """
    report = Verification()
    _check_constants(report, trace)
    for steps in _chunks(trace.times_before):
        _check_motion(report, trace, steps)
        _check_masks(report, trace, steps)
        _check_cargo(report, trace, steps)
    for times in _chunks(np.arange(trace.n_frames + 1)):
        _check_vectors(report, trace, times)
    _check_shadows(report, trace)
    return report


def sight_share_allowed(reports: Sequence[Verification]) -> bool:
    """Tell whether all traces together keep within upstream's share of differing pairs in view."""
    pairs = sum(report.pairs_in_view for report in reports)
    differing = sum(report.tangent_pairs for report in reports)
    return len(reports) == 1 or differing <= np.ceil(SHARE_ALL_FILES * pairs)


def _chunks(times: Array) -> Iterator[Array]:
    for start in range(0, len(times), _CHUNK):
        yield times[start : start + _CHUNK]


def _place(name: str, where: tuple[int, ...], times: Array | None) -> str:
    """Return words for an index: the step and the entities."""
    indices = where if times is None else where[1:]
    words = [] if times is None else [f"step {int(times[where[0]])}"]
    kinds = _ENTITIES.get(name)
    if kinds is None and indices:
        kinds = ("camera" if name.startswith("camera") else "target", "component")
    words += [f"{kind} {k}" for kind, k in zip(kinds or (), indices, strict=False)]
    return f" at {', '.join(words)}" if words else ""


def _check_constants(report: Verification, trace: Trace) -> None:
    arrays, meta = trace.arrays, trace.meta
    if "warehouse_xy" in arrays:
        warehouses = ("warehouse_xy", WAREHOUSES, arrays["warehouse_xy"])
        report.compare("warehouses and scales", warehouses, None, LENGTH_TOLERANCE)
    for key, value in zip(("freight_scale", "bounty_scale"), scales_of(trace), strict=True):
        if key in meta:
            values = (f"meta.{key}", np.array(value), np.array(meta[key]))
            report.compare("warehouses and scales", values, None)
    seen = read(simulator_at(trace, np.zeros(1, np.int64)), "camera_obstacle_mask")[0]
    values = ("camera_obstacle_mask", seen, arrays["camera_obstacle_mask"])
    reach = arrays["camera_max_sight_range"][:, None] + arrays["obstacle_radius"]
    tie = near_reach(arrays["camera_xy"], arrays["obstacle_xy"], reach)
    report.compare("camera-obstacle mask", values, None, 0.0, tie & (seen != values[2]))


def _check_motion(report: Verification, trace: Trace, steps: Array) -> None:
    """Phase 1: poses and positions after the recorded actions."""
    sim = simulator_at(trace, steps)
    actions = (trace.frame("camera_action")[steps], trace.frame("target_action")[steps])
    sim.move(*(np.ascontiguousarray(action, np.float64) for action in actions))
    for name, quantity in (
        ("camera_orientation", "camera orientations"),
        ("camera_viewing_angle", "camera viewing angles"),
        ("camera_sight_range", "camera sight ranges"),
    ):
        values = (name, read(sim, name), trace.after(name)[steps])
        report.compare(quantity, values, steps, LENGTH_TOLERANCE)
    skip = trace.frame("move_order_ambiguous")[steps] > 0
    recorded = trace.after("target_xy")[steps]
    off = (np.abs(read(sim, "target_xy") - recorded) > LENGTH_TOLERANCE).any(-1)
    flag_off = (read(sim, "target_is_colliding") > 0) != trace.after("target_is_colliding")[steps]
    if ((off | flag_off) & trace.edge_starts[steps]).any():
        skip = skip | _other_outcome(trace, steps)
    values = ("target_xy", read(sim, "target_xy"), recorded)
    report.compare("target positions", values, steps, LENGTH_TOLERANCE, skip)
    recorded_flag = trace.after("target_is_colliding")[steps]
    values = ("target_is_colliding", read(sim, "target_is_colliding"), recorded_flag)
    report.compare("collision flags", values, steps, 0.0, skip)
    if "target_orientation" in trace.arrays:
        moved = np.hypot(*np.moveaxis(recorded - trace.before("target_xy")[steps], -1, 0))
        skip = skip | ((moved > 0) & (moved < _SHORTEST_HEADING))
        orientation = trace.after("target_orientation")[steps]
        values = ("target_orientation", read(sim, "target_orientation"), orientation)
        report.compare("target orientations", values, steps, LENGTH_TOLERANCE, skip)


def _other_outcome(trace: Trace, steps: Array) -> Array:
    """Return the moves [M, T] from an edge that end as if they started just inside or outside."""
    explained = np.zeros((len(steps), trace.n_targets), np.bool_)
    for shift in (-_EDGE_STEP, _EDGE_STEP):
        sim = simulator_at(trace, steps)
        arrays = fields(sim)
        for name in ("obstacle_radius", "camera_radius"):
            arrays[name][...] = np.where(arrays[name] > 0, arrays[name] + shift, 0.0)
        actions = (trace.frame("camera_action")[steps], trace.frame("target_action")[steps])
        sim.move(*(np.ascontiguousarray(action, np.float64) for action in actions))
        off = np.abs(read(sim, "target_xy") - trace.after("target_xy")[steps])
        explained |= (off <= _EDGE_TOLERANCE).all(-1)
    explained &= trace.edge_starts[steps]
    return explained


def _check_masks(report: Verification, trace: Trace, steps: Array) -> None:
    """Phase 2: who sees whom, from the recorded poses after the steps."""
    sim = simulator_at(trace, steps + 1)
    for name in VIEW_FIELDS:  # so that a mask which is not computed cannot pass
        read(sim, name)[...] = False
    sim.see()
    tracked: Array = np.asarray((trace.after("camera_target_mask")[steps] > 0).any(1))
    recorded = trace.after("tracked_bits")[steps]
    report.compare("tracked", ("tracked_bits", tracked, recorded), steps)
    _check_range_masks(report, trace, sim, steps)
    seen = _see_with(sim, trace.transmittance)
    _check_sight(report, trace, steps, "camera_camera_mask", seen)
    _check_sight(report, trace, steps, "camera_target_mask", seen)


def _see_with(sim: BatchSim, transmittance: float) -> dict[str, tuple[Array, Array]]:
    """Return what is surely and what is possibly seen, by the name of the mask."""
    cameras = read(sim, "camera_camera_mask").copy()
    seen = []
    for chance in (0.0, 1.0):
        sim.params = sim.params._replace(transmittance=chance)
        sim.see()
        seen.append(read(sim, "camera_target_mask").copy())
    sim.params = sim.params._replace(transmittance=transmittance)
    clear, in_view = seen
    surely = clear if transmittance < 1.0 else in_view
    possibly = clear if transmittance == 0.0 else in_view
    return {
        "camera_camera_mask": (cameras, cameras),
        "camera_target_mask": (surely, possibly),
        "in_view": (clear, in_view),
    }


def _check_sight(
    report: Verification,
    trace: Trace,
    steps: Array,
    name: str,
    seen: dict[str, tuple[Array, Array]],
) -> None:
    """Compare a mask that obstacles decide on, with upstream's allowance at edges of shadows."""
    recorded = trace.after(name)[steps] > 0
    surely, possibly = seen[name]
    nearest = np.where(recorded, possibly, surely)  # what is random takes the recorded value
    skip = np.zeros(recorded.shape, np.bool_)
    for row, c, other in np.argwhere(nearest != recorded):
        time = int(steps[row]) + 1
        border, tangent = _unclear(trace, time, int(c), int(other), name)
        skip[row, c, other] = border or tangent
        report.tangent_pairs += name == "camera_target_mask" and tangent and not border
    quantity = name.removesuffix("_mask").replace("_", "-") + " mask"
    report.compare(quantity, (name, nearest, recorded), steps, 0.0, skip)
    if name == "camera_target_mask":
        clear, in_view = seen["in_view"]
        report.pairs_in_view += int(in_view.sum())
        report.hidden_pairs += int((in_view & ~clear).sum())
        report.hidden_seen += int((in_view & ~clear & recorded).sum())


def _unclear(trace: Trace, time: int, c: int, other: int, name: str) -> tuple[bool, bool]:
    """Tell whether a pair is on the border of the view, and at the edge of a shadow."""
    arrays = trace.arrays
    eye = arrays["camera_xy"][c]
    to_target = name == "camera_target_mask"
    point = arrays["target_xy"][time, other] if to_target else arrays["camera_xy"][other]
    pose = [
        arrays[f"camera_{key}"][time, c] for key in ("orientation", "viewing_angle", "sight_range")
    ]
    border = near_border(point - eye, *(float(number) for number in pose))
    discs = (arrays["obstacle_xy"], arrays["obstacle_radius"])
    tangent = trace.transmittance < 1.0 and near_tangent(eye, point, *discs)
    if not tangent and to_target and "camera_target_boundary" in arrays:
        # Inside a disc upstream's interpolation, not geometry, says how far one sees.
        free = arrays["camera_target_boundary"][time, c, other] * (1.0 + 1e-6)
        as_recorded = (np.linalg.norm(point - eye) <= free + 1e-3) == bool(
            arrays[name][time, c, other]
        )
        tangent = in_any_disc(point, *discs) and bool(as_recorded)
    return border, tangent


def _check_range_masks(report: Verification, trace: Trace, sim: BatchSim, steps: Array) -> None:
    """Compare what targets perceive: pure ranges, exact but for ties."""
    arrays = trace.arrays
    targets = trace.after("target_xy")[steps]
    others = {
        "target_camera_mask": (arrays["camera_xy"], arrays["camera_radius"]),
        "target_target_mask": (targets, np.zeros(trace.n_targets)),
        "target_obstacle_mask": (arrays["obstacle_xy"], arrays["obstacle_radius"]),
    }
    for name, (xy, radius) in others.items():
        recorded = trace.after(name)[steps] > 0
        computed = read(sim, name)
        tie = near_reach(targets, xy, arrays["target_sight_range"][:, None] + radius)
        skip = tie & (computed != recorded)
        quantity = name.removesuffix("_mask").replace("_", "-") + " mask"
        report.compare(quantity, (name, computed, recorded), steps, 0.0, skip)


def _check_cargo(report: Verification, trace: Trace, steps: Array) -> None:
    """Phase 3: cargo, rewards, rates and the end, with recorded masks and drawn goals."""
    sim = simulator_at(trace, steps)
    write(sim, trace, steps + 1, POSE_FIELDS + VIEW_FIELDS)
    had_goal = read(sim, "target_goal").copy()
    load_before = sim.view.targets.load.copy()
    # Where our rules draw a goal, the recorded one is taken; elsewhere it is not looked at.
    result = sim.settle(trace.after("target_goal")[steps].astype(np.int64))
    goal, load = read(sim, "target_goal"), sim.view.targets.load
    offset = np.abs(trace.after("target_xy")[steps][..., None, :] - WAREHOUSES)
    inside = (offset <= WAREHOUSE_HALF_WIDTH).all(-1)
    place = np.where(inside.any(-1), inside.argmax(-1), -1)
    free = (place >= 0) & ((had_goal < 0) | (had_goal == place))
    picked = free & (goal >= 0)
    has_cargo = np.asarray(~picked | (load > 0))
    valid = ("target_goal", has_cargo, np.ones_like(has_cargo))
    report.compare("drawn goals have cargo", valid, steps, 0.0, ~picked)
    report.of("drawn goals have cargo").skipped = 0  # where nothing is drawn, nothing is allowed
    for name, computed in (
        ("picked_up", picked),
        ("at_warehouse", place),
        ("delivered_weight", np.where(read(sim, "target_dones") > 0, load_before, 0)),
    ):
        quantity = "pick-ups" if name == "picked_up" else "deliveries"
        report.compare(quantity, (name, computed, trace.frame(name)[steps]), steps)
    for quantity, names in _ACCOUNTS.items():
        for name in names:
            report.compare(quantity, (name, read(sim, name), trace.after(name)[steps]), steps)
    for name, computed in (
        ("target_team_reward", result.target_reward),
        ("camera_team_reward", result.camera_reward),
        ("done", result.done),
    ):
        quantity = "end of the episode" if name == "done" else "rewards"
        report.compare(quantity, (name, computed, trace.frame(name)[steps]), steps)
    for name in RATE_FIELDS:
        values = (name, read(sim, name), trace.after(name)[steps])
        report.compare("rates", values, steps, RATE_TOLERANCE)


def _check_vectors(report: Verification, trace: Trace, times: Array) -> None:
    """Phase 4: observations and global state from the recorded states and masks."""
    arrays, index = trace.arrays, trace.arrays["obs_index"]
    obs = simulator_at(trace, times).observe()
    stored = np.flatnonzero((index >= times[0]) & (index <= times[-1]))
    rows = index[stored] - times[0]
    for name, quantity, computed in (
        ("camera_obs", "camera observations", obs.camera_obs),
        ("target_obs", "target observations", obs.target_obs),
    ):
        values = (name, computed[rows], arrays[name][stored])
        report.compare(quantity, values, index[stored], LENGTH_TOLERANCE)
    state = arrays["global_state"]
    if len(state) == trace.n_frames + 1:
        values = ("global_state", obs.state, state[times])
        report.compare("global states", values, times, LENGTH_TOLERANCE)
    else:
        values = ("global_state", obs.state[rows], state[stored])
        report.compare("global states", values, index[stored], LENGTH_TOLERANCE)


def _check_shadows(report: Verification, trace: Trace) -> None:
    """Check the share of pairs at edges of shadows, and how often hidden pairs were seen."""
    allowed = int(np.ceil(SHARE_ONE_FILE * report.pairs_in_view))
    if report.tangent_pairs > allowed:
        told = f"{report.tangent_pairs} pairs at edges of shadows differ"
        report.fail("camera-target mask", f"{told}; expected at most {allowed}")
    chance, hidden = trace.transmittance, report.hidden_pairs
    if 0.0 < chance < 1.0:
        spread = 6.0 * np.sqrt(hidden * chance * (1.0 - chance)) + 1.0
        if abs(report.hidden_seen - hidden * chance) > spread:
            told = f"{report.hidden_seen} of {hidden} pairs seen through obstacles"
            report.fail("camera-target mask", f"{told} at transmittance {chance}")
