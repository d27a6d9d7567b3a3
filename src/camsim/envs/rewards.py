"""Rewards of TeamEnv: the team's raw reward, or a weighted sum of auxiliary terms (world 9.8)."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from numbers import Real

import numba
import numpy as np
from numpy.typing import NDArray

from camsim.arrays import Floats, Ints, SmallInts
from camsim.bounds import shortened
from camsim.compiled.jit import batch_kernel, device_fn, row
from camsim.envs.information import Information
from camsim.envs.step_kernel import KEEP, STEP
from camsim.kernels.boundary import BoundaryTables, allocate_boundaries, trace_boundaries
from camsim.kernels.reward_terms import (
    CAMERA_TERMS,
    TARGET_TERMS,
    write_camera_terms,
    write_target_terms,
)
from camsim.kernels.soft_coverage import allocate_scores, score_pairs
from camsim.sim import BatchSim
from camsim.state import SimParams, Tables

REDUCTIONS = ("none", "mean", "sum", "max", "min")
"""How the rewards of a team are shared: not at all, or every agent gets the one figure."""

Coefficient = float | Callable[..., NDArray[np.float64] | float]
"""A weight, or a function (agent_index, episode_id, episode_step, raw_reward, value) of arrays
[N, A] that returns weights [N, A] or one number."""


def check_rewards(names: Mapping[str, object], reduction: str, columns: Sequence[str]) -> None:
    """Check the names of a choice of reward terms.

    Args:
        names: the coefficients by term.
        reduction: one of REDUCTIONS.
        columns: CAMERA_TERMS or TARGET_TERMS.

    Raises:
        ValueError: a term or the reduction does not exist.
    """
    for what, found, known in (
        *(("reward term", name, columns) for name in names),
        ("reduction", reduction, REDUCTIONS),
    ):
        if found not in known:
            close = difflib.get_close_matches(str(found), known, n=1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise ValueError(f"{what} {shortened(found)}; expected one of {', '.join(known)}{hint}")


def uses_soft_coverage(coefficients: Mapping[str, object]) -> bool:
    """Tell whether the pairs must be scored for these coefficients: only then it costs time."""
    return "soft_coverage_score" in coefficients


def weights(
    terms: Floats,
    coefficients: Mapping[str, Coefficient],
    columns: Sequence[str],
    episode_id: NDArray[np.int64] | int = 0,
    episode_step: NDArray[np.int64] | int = 0,
) -> dict[str, Floats]:
    """Return the weight [N, A] of each given term, with functions evaluated.

    Args:
        terms: [N, A, K] unweighted.
        coefficients: numbers or functions by term.
        columns: names of the K columns.
        episode_id: [N] or one number: episodes since the start, from 0.
        episode_step: [N] or one number: frames of the episode, this one included.

    Raises:
        ValueError: a term does not exist, or a function returns another shape.
    """
    check_rewards(coefficients, "none", columns)
    shape = terms.shape[:2]
    clocks = [
        np.broadcast_to(np.asarray(clock).reshape(-1, 1), shape)
        for clock in (episode_id, episode_step)
    ]
    agents = np.broadcast_to(np.arange(shape[1]), shape)
    raw = terms[..., columns.index("raw_reward")]
    found: dict[str, Floats] = {}
    for name, coefficient in coefficients.items():
        if callable(coefficient):
            value = terms[..., columns.index(name)]
            weight = np.asarray(coefficient(agents, *clocks, raw, value), np.float64)
        else:
            weight = np.asarray(coefficient, np.float64)
        if weight.shape not in ((), shape):
            raise ValueError(
                f"coefficient of {shortened(name)} has shape {weight.shape}; expected {shape}"
            )
        found[name] = np.broadcast_to(weight, shape)
    return found


def combine(
    terms: Floats,
    coefficients: Mapping[str, Coefficient],
    reduction: str = "none",
    columns: Sequence[str] | None = None,
    episode_id: NDArray[np.int64] | int = 0,
    episode_step: NDArray[np.int64] | int = 0,
) -> Floats:
    """Return the rewards [N, A]: the sum of the given terms times their coefficients.

    Args:
        terms: [N, A, K] unweighted, of `write_camera_terms` or `write_target_terms`.
        coefficients: numbers or functions by term; terms that are not named count nothing.
        reduction: none, or the figure over the team that every agent gets: mean, sum, max, min.
        columns: names of the K columns; without them K tells the team.
        episode_id: [N] or one number, for functions.
        episode_step: [N] or one number, for functions.

    Raises:
        ValueError: a term or the reduction does not exist, or a function returns another shape.
    """
    if columns is None:
        columns = CAMERA_TERMS if terms.shape[2] == len(CAMERA_TERMS) else TARGET_TERMS
    check_rewards(coefficients, reduction, columns)
    rewards: Floats = np.zeros(terms.shape[:2])
    for name, weight in weights(terms, coefficients, columns, episode_id, episode_step).items():
        rewards += weight * terms[..., columns.index(name)]
    if reduction == "none" or rewards.shape[1] == 0:
        return rewards
    shared = {
        "mean": rewards.mean(axis=1),
        "sum": rewards.sum(axis=1),
        "max": rewards.max(axis=1),
        "min": rewards.min(axis=1),
    }[reduction]
    rewards[:] = shared[:, None]
    return rewards


Coefficients = Mapping[str, Coefficient]


@device_fn
def _write_one(
    i: int,
    job: int,
    params: SimParams,
    s: Tables,
    boundaries: BoundaryTables,
    scores: Floats,
    terms: tuple[Floats, Floats],
) -> None:
    if job != STEP:
        trace_boundaries(i, params, s, boundaries)
    score_pairs(i, s, boundaries, scores)
    if len(terms[0]) > 0:
        write_camera_terms(i, params, s, scores, terms[0])
    if len(terms[1]) > 0:
        write_target_terms(i, params, s, scores, terms[1])


@batch_kernel
def _write_batch(
    jobs: SmallInts,
    params: SimParams,
    s: Tables,
    boundaries: BoundaryTables,
    scores: Floats,
    camera_terms: Floats,
    target_terms: Floats,
) -> None:
    """Write the terms of all environments that were not left alone; free ranges once an episode."""
    for i in numba.prange(len(s.rng)):
        if jobs[i] != KEEP:
            terms = (camera_terms, target_terms)
            _write_one(row(i), jobs[i], params, s, boundaries, scores, terms)


class _TeamTerms:
    """Reward terms of one team and their weights."""

    def __init__(
        self,
        team: str,
        coefficients: Coefficients | None,
        reduction: str,
        shape: tuple[int, int],
    ) -> None:
        self.team, self.reduction = team, reduction
        self.columns: Sequence[str] = CAMERA_TERMS if team == "camera" else TARGET_TERMS
        self.used = coefficients is not None
        self.coefficients = {} if coefficients is None else dict(coefficients)
        _check(team, self.coefficients, reduction, self.columns, self.used)
        self.terms = np.zeros((shape[0] * self.used, shape[1], len(self.columns)))

    def rewards(self, episode_id: Ints, step: Floats, reduction: str) -> Floats:
        """Return the rewards [N, A]; 0 in environments that stand at an episode's start."""
        clocks = {"episode_id": episode_id, "episode_step": step.astype(np.int64)}
        found = combine(self.terms, self.coefficients, reduction, self.columns, **clocks)
        found[step == 0.0] = 0.0
        return found

    def add_information(self, info: Information, episode_id: Ints, step: Floats) -> None:
        """Add what MATE's reward wrapper adds to info dicts."""
        if not self.used:
            return
        clocks = {"episode_id": episode_id, "episode_step": step.astype(np.int64)}
        given = weights(self.terms, self.coefficients, self.columns, **clocks)
        for name, weight in given.items():
            value = self.terms[..., self.columns.index(name)].copy()
            info[f"{self.team}.auxiliary_reward_{name}"] = value
            info[f"{self.team}.reward_coefficient_{name}"] = weight.copy()
            if name not in info:
                info.setdefault(f"{self.team}.{name}", value.copy())
        info[f"{self.team}.reward"] = self.rewards(episode_id, step, "none")
        if self.reduction != "none":
            shared = self.rewards(episode_id, step, self.reduction)
            info[f"{self.team}.shared_reward"] = shared


def _check(
    team: str,
    coefficients: Coefficients,
    reduction: str,
    columns: Sequence[str],
    used: bool,
) -> None:
    try:
        check_rewards(coefficients, reduction, columns)
    except ValueError as error:
        raise ValueError(f"{team}s: {error}") from None
    for name, value in coefficients.items():
        number = isinstance(value, Real) and np.isfinite(float(value))
        if not callable(value) and not number:
            expected = "expected a finite number or a function"
            raise ValueError(f"{team}_rewards: {name} = {shortened(value)}; {expected}")
    if reduction != "none" and not used:
        raise ValueError(f"{team}_reduction = {shortened(reduction)} needs {team}_rewards")


class TeamRewards:
    """Rewards of both teams; costs nothing where no coefficients are given."""

    def __init__(
        self,
        sim: BatchSim,
        coefficients: tuple[Coefficients | None, Coefficients | None],
        reductions: tuple[str, str],
    ) -> None:
        """Allocate what the coefficients need: cameras' first, then targets'.

        Raises:
            ValueError: a term or a reduction is unknown, or a coefficient is no number.
        """
        self._sim = sim
        n, (c, t, o) = sim.num_envs, [len(box) for box in sim.boxes]
        self.cameras = _TeamTerms("camera", coefficients[0], reductions[0], (n, c))
        self.targets = _TeamTerms("target", coefficients[1], reductions[1], (n, t))
        teams = (self.cameras, self.targets)
        soft = any(uses_soft_coverage(team.coefficients) for team in teams)
        self._boundaries = allocate_boundaries(n * soft, c, o)
        self._scores = allocate_scores(n, c, t, used=soft)

    def write(
        self, jobs: SmallInts, episode_id: Ints, camera_reward: Floats, target_reward: Floats
    ) -> None:
        """Write the rewards [N, C] and [N, T] of the frame that `jobs` [N] describes."""
        world, sparse = self._sim.view.world, self._sim.params.sparse_reward
        raw = (world.reward_delayed if sparse else world.reward_dense)[:, None]
        if self.cameras.used or self.targets.used:
            self.refresh(jobs)
        for team, out, plain in (
            (self.cameras, camera_reward, 0.0 - raw),  # not -0.0
            (self.targets, target_reward, raw + 0.0),
        ):
            out[...] = team.rewards(episode_id, world.step, team.reduction) if team.used else plain

    def refresh(self, jobs: SmallInts) -> None:
        """Recompute the terms, and where `jobs` [N] is no step also free ranges."""
        _write_batch(
            jobs,
            self._sim.params,
            self._sim.tables,
            self._boundaries,
            self._scores,
            self.cameras.terms,
            self.targets.terms,
        )

    def add_information(self, info: Information, episode_id: Ints) -> None:
        """Add terms, coefficients and rewards to the information."""
        step = self._sim.view.world.step
        self.cameras.add_information(info, episode_id, step)
        self.targets.add_information(info, episode_id, step)
