"""Values that depend on the progress of training alone."""

import math

__all__ = ["epsilon", "learning_rate"]


def epsilon(timestep: int, *, start: float, end: float, decay: float) -> float:
    """Return the share of random actions, `end + (start - end) * exp(-decay * timestep)`.

    Args:
        timestep: frames collected so far.
        start: value at timestep 0.
        end: value that is approached.
        decay: rate per timestep; a smaller one explores longer.
    """
    return end + (start - end) * math.exp(-decay * timestep)


def learning_rate(timestep: int, total_timesteps: int, *, start: float, end: float) -> float:
    """Return the step size: linear from `start` to `end` at `total_timesteps`, then constant."""
    progress = min(timestep / total_timesteps, 1.0)
    return start + (end - start) * progress
