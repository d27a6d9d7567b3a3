"""Recordings that nobody played: targets walk between warehouses, cameras turn to one of them."""

import itertools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qplex_hrl.viewer.recording import Recording

WAREHOUSES = np.array([[925.0, 925.0], [-925.0, 925.0], [-925.0, -925.0], [925.0, -925.0]])
MAX_RANGE, MIN_ANGLE_DEG, TURN_DEG = 1000.0, 30.0, 5.0
WALK, RANDOM_WALK = 12.0, 4
DECISION_FRAMES, FAST_INTERVAL = 5, 2

Array = NDArray[Any]


class Size(NamedTuple):
    """How large a recording is."""

    frames: int
    cameras: int = 3
    targets: int = 3
    obstacles: int = 2
    particles: int = 6


SMALL = Size(frames=61)
LARGE = Size(frames=1201, cameras=8, targets=8, obstacles=9, particles=24)


def made_up(size: Size = SMALL, seed: int = 0, **about: Any) -> Recording:
    """Return a recording of trained cameras, with everything that a page can show."""
    rng = np.random.default_rng(seed)
    actions = make_actions(size.targets)
    arrays = _world(size, rng)
    arrays |= _walks(size, rng)
    arrays |= _decisions(size, rng, len(actions))
    arrays |= _views(arrays, size, actions)
    arrays["search_deg"] = _searches(arrays, actions)
    arrays |= _rewards(arrays, rng)
    arrays |= _beliefs(arrays, size, rng)
    return Recording(_about(arrays, actions, seed) | about, arrays)


def made_up_script(size: Size = SMALL, seed: int = 0) -> Recording:
    """Return a recording of scripted cameras: no actions, no belief, but messages."""
    about, arrays = made_up(size, seed, kind="scripted", policy="greedy", timestep=None)
    kept = {
        name: array
        for name, array in arrays.items()
        if not name.startswith(
            ("search_", "track_", "particle_", "q_", "slow_", "fast_", "action", "decision")
        )
    }
    rng = np.random.default_rng(seed)
    for name, n in (("camera", size.cameras), ("target", size.targets)):
        kept[f"{name}_messages"] = rng.poisson(0.1, (size.frames, n, n))
    about = {**about, "actions": [], "decision_frames": 1, "fast_interval": 1}
    return Recording(about, kept)


def made_up_oddity(policy: str) -> Recording:
    """Return one with what is unusual: moves, one set of particles for all, no values at all."""
    about, arrays = made_up(SMALL._replace(obstacles=0), policy=policy)
    moves = [{"move": [1.0, -0.5]}, {}] * (len(about["actions"]) // 2 + 1)
    shared = {name: arrays[name][:, :1] for name in ("particle_xy", "particle_goal")}
    unknown = {"q_values": np.full_like(arrays["q_values"], np.nan)}
    kept = {name: array for name, array in arrays.items() if name != "real_coverage"}
    return Recording({**about, "actions": moves}, {**kept, **shared, **unknown})


def make_actions(n_targets: int) -> list[dict[str, Any]]:
    """Return all sets of one or two targets, then 16 search actions."""
    pairs = itertools.combinations(range(n_targets), 2)
    sets = [[t] for t in range(n_targets)] + [list(pair) for pair in pairs]
    searches = [
        {"search": {"bearing_deg": (bearing + 180.0) % 360.0 - 180.0, "view_deg": view}}
        for view in (55.0, 110.0)
        for bearing in np.arange(0.0, 360.0, 45.0).tolist()
    ]
    return [{"targets": chosen} for chosen in sets] + searches


def _about(arrays: dict[str, Array], actions: list[dict[str, Any]], seed: int) -> dict[str, Any]:
    return {
        "policy": "made_up_8v8.pth",
        "kind": "trained",
        "timestep": 1_000_000,
        "scenario": "MATE-8v8-9",
        "opponent": "greedy",
        "regime": "own",
        "seed": seed,
        "decision_frames": DECISION_FRAMES,
        "fast_interval": FAST_INTERVAL,
        "terrain": 1000.0,
        "warehouses": WAREHOUSES.tolist(),
        "warehouse_half_width": 75.0,
        "transmittance": 0.1,
        "actions": actions,
        "mean_coverage": float(arrays["coverage"][1:].mean()),
        "whole": True,
        "versions": {"qplex-hrl": "0.2.0"},
    }


def _world(size: Size, rng: np.random.Generator) -> dict[str, Array]:
    bearings = 2.0 * np.pi * (np.arange(size.cameras) + 0.5) / size.cameras
    around = np.stack([np.cos(bearings), np.sin(bearings)], axis=-1)
    places = 2.0 * np.pi * (np.arange(size.obstacles) + 0.3) / max(1, size.obstacles)
    obstacles = np.stack([np.cos(places), np.sin(places)], axis=-1)
    obstacles *= rng.uniform(200.0, 560.0, (size.obstacles, 1))
    return {
        "camera_xy": around * np.where(np.arange(size.cameras) % 2, 850.0, 720.0)[:, None],
        "camera_radius": np.full(size.cameras, 40.0),
        "camera_max_range": np.full(size.cameras, MAX_RANGE),
        "camera_min_angle_deg": np.full(size.cameras, MIN_ANGLE_DEG),
        "obstacle_xy": obstacles,
        "obstacle_radius": rng.uniform(25.0, 100.0, size.obstacles),
        "target_capacity": np.arange(size.targets) % 2 + 1,
        "camera_obstacle": np.ones((size.frames, size.cameras, size.obstacles), np.bool_),
    }


def _walks(size: Size, rng: np.random.Generator) -> dict[str, Array]:
    """Return places, goals and loads of targets that walk to one warehouse after another."""
    xy = rng.uniform(-200.0, 200.0, (size.targets, 2))
    goal = rng.integers(4, size=size.targets)
    places, goals = [xy], [goal]
    for _ in range(size.frames - 1):
        way = WAREHOUSES[goal] - xy
        distance = np.hypot(*way.T)[:, None]
        step = WALK * way / np.maximum(distance, 1e-9) + rng.normal(0.0, 3.0, xy.shape)
        xy = np.clip(xy + step, -1000.0, 1000.0)
        goal = np.where(distance[:, 0] < 60.0, (goal + rng.integers(1, 4, goal.shape)) % 4, goal)
        places.append(xy)
        goals.append(goal)
    goal = np.stack(goals)
    goal[:, -1] = np.where(np.arange(size.frames) < size.frames // 3, -1, goal[:, -1])
    load = np.where(goal >= 0, np.arange(size.targets) % 2 + 1, 0)
    return {
        "target_xy": np.stack(places),
        "target_goal": goal,
        "target_load": load,
        "target_bounty": load * 10,
    }


def _decisions(size: Size, rng: np.random.Generator, n_actions: int) -> dict[str, Array]:
    """Return values per action and what is chosen: the best, sometimes replaced within."""
    made = np.arange(0, size.frames - 1, DECISION_FRAMES)
    shape = (len(made), size.cameras, n_actions)
    q_values = np.cumsum(rng.normal(0.0, 0.3, shape), axis=0) + rng.normal(0.0, 1.0, shape[1:])
    q_values[rng.random(shape) < 0.1] = np.nan
    q_values[..., 0] = 0.0
    best = np.where(np.isnan(q_values), -np.inf, q_values).argmax(axis=-1)
    of_frame = np.maximum(0, (np.arange(size.frames) - 1) // DECISION_FRAMES)
    slow = best[of_frame]
    replaced = (rng.random(slow.shape) < 0.2) & ((np.arange(size.frames) % 5) > 2)[:, None]
    action = np.where(replaced, rng.integers(n_actions, size=slow.shape), slow)
    slow[0] = action[0] = -1
    weights = rng.gamma(0.6, size=(2, len(made), size.cameras, size.targets + 1))
    probs = weights / weights.sum(axis=-1, keepdims=True)
    return {
        "decision_frame": made,
        "q_values": q_values.astype(np.float32),
        "slow_action": slow,
        "action": action,
        "slow_probs": probs[0],
        "fast_probs": probs[1],
    }


def _views(arrays: dict[str, Array], size: Size, actions: list[dict[str, Any]]) -> dict[str, Array]:
    """Return poses that turn towards what is chosen, and what cameras see."""
    camera_xy, target_xy = arrays["camera_xy"], arrays["target_xy"]
    forward = np.degrees(np.arctan2(-camera_xy[:, 1], -camera_xy[:, 0]))
    phi, poses = forward.copy(), []
    for f in range(size.frames):
        wanted, theta = phi.copy(), np.full(size.cameras, 55.0)
        for c, chosen in enumerate(arrays["action"][f]):
            action = actions[chosen] if chosen >= 0 else {}
            if "targets" in action:
                way = target_xy[f, action["targets"]].mean(axis=0) - camera_xy[c]
                wanted[c] = np.degrees(np.arctan2(way[1], way[0]))
            elif "search" in action:
                wanted[c] = forward[c] + action["search"]["bearing_deg"]
                theta[c] = action["search"]["view_deg"]
        turn = (wanted - phi + 180.0) % 360.0 - 180.0
        phi = (phi + np.clip(turn, -TURN_DEG, TURN_DEG) + 180.0) % 360.0 - 180.0
        poses.append(np.stack([phi, theta, MAX_RANGE * np.sqrt(MIN_ANGLE_DEG / theta)], axis=-1))
    pose = np.stack(poses)
    return {"camera_pose": pose, "camera_target": _seen(arrays, pose)}


def _searches(arrays: dict[str, Array], actions: list[dict[str, Any]]) -> Array:
    """Return what searches aim at: 10 degrees beside the direction that they are named after."""
    camera_xy = arrays["camera_xy"]
    forward = np.degrees(np.arctan2(-camera_xy[:, 1], -camera_xy[:, 0]))
    aims = np.full((*arrays["action"].shape, 2), np.nan)
    for f, c in np.argwhere(arrays["action"] >= 0):
        search = actions[arrays["action"][f, c]].get("search")
        if search:
            aims[f, c] = forward[c] + search["bearing_deg"] + 10.0, search["view_deg"]
    return aims


def _seen(arrays: dict[str, Array], pose: Array) -> Array:
    way = arrays["target_xy"][:, None] - arrays["camera_xy"][:, None]
    distance = np.hypot(way[..., 0], way[..., 1])
    bearing = np.degrees(np.arctan2(way[..., 1], way[..., 0]))
    off = np.abs((bearing - pose[..., 0, None] + 180.0) % 360.0 - 180.0)
    return (distance <= pose[..., 2, None]) & (2.0 * off <= pose[..., 1, None])


def _rewards(arrays: dict[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    coverage = arrays["camera_target"].any(axis=1).mean(axis=-1)
    real = coverage * rng.uniform(0.8, 1.0, coverage.shape)
    real[::7] = np.nan
    delivered = np.cumsum(rng.random(coverage.shape) < 0.05)
    return {
        "coverage": coverage,
        "real_coverage": real,
        "transport": np.clip(1.0 - coverage, 0.0, 1.0),
        "delivered": delivered,
        "camera_return": np.cumsum(coverage - 1.0) - 5.0 * delivered,
    }


def _beliefs(arrays: dict[str, Array], size: Size, rng: np.random.Generator) -> dict[str, Array]:
    """Return tracks that coast and particles that spread while a target is not seen."""
    seen, target_xy = arrays["camera_target"], arrays["target_xy"]
    shape = seen.shape
    age, xy = np.full(shape, -1), np.zeros((*shape, 2))
    for f in range(size.frames):
        previous = age[f - 1] if f else age[0]
        age[f] = np.where(seen[f], 0, np.where(previous >= 0, previous + 1, -1))
        drift = rng.normal(0.0, 6.0, (*shape[1:], 2)) + 2.0
        coasted = np.clip(xy[f - 1] + drift, -1000.0, 1000.0)
        xy[f] = np.where(seen[f, ..., None], target_xy[f], coasted)
    made = arrays["decision_frame"]
    spread = np.clip(age[made], 0, 60)[..., None, None] * 4.0
    particles = rng.normal(0.0, 1.0, (len(made), *shape[1:], size.particles, 2)) * spread
    goals = rng.integers(-1, RANDOM_WALK + 1, particles.shape[:-1])
    return {
        "track_xy": xy,
        "track_age": age,
        "track_known": age >= 0,
        "particle_xy": np.clip(xy[made][..., None, :] + particles, -1000.0, 1000.0),
        "particle_goal": goals,
    }
