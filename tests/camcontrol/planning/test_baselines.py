"""Where predicted views differ, against angles between lines of sight."""

from __future__ import annotations

import numpy as np
from compiled import from_python
from hypothesis import given
from hypothesis import strategies as st

from camcontrol.planning import baselines as module
from camcontrol.planning.plan_tables import allocate_plans
from camcontrol.planning.sight import allocate_sight

compare_views, keep_bearings = map(from_python, (module.compare_views, module.keep_bearings))


@given(
    n_cameras=st.integers(2, 4),
    n_targets=st.integers(1, 4),
    n_trajectories=st.integers(1, 5),
    least=st.sampled_from([0.0, 30.0, 90.0, 179.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_bits_are_set_where_directions_differ(
    n_cameras: int, n_targets: int, n_trajectories: int, least: float, seed: int
) -> None:
    n_frames, n_lanes = 3, n_targets * n_trajectories
    plans = allocate_plans((1, n_cameras, n_targets, 2), n_trajectories, n_frames, (2, 1))
    sizes = (n_cameras, n_frames, n_lanes, len(plans.target_bits))
    baselines = module.allocate_baselines(1, sizes, least)
    degrees = np.random.default_rng(seed).uniform(-180, 180, (n_cameras, n_frames, n_lanes))
    sight = allocate_sight(1, n_lanes, n_frames)
    for c in range(n_cameras):
        sight.bearing[0, 1 : n_frames + 1] = (degrees[c] / 360.0 * 2.0**32).astype(np.int64)
        keep_bearings(sight, c, baselines, 0)
    for _ in range(2):  # nothing of the last time is left
        compare_views(plans, baselines, 0)
    for a in range(n_cameras):
        assert not baselines.apart[0, a, a].any()
        for b in range(n_cameras):
            if a == b:
                continue
            angle = np.abs((degrees[a] - degrees[b] + 180.0) % 360.0 - 180.0)
            for f, n in np.ndindex(n_frames, n_lanes):
                t, k = divmod(n, n_trajectories)
                word, shift = plans.slots[:, f, t]
                is_apart = int(baselines.apart[0, a, b, word]) >> int(shift + k) & 1
                assert is_apart == (angle[f, n] >= least) or abs(angle[f, n] - least) < 1e-6


def test_views_that_all_count_have_no_tables() -> None:
    baselines = module.allocate_baselines(2, (0, 3, 4, 5), 0.0)
    assert baselines.bearing.size == baselines.apart.size == 0
    compare_views(allocate_plans((1, 1, 4, 2), 1, 3, (2, 1)), baselines, 1)
