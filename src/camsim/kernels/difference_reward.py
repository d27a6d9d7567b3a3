"""Difference rewards: what of the team's coverage would be lost without each camera, unweighted."""

from camsim.arrays import Floats
from camsim.compiled.jit import device_fn
from camsim.kernels.stereo_coverage import needed_cameras
from camsim.state import SimParams, Tables


@device_fn
def add_coverage_lost(i: int, s: Tables, discount: float, difference_reward: Floats) -> None:
    """Add to every camera's difference reward the share of targets that it alone has in view."""
    n_targets = s.targets.shape[1]
    for t in range(n_targets):
        n_seeing, seeing = 0, 0
        for c in range(s.cameras.shape[1]):
            if s.camera_target[i, c, t] > 0.0:
                n_seeing += 1
                seeing = c
        if n_seeing == 1:
            difference_reward[i, seeing] += discount / n_targets


@device_fn
def add_stereo_lost(
    i: int, params: SimParams, s: Tables, discount: float, difference_reward: Floats
) -> None:
    """Add the share of targets that are stereo covered, and would not be without the camera."""
    n_targets = s.targets.shape[1]
    for t in range(n_targets):
        first, second = needed_cameras(i, t, params, s)
        if first >= 0:
            difference_reward[i, first] += discount / n_targets
        if second >= 0:
            difference_reward[i, second] += discount / n_targets
