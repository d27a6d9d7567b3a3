"""A particle filter per target, of a camera or of a team: where targets out of view may be.

A frame's update has these steps. A detection sets all particles of a target to its position.
Without one, particles coast: they move by their motion models. Negative information gives weight 0
to each particle where the camera would surely detect a target. Resampling replaces particles of
weight 0. The estimate of a target's position is the mean of its goal-directed particles. Particle
sets are kept for the whole episode.

The camera uses its observations and the geometry of all MATE worlds. Its random numbers start from
its first observation. Cameras that share all they see know the same. So each can have the one set
of the team: from its own observation it computes the same numbers as every other.
"""

import numpy as np

from camcontrol.tracking.motion_models import (
    PARTICLE_ROWS,
    Q_GOAL,
    Q_NOISE_Y,
    Q_RANDOM_WALK,
    Q_X,
    Q_Y,
    UNKNOWN_ORIGIN,
    ParticleSets,
    between,
    detection_update,
    initialise,
    open_stream,
    open_team_stream,
    propagate,
    set_of,
    start_coasting,
    uniform,
)
from camcontrol.tracking.track import (
    B_AGE,
    B_KNOWN,
    B_MISSES,
    B_SEEN,
    B_VX,
    B_VY,
    estimate_at,
)
from camcontrol.tracking.visibility import sight_limits, surely_observed, surely_sees
from camsim.arrays import Floats, UInt64s
from camsim.compiled.jit import device_fn, outlined_fn
from camsim.layout import TERRAIN, WAREHOUSES

_LONG_ABSENCE = 5.0  # frames out of view after which a trip's origin is unknown
_JITTER = 10.0  # largest distance of a resampled particle from its parent, units, each axis
_DRAWS = 8  # tries to find a position outside all known views
_OFF_TRACK = 100.0  # largest distance of a new particle from a straight way, units, each axis


@device_fn
def clear_particles(particles: Floats, stream: UInt64s, i: int, c: int) -> None:
    """Mark all particle sets of camera c as not initialised: a new episode begins."""
    if particles.ndim == 5:  # decided when compiling, which works for an argument only
        stream[i, set_of(particles, c)] = np.uint64(0)


@device_fn
def has_particles(particles: Floats) -> bool:
    """Tell whether there is a particle belief at all."""
    return particles.ndim == 5


@device_fn
def n_knowing(particles: Floats, n_cameras: int) -> int:
    """Return how many cameras of an environment need a belief computed; the others know the same.

    `particles` are an environment's, or empty.
    """
    if particles.ndim == 5:  # decided when compiling
        return int(min(particles.shape[1], n_cameras))
    return n_cameras


@device_fn
def _may_hold(obs: Floats, j: int, limits: tuple[float, float], particle_set: Floats) -> bool:
    """Tell whether any particle may be surely seen by the camera at obs[j:]: few sets have one.

    `limits`: of `surely_sees`, which says it exactly. This loop has no branch and no root.
    """
    x, y, ahead_x, ahead_y = obs[j], obs[j + 1], obs[j + 3], obs[j + 4]
    share = 0.999 * limits[1] * limits[1]
    n_near = 0
    for p in range(particle_set.shape[1]):
        ux, uy = particle_set[Q_X, p] - x, particle_set[Q_Y, p] - y
        squared, along = ux * ux + uy * uy, ux * ahead_x + uy * ahead_y
        ahead = (along >= 0.0) & (along * along >= share * squared)
        n_near += ahead & (squared <= limits[0])
    return n_near > 0


@outlined_fn
def _apply_negative_information(
    obs: Floats, k: int, j: int, belief: Floats, particles: Floats, where: tuple[int, int]
) -> None:
    """Give weight 0 to unseen targets' particles that the camera at obs[j:] would surely detect."""
    i, c = where
    m = set_of(particles, c)
    limits = sight_limits(obs, j)
    for t in range(particles.shape[2]):
        if belief[i, c, t, B_SEEN] > 0.0:
            continue
        particle_set = particles[i, m, t]
        if not _may_hold(obs, j, limits, particle_set):
            continue
        for p in range(particle_set.shape[1]):
            if surely_sees(obs, k, j, limits, particle_set[Q_X, p], particle_set[Q_Y, p]):
                particle_set[Q_GOAL, p] = -1.0


@outlined_fn
def _draw_anywhere(
    obs: Floats,
    k: int,
    shared: bool,
    particle_set: Floats,
    p: int,
    stream: UInt64s,
    where: tuple[int, int],
) -> None:
    """Draw the position of random-walk particle p anew, outside all known views if possible."""
    i, m = where
    for _ in range(_DRAWS):
        particle_set[Q_X, p] = between(stream, i, m, -TERRAIN, TERRAIN)
        particle_set[Q_Y, p] = between(stream, i, m, -TERRAIN, TERRAIN)
        if not surely_observed(obs, k, shared, particle_set[Q_X, p], particle_set[Q_Y, p]):
            break
    particle_set[Q_GOAL, p] = int(uniform(stream, i, m) * 4.0)  # weight above 0 again


@outlined_fn
def _reinitialise(
    obs: Floats, k: int, shared: bool, particle_set: Floats, stream: UInt64s, where: tuple[int, int]
) -> None:
    """Draw goal-directed particles anew, near ways between warehouses, outside known views."""
    i, m = where
    for p in range(particle_set.shape[1]):
        if particle_set[Q_RANDOM_WALK, p] > 0.0:
            continue
        for _ in range(_DRAWS):
            goal = int(uniform(stream, i, m) * 4.0)
            other = (goal + 1 + int(uniform(stream, i, m) * 3.0)) % 4
            share = uniform(stream, i, m)
            x = WAREHOUSES[goal, 0] + share * (WAREHOUSES[other, 0] - WAREHOUSES[goal, 0])
            y = WAREHOUSES[goal, 1] + share * (WAREHOUSES[other, 1] - WAREHOUSES[goal, 1])
            x += between(stream, i, m, -_OFF_TRACK, _OFF_TRACK)
            y += between(stream, i, m, -_OFF_TRACK, _OFF_TRACK)
            x, y = min(max(x, -TERRAIN), TERRAIN), min(max(y, -TERRAIN), TERRAIN)
            particle_set[Q_X, p], particle_set[Q_Y, p], particle_set[Q_GOAL, p] = x, y, goal
            if not surely_observed(obs, k, shared, x, y):
                break


@outlined_fn
def _replace_lost(particle_set: Floats, stream: UInt64s, where: tuple[int, int]) -> None:
    """Put each particle of weight 0 near a random goal-directed parent of weight above 0."""
    i, m = where
    n = particle_set.shape[1]
    for p in range(n):
        if particle_set[Q_GOAL, p] >= 0.0:
            continue
        parent = int(uniform(stream, i, m) * n)
        while particle_set[Q_GOAL, parent] < 0.0 or particle_set[Q_RANDOM_WALK, parent] > 0.0:
            parent = (parent + 1) % n
        for row in range(Q_GOAL, Q_NOISE_Y + 1):
            particle_set[row, p] = particle_set[row, parent]
        x = particle_set[Q_X, parent] + between(stream, i, m, -_JITTER, _JITTER)
        y = particle_set[Q_Y, parent] + between(stream, i, m, -_JITTER, _JITTER)
        particle_set[Q_X, p] = min(max(x, -TERRAIN), TERRAIN)
        particle_set[Q_Y, p] = min(max(y, -TERRAIN), TERRAIN)


@outlined_fn
def _resample(
    obs: Floats, k: int, shared: bool, particle_set: Floats, stream: UInt64s, where: tuple[int, int]
) -> bool:
    """Replace particles of weight 0; tell whether no goal-directed one had a weight above 0.

    A goal-directed particle is put near a random goal-directed parent of weight above 0. If there
    is none, all are initialised anew. A random-walk particle gets a new position in the terrain.
    """
    n_left, n_lost = 0, 0
    for p in range(particle_set.shape[1]):
        walks, lost = particle_set[Q_RANDOM_WALK, p] > 0.0, particle_set[Q_GOAL, p] < 0.0
        n_left += (not walks) & (not lost)
        n_lost += lost
    if n_lost == 0:
        return False
    for p in range(particle_set.shape[1]):
        if particle_set[Q_RANDOM_WALK, p] > 0.0 and particle_set[Q_GOAL, p] < 0.0:
            _draw_anywhere(obs, k, shared, particle_set, p, stream, where)
    if n_left == 0:
        _reinitialise(obs, k, shared, particle_set, stream, where)
        return True
    _replace_lost(particle_set, stream, where)
    return False


@device_fn
def _estimate(
    pose: Floats, belief: Floats, particle_set: Floats, where: tuple[int, int], t: int
) -> None:
    """Estimate an unseen target's position as the mean of its goal-directed particles."""
    i, c = where
    x, y, n = 0.0, 0.0, 0.0
    for p in range(particle_set.shape[1]):
        directed = 1.0 - particle_set[Q_RANDOM_WALK, p]
        x += directed * particle_set[Q_X, p]
        y += directed * particle_set[Q_Y, p]
        n += directed
    belief[i, c, t, B_MISSES] = 0.0  # negative information stands in the particles' weights
    estimate_at(pose, belief, where, t, x / n, y / n)


@outlined_fn
def _predict_or_detect(
    obs: Floats,
    k: int,
    belief: Floats,
    particle_sets: ParticleSets,
    where: tuple[int, int],
    shared: bool,
) -> None:
    """Update the particle sets of detected targets; propagate those of all others."""
    i, c = where
    particles, origins, stream = particle_sets
    m = set_of(particles, c)
    first = stream[i, m] == 0
    if first and shared:
        open_team_stream(obs, k, stream, i, m)
    elif first:
        open_stream(obs, k, stream, i, m)
    for t in range(particles.shape[2]):
        if first:
            initialise(particles, stream, (i, m), t)
        if first or belief[i, c, t, B_AGE] > _LONG_ABSENCE:
            origins[i, m, t, 0] = UNKNOWN_ORIGIN
        if belief[i, c, t, B_SEEN] > 0.0:
            detection_update(belief, particles, origins, where, t)
        elif not first:
            if belief[i, c, t, B_AGE] == 1.0:
                start_coasting(belief, particle_sets, where, t)
            vx, vy = propagate(obs, k, particles[i, m, t], stream, (i, m))
            belief[i, c, t, B_VX], belief[i, c, t, B_VY] = vx, vy


@outlined_fn
def _update(
    obs: Floats,
    k: int,
    pose: Floats,
    belief: Floats,
    particle_sets: ParticleSets,
    where: tuple[int, int],
    shared: bool,
) -> None:
    i, c = where
    particles, _, stream = particle_sets
    m = set_of(particles, c)
    _predict_or_detect(obs, k, belief, particle_sets, where, shared)
    _apply_negative_information(obs, k, k + 13, belief, particles, where)
    if shared:
        start = k + 22 + 5 * int(obs[k + 1]) + 4 * int(obs[k + 2])
        for n in range(int(obs[k])):
            if n != c and obs[start + 7 * n + 6] > 0.0:
                _apply_negative_information(obs, k, start + 7 * n, belief, particles, where)
    for t in range(particles.shape[2]):
        if belief[i, c, t, B_SEEN] == 0.0:
            if _resample(obs, k, shared, particles[i, m, t], stream, (i, m)):
                belief[i, c, t, B_KNOWN] = 0.0
            _estimate(pose, belief, particles[i, m, t], where, t)


@device_fn
def update_particles(
    obs: Floats,
    k: int,
    pose: Floats,
    belief: Floats,
    particles: Floats,
    origins: Floats,
    stream: UInt64s,
    where: tuple[int, int],
    shared: bool,
) -> None:
    """Update camera c's particle sets, if any, with its newest observation.

    Its pose and belief hold that observation already. An unseen target's estimate becomes the mean
    of its particles. The target becomes unknown if all its goal-directed particles have weight 0.
    `shared`: the observation holds what any camera in it sees. Then the sets depend only on what
    all these know alike.
    """
    if particles.ndim == 5:  # decided when compiling
        _update(obs, k, pose, belief, (particles, origins, stream), where, shared)


def allocate_particles(
    n_envs: int, n_sets: int, n_targets: int, n_particles: int, random_walk_share: float = 0.0
) -> ParticleSets:
    """Return zeroed particle sets of `n_particles` P each; empty arrays with one axis if that is 0.

    Args:
        n_envs: N.
        n_sets: M sets of each target: one per camera, or 1.
        n_targets: T.
        n_particles: P.
        random_walk_share: share of particles, at most a half, with the random-walk motion model;
            these are the first ones.
    """
    if n_particles == 0:  # another number of axes: the kernel is compiled without particles
        return np.zeros(0), np.zeros(0), np.zeros(0, np.uint64)
    particles = np.zeros((n_envs, n_sets, n_targets, PARTICLE_ROWS, n_particles))
    particles[..., Q_RANDOM_WALK, : round(random_walk_share * n_particles)] = 1.0
    return (
        particles,
        np.zeros((n_envs, n_sets, n_targets, 2)),
        np.zeros((n_envs, n_sets), np.uint64),
    )
