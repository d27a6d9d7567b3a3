"""Ranges of what a `SelectionEnv` restores: kernels index by some numbers, and trust the others."""

import numpy as np

from camcontrol import decision_arrays as arrays
from camcontrol.tracking.motion_models import Q_GOAL, Q_RANDOM_WALK, STEP_LIGHT, UNKNOWN_ORIGIN
from camcontrol.tracking.track import (
    B_AGE,
    B_KNOWN,
    B_SEEN,
    B_SPEED,
    B_STREAK,
    B_VX,
    B_VY,
    B_X,
    P_COS,
    P_INWARD_SIN,
    P_X,
    P_Y,
)
from camsim.layout import N_WAREHOUSES
from camsim.scripted.memory import M_GOAL, M_TURN
from camsim.scripted.spec import TARGET_POLICIES
from camsim.stored_state import check_range

__all__ = ["check_numbers"]

_MOST = 1e9  # of a number in a camera's memory
_FARTHEST = 1e4  # place or step of a track, far outside the terrain
_LONGEST_STEP = 3.0  # of a track, in longest steps; 1.5 was seen, and from 6 on no goal is likely
_LATEST = 6.0  # frames out of view after which a detection does not trust a track's velocity


def check_numbers(stored: dict[str, np.ndarray]) -> None:
    """Check warehouses and rules, by which kernels index, and tracks, with which they compute.

    Args:
        stored: arrays by name, of the right shapes and types.

    Raises:
        ValueError: a number is out of range.
    """
    check_range("opponent.rule", stored["opponent.rule"], -1, max(TARGET_POLICIES.values()))
    memory = stored["opponent.table"]
    if memory.size:
        check_range("opponent.table", memory[..., M_GOAL], -1, N_WAREHOUSES - 1)
        check_range("opponent.table", memory[..., M_TURN], -1, 1)
    if "agents.particles" in stored and stored["agents.particles"].ndim > Q_GOAL:
        _check_particles(stored["agents.particles"])
    check_range("out.scalars", stored["out.scalars"][:, arrays.X_FRAMES], 0, 1e6)
    pose, belief = stored["agents.pose"], stored["agents.belief"]
    check_range("agents.pose", pose[..., P_X : P_Y + 1], -_FARTHEST, _FARTHEST)
    check_range("agents.pose", pose[..., P_COS : P_INWARD_SIN + 1], -1.01, 1.01)
    check_range("agents.belief", belief, -_MOST, _MOST)
    check_range("agents.belief", belief[..., B_X : B_VY + 1], -_FARTHEST, _FARTHEST)
    _check_velocities(belief)
    for name in ("agents.particles", "agents.origins"):
        if name in stored:
            check_range(name, stored[name], -UNKNOWN_ORIGIN, UNKNOWN_ORIGIN)


def _check_particles(particles: np.ndarray) -> None:
    """Check goals and motion models: a set's mean is that of its goal-directed particles."""
    check_range("agents.particles", particles[..., Q_GOAL, :], -1, N_WAREHOUSES - 1)
    models = particles[..., Q_RANDOM_WALK, :]
    if not np.isin(models, (0.0, 1.0)).all() or bool((models.mean(axis=-1) > 0.5).any()):
        raise ValueError("agents.particles holds motion models that cannot be")


def _check_velocities(belief: np.ndarray) -> None:
    """Check the velocities that goals are inferred from."""
    is_recent = (belief[..., B_KNOWN] > 0.0) & (belief[..., B_AGE] <= _LATEST)
    is_used = is_recent | (belief[..., B_SEEN] > 0.0) | (belief[..., B_STREAK] > 0.0)
    longest = _LONGEST_STEP * np.maximum(STEP_LIGHT, belief[..., B_SPEED])
    steps = np.hypot(belief[..., B_VX], belief[..., B_VY])
    if bool((is_used & (steps > longest)).any()):
        raise ValueError("agents.belief holds a velocity far above the highest one measured")
