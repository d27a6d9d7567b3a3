"""Makes scenarios for teams of any size, with cameras spread over the terrain (world 8.3).

The places minimise the largest distance from any point of the terrain to its nearest camera, with
small rewards for distance between cameras and from the border.
"""

import numpy as np
from numpy.typing import NDArray

from camsim.layout import TERRAIN, WAREHOUSES
from camsim.scenario.placement import KEEP_OUT
from camsim.scenario.schema import Scenario, load_scenario

__all__ = ["generate_scenario", "spread_cameras"]

Floats = NDArray[np.float64]

PAIR_WEIGHT, BORDER_WEIGHT = 0.001, 0.1
MAX_CAMERAS = 1000

_GRID, _COARSE_GRID = 101, 41
_STARTS, _SETTLE_STEPS, _POLISH_STEPS = 4, 150, 600
_CAMERA_BOX, _TARGET_BOX = 20.0, 500.0  # half widths of the boxes of start places
_STEP = 20.0  # a target's step in the preset that is changed: what bodies keep between them


def generate_scenario(
    n_cameras: int,
    n_targets: int,
    n_obstacles: int,
    *,
    transmittance: float = 0.1,
    cargoes_per_target: int = 8,
    seed: int = 0,
) -> Scenario:
    """Return a scenario with teams of the given sizes; the same arguments give the same scenario.

    Raises:
        ValueError: a number is out of range, or so many entities do not fit into the terrain.
    """
    for name, value, low in (
        ("cameras", n_cameras, 0),
        ("targets", n_targets, 1),
        ("obstacles", n_obstacles, 0),
        ("seed", seed, 0),
    ):
        if value < low:
            raise ValueError(f"{name} = {value}; expected at least {low}")
    if n_cameras > MAX_CAMERAS:
        raise ValueError(f"cameras = {n_cameras}; expected at most {MAX_CAMERAS}")
    content = load_scenario("MATE-4v8-9").to_mapping()
    content["name"] = f"MultiAgentTracking({n_cameras}v{n_targets}, {n_obstacles})"
    content["num_cargoes_per_target"] = cargoes_per_target
    anywhere = [-TERRAIN, TERRAIN, -TERRAIN, TERRAIN]
    around = [-_TARGET_BOX, _TARGET_BOX, -_TARGET_BOX, _TARGET_BOX]
    content["target"]["location_random_range"] = [around] * n_targets
    widest = 100.0  # without cameras there is no distance to scale by
    if n_cameras > 0:
        places, distance = spread_cameras(n_cameras, seed)
        widest = min(max(75.0, 0.15 * distance), 100.0)
        content["camera"] |= {
            "location_random_range": [_box_around(place) for place in places],
            "max_sight_range": round(2.0 * distance, 3),
            "radius": round(min(40.0, 0.2 * distance), 3),
        }
        content["target"]["sight_range"] = round(distance, 3)
    else:
        del content["camera"]
    content["obstacle"] |= {
        "location_random_range": [anywhere] * n_obstacles,
        "radius_random_range": [25.0, round(widest, 3)],
        "transmittance": transmittance,
    }
    if n_obstacles == 0:
        Scenario.from_mapping(content, "generated scenario")  # checks the transmittance, too
        del content["obstacle"]
    scenario = Scenario.from_mapping(content, "generated scenario")
    reason = scenario.impossible_placement()
    if reason is not None:
        raise ValueError(f"generated scenario: {reason}")
    return scenario


def spread_cameras(n_cameras: int, seed: int) -> tuple[Floats, float]:
    """Return camera places [C, 2], and the largest distance from any point to its nearest camera.

    Args:
        n_cameras: C, at least 1.
        seed: of the random start.
    """
    rng = np.random.default_rng(seed)
    coarse, fine = _grid(_COARSE_GRID), _grid(_GRID)
    starts = [_settle(coarse, rng.uniform(-1.0, 1.0, (n_cameras, 2))) for _ in range(_STARTS)]
    values = [_objective(places, _nearest(coarse, places)[0].max()) for places in starts]
    places = _polish(fine, starts[int(np.argmin(values))])
    return places * TERRAIN, float(_nearest(fine, places)[0].max()) * TERRAIN


def _grid(n: int) -> Floats:
    """Return the points [n * n, 2] of a grid over the terrain, in units of half its width."""
    axis = np.linspace(-1.0, 1.0, n)
    return np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)


def _settle(grid: Floats, places: Floats) -> Floats:
    """Let every camera step towards its own farthest point: its cell's smallest circle shrinks."""
    for k in range(_SETTLE_STEPS):
        distance, nearest = _nearest(grid, places)
        step = _towards_farthest(grid, places, distance, nearest)
        places = _free(places + step * (0.5 / (1.0 + 0.05 * k)))
    return places


def _polish(grid: Floats, places: Floats) -> Floats:
    """Return the best places on the way of Adam (Kingma and Ba, 2015) down the objective."""
    best, lowest = places, np.inf
    mean, square = np.zeros_like(places), np.zeros_like(places)
    for k in range(1, _POLISH_STEPS + 1):
        distance, nearest = _nearest(grid, places)
        value = _objective(places, distance.max())
        if value < lowest:
            best, lowest = places, value
        gradient = _gradient(grid, places, distance, nearest)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.99 * square + 0.01 * gradient**2
        step = mean / (1.0 - 0.9**k) / (np.sqrt(square / (1.0 - 0.99**k)) + 1e-8)
        places = _free(places - 0.01 * (1.0 - k / (_POLISH_STEPS + 1)) * step)
    return best


def _nearest(grid: Floats, places: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Return the distance of every grid point [P] to its nearest camera, and which one that is."""
    squared = (
        (grid**2).sum(1)[:, None] - 2.0 * grid @ places.T + (places**2).sum(1)  # (p - c)^2
    )
    nearest = squared.argmin(1)
    distance: Floats = np.hypot(*(grid - places[nearest]).T)
    return distance, nearest


def _towards_farthest(
    grid: Floats, places: Floats, distance: Floats, nearest: NDArray[np.int64]
) -> Floats:
    """Return the vectors [C, 2] from each camera to the farthest point that it is nearest to."""
    step = np.zeros_like(places)
    order = np.argsort(distance, kind="stable")
    farthest = np.full(len(places), -1)
    farthest[nearest[order]] = order  # the last write wins: the largest distance
    serving = farthest >= 0
    step[serving] = grid[farthest[serving]] - places[serving]
    idle = ~serving  # nearer to nothing than another camera: goes to the worst point
    step[idle] = grid[order[-1]] - places[idle]
    return step


def _objective(places: Floats, largest: float) -> float:
    """Return what is minimised, in units of half the terrain."""
    border = (1.0 - np.abs(places)).min()
    return float(largest - PAIR_WEIGHT * _closest_pair(places)[0] - BORDER_WEIGHT * border)


def _closest_pair(places: Floats) -> tuple[float, int, int]:
    """Return the smallest distance between two cameras and who they are; 0 for a single one."""
    if len(places) < 2:
        return 0.0, 0, 0
    apart = np.hypot(*np.moveaxis(places[:, None] - places, -1, 0))
    np.fill_diagonal(apart, np.inf)
    a, b = np.unravel_index(apart.argmin(), apart.shape)
    return float(apart[a, b]), int(a), int(b)


def _gradient(grid: Floats, places: Floats, distance: Floats, nearest: NDArray[np.int64]) -> Floats:
    """Return a sub-gradient [C, 2] of the objective."""
    gradient = np.zeros_like(places)
    worst = int(distance.argmax())
    camera = nearest[worst]
    gradient[camera] = (places[camera] - grid[worst]) / max(distance[worst], 1e-12)
    apart, a, b = _closest_pair(places)
    if apart > 0.0:
        direction = PAIR_WEIGHT * (places[a] - places[b]) / apart
        gradient[a] -= direction
        gradient[b] += direction
    outermost = np.unravel_index(np.abs(places).argmax(), places.shape)
    gradient[outermost] += BORDER_WEIGHT * np.sign(places[outermost])
    return gradient


def _free(places: Floats) -> Floats:
    """Return the places within the terrain and outside the warehouses' keep-out discs."""
    reach = (40.0 + _STEP + KEEP_OUT) / TERRAIN
    places = np.clip(places, -1.0, 1.0)
    for warehouse in WAREHOUSES / TERRAIN:
        offset = places - warehouse
        length = np.hypot(*offset.T)
        pushed = warehouse + offset * (reach / np.maximum(length, 1e-12))[:, None]
        inside = (np.abs(pushed) <= 1.0).all(1) & (length > 1e-12)
        inwards = warehouse * (1.0 - reach / np.hypot(*warehouse))
        pushed = np.where(inside[:, None], pushed, inwards)
        places = np.where((length < reach)[:, None], pushed, places)
    return places


def _box_around(place: Floats) -> list[float]:
    x, y = (round(float(number), 3) for number in place)
    corners = (x - _CAMERA_BOX, x + _CAMERA_BOX, y - _CAMERA_BOX, y + _CAMERA_BOX)
    return [round(number, 3) for number in corners]
