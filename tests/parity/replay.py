"""What the kernels see in every frame of a trace, kept for several tests."""

from __future__ import annotations

from functools import cache

from parity.golden import Array, load_trace

from camsim.parity.teacher_forcing import VIEW_FIELDS, read, simulator_at


@cache
def replay_views(name: str) -> dict[str, Array]:
    """Phase 2 of every frame of a trace, from the recorded poses after it, by recorded name."""
    trace = load_trace(name)
    sim = simulator_at(trace, trace.times_after)
    for view in VIEW_FIELDS:  # so that a mask which is not computed cannot pass
        read(sim, view)[...] = False
    sim.see()
    return {view: read(sim, view) for view in VIEW_FIELDS}
