"""The simulator's records: constants of a scenario, the tables that kernels work on, named views.

N environments, C cameras, T targets, O obstacles. Angles in degrees, lengths in terrain units.
Kernels get few, wide tables (one row per entity, columns named in `tables`): Numba compiles and
calls functions of few arrays several times faster than functions of fifty.
"""

import math
from typing import NamedTuple

import numpy as np

import camsim.tables as col
from camsim.arrays import Bools, Floats, UInt64s
from camsim.layout import MIN_BASELINE_DEG, CameraObsLayout, StateLayout, TargetObsLayout
from camsim.scenario.schema import Scenario

_ROUNDING = 1e-12  # of squared cosines: less than 1e-4 degrees at any angle


def baseline_limit(min_baseline_deg: float) -> float:
    """Return the largest signed squared cosine of two lines of sight that differ by the angle.

    The signed square of x is x * |x|; it grows with x, so it compares like the cosine itself.

    Raises:
        ValueError: the angle is not in [0, 180].
    """
    if not 0.0 <= min_baseline_deg <= 180.0:
        raise ValueError(f"min_baseline_deg = {min_baseline_deg}; expected 0 to 180")
    cosine = math.cos(math.radians(min_baseline_deg))
    return cosine * abs(cosine) + _ROUNDING


class SimParams(NamedTuple):
    """Constants of a scenario, shared by all environments (world sections 1, 2, 6.1, 8.1)."""

    theta_min_deg: float  # smallest viewing angle of a camera
    max_range: float  # sight range at the smallest viewing angle
    area: float  # viewing angle * squared sight range: constant
    rotation_step_deg: float  # largest turn of a camera per frame
    zooming_step_deg: float  # largest change of the viewing angle per frame
    camera_radius: float  # of the body, which blocks targets
    target_step: float  # base step v0; a target of capacity k moves v0/k per frame
    target_range: float  # sight range of targets
    transmittance: float  # chance to see through an obstacle
    obstacle_radius_low: float
    obstacle_radius_high: float
    max_episode_steps: int
    cargoes_per_target: int
    n_heavy: int  # targets of capacity 2
    start_with_cargoes: bool
    shuffle: bool  # permute entities at every reset
    sparse_reward: bool
    freight_scale: int
    bounty_scale: int
    message_loss: float  # chance that a teammate's view is missing from a shared observation
    baseline_limit: float  # of stereo coverage: `baseline_limit`

    @classmethod
    def from_scenario(
        cls,
        scenario: Scenario,
        max_episode_steps: int | None = None,
        message_loss: float = 0.0,
        min_baseline_deg: float = MIN_BASELINE_DEG,
    ) -> "SimParams":
        """Return the constants of `scenario`, with another time limit if one is given.

        Raises:
            ValueError: min_baseline_deg is not in [0, 180].
        """
        camera, target, obstacle = scenario.camera, scenario.target, scenario.obstacle
        freight_scale = int(np.ceil(2000.0 / target.step_size))
        low, high = (0.0, 0.0) if obstacle is None else obstacle.radius_bounds
        theta_min, max_range = (
            (90.0, 500.0) if camera is None else (camera.min_viewing_angle, camera.max_sight_range)
        )
        return cls(
            theta_min_deg=float(theta_min),
            max_range=float(max_range),
            area=float(theta_min) * float(max_range) ** 2,
            rotation_step_deg=5.0 if camera is None else float(camera.rotation_step),
            zooming_step_deg=2.5 if camera is None else float(camera.zooming_step),
            camera_radius=40.0 if camera is None else float(camera.radius),
            target_step=float(target.step_size),
            target_range=float(target.sight_range),
            transmittance=0.0 if obstacle is None else float(obstacle.transmittance),
            obstacle_radius_low=float(low),
            obstacle_radius_high=float(high),
            max_episode_steps=int(max_episode_steps or scenario.max_episode_steps),
            cargoes_per_target=int(scenario.num_cargoes_per_target),
            n_heavy=int(scenario.n_targets * scenario.high_capacity_target_split),
            start_with_cargoes=bool(scenario.targets_start_with_cargoes),
            shuffle=bool(scenario.shuffle_entities),
            sparse_reward=scenario.reward_type == "sparse",
            freight_scale=freight_scale,
            bounty_scale=int(np.ceil(freight_scale * scenario.bounty_factor)),
            message_loss=float(message_loss),
            baseline_limit=baseline_limit(min_baseline_deg),
        )

    @property
    def reward_scale(self) -> int:
        """Pay of one unit: freight plus bounty."""
        return self.freight_scale + self.bounty_scale


class StartBoxes(NamedTuple):
    """Where entities start: rows are x_low, x_high, y_low, y_high (world 8.1)."""

    cameras: Floats  # [C, 4]
    targets: Floats  # [T, 4]
    obstacles: Floats  # [O, 4]

    @classmethod
    def from_scenario(cls, scenario: Scenario) -> "StartBoxes":
        """Return the boxes of `scenario`."""
        return cls(scenario.camera_boxes, scenario.target_boxes, scenario.obstacle_boxes)


class Tables(NamedTuple):
    """Everything that changes, as kernels see it: enough to continue exactly."""

    cameras: Floats  # [N, C, CAMERA_COLUMNS]
    targets: Floats  # [N, T, TARGET_COLUMNS]
    obstacles: Floats  # [N, O, OBSTACLE_COLUMNS]
    world: Floats  # [N, WORLD_COLUMNS]
    camera_target: Bools  # [N, C, T] who sees whom (world 5)
    camera_camera: Bools  # [N, C, C]
    camera_obstacle: Bools  # [N, C, O] fixed during an episode
    camera_clear: Bools  # [N, C, C] no obstacle stands between: fixed during an episode
    target_camera: Bools  # [N, T, C]
    target_obstacle: Bools  # [N, T, O]
    target_target: Bools  # [N, T, T]
    rng: UInt64s  # [N] each environment's own random stream


class ObsBuffers(NamedTuple):
    """Vectors written by `observe` (world 7); an array of length 0 means: not wanted."""

    camera_obs: Floats  # [N, C, D]
    target_obs: Floats  # [N, T, D']
    state: Floats  # [N, S]


def allocate_tables(n_envs: int, boxes: StartBoxes) -> Tables:
    """Return zeroed tables for `n_envs` environments of a scenario's sizes."""
    n, c, t, o = n_envs, len(boxes.cameras), len(boxes.targets), len(boxes.obstacles)
    return Tables(
        cameras=np.zeros((n, c, col.CAMERA_COLUMNS)),
        targets=np.zeros((n, t, col.TARGET_COLUMNS)),
        obstacles=np.zeros((n, o, col.OBSTACLE_COLUMNS)),
        world=np.zeros((n, col.WORLD_COLUMNS)),
        camera_target=np.zeros((n, c, t), np.bool_),
        camera_camera=np.zeros((n, c, c), np.bool_),
        camera_obstacle=np.zeros((n, c, o), np.bool_),
        camera_clear=np.zeros((n, c, c), np.bool_),
        target_camera=np.zeros((n, t, c), np.bool_),
        target_obstacle=np.zeros((n, t, o), np.bool_),
        target_target=np.zeros((n, t, t), np.bool_),
        rng=np.zeros(n, np.uint64),
    )


def allocate_obs(
    n_envs: int,
    boxes: StartBoxes,
    *,
    cameras: bool = True,
    targets: bool = False,
    state: bool = True,
) -> ObsBuffers:
    """Return zeroed observation buffers; what is not wanted gets zero environments."""
    sizes = (len(boxes.cameras), len(boxes.targets), len(boxes.obstacles))
    n_cameras, n_targets, _ = sizes
    return ObsBuffers(
        np.zeros((n_envs * cameras, n_cameras, CameraObsLayout(*sizes).size)),
        np.zeros((n_envs * targets, n_targets, TargetObsLayout(*sizes).size)),
        np.zeros((n_envs * state, StateLayout(*sizes).size)),
    )


class CameraView(NamedTuple):
    """The camera team by name (world 2.1): writable views of the table."""

    xy: Floats  # [N, C, 2]
    radius: Floats  # [N, C]
    phi_deg: Floats  # [N, C] orientation in [-180, 180)
    theta_deg: Floats  # [N, C] viewing angle in [theta_min, 180]
    sight_range: Floats  # [N, C] sqrt(area / theta)


class TargetView(NamedTuple):
    """The target team by name (world 2.2, 6.8); integers and flags are stored as float64."""

    xy: Floats  # [N, T, 2]
    step_size: Floats  # [N, T] v0 / capacity
    capacity: Floats  # [N, T] 1 or 2
    goal: Floats  # [N, T] destination of the cargo, -1 = none
    load: Floats  # [N, T] weight of the cargo, 0 without
    empty_bits: Floats  # [N, T, 4] warehouses that this target has seen empty
    freight: Floats  # [N, T]
    bounty: Floats  # [N, T]
    delivered_now: Floats  # [N, T] a delivery in this frame (MATE's `target_dones`)
    steps: Floats  # [N, T] frames of the current trip
    tracked_steps: Floats  # [N, T] of these, tracked
    tracked: Floats  # [N, T] seen by at least one camera
    colliding: Floats  # [N, T]
    orientation_deg: Floats  # [N, T] of the last displacement: drawing only


class WorldView(NamedTuple):
    """Accounts, rates and clock by name (world 3.4, 6)."""

    remaining: Floats  # [N, 4, 4] units waiting, from -> to
    awaiting: Floats  # [N, 4] units not yet delivered, by destination
    delivered: Floats  # [N] units delivered
    reward_dense: Floats  # [N] target team's, this frame
    reward_delayed: Floats  # [N]
    sum_dense: Floats  # [N] the same over the episode
    sum_delayed: Floats  # [N]
    coverage_rate: Floats  # [N]
    real_coverage_rate: Floats  # [N]
    mean_transport_rate: Floats  # [N]
    step: Floats  # [N] frames since the reset
    done: Floats  # [N]


class SimView(NamedTuple):
    """Named, writable views of all tables, for Python code that reads or sets a state."""

    cameras: CameraView
    targets: TargetView
    obstacle_xy: Floats  # [N, O, 2]
    obstacle_radius: Floats  # [N, O]
    world: WorldView


def view_tables(tables: Tables) -> SimView:
    """Return the named views of `tables`; writing into them writes the tables."""
    cameras, targets, world = tables.cameras, tables.targets, tables.world
    remaining = world[:, col.W_REMAINING : col.W_REMAINING + 16]
    strides = (world.strides[0], 4 * world.itemsize, world.itemsize)
    return SimView(
        CameraView(
            cameras[..., col.C_X : col.C_Y + 1],
            *(cameras[..., k] for k in (col.C_RADIUS, col.C_PHI, col.C_THETA, col.C_RANGE)),
        ),
        TargetView(
            xy=targets[..., col.T_X : col.T_Y + 1],
            step_size=targets[..., col.T_STEP],
            capacity=targets[..., col.T_CAPACITY],
            goal=targets[..., col.T_GOAL],
            load=targets[..., col.T_LOAD],
            empty_bits=targets[..., col.T_EMPTY : col.T_EMPTY + 4],
            freight=targets[..., col.T_FREIGHT],
            bounty=targets[..., col.T_BOUNTY],
            delivered_now=targets[..., col.T_DELIVERED],
            steps=targets[..., col.T_STEPS],
            tracked_steps=targets[..., col.T_TRACKED_STEPS],
            tracked=targets[..., col.T_TRACKED],
            colliding=targets[..., col.T_COLLIDING],
            orientation_deg=targets[..., col.T_ORIENTATION],
        ),
        tables.obstacles[..., : col.O_Y + 1],
        tables.obstacles[..., col.O_RADIUS],
        WorldView(
            np.lib.stride_tricks.as_strided(remaining, (len(world), 4, 4), strides),
            world[:, col.W_AWAITING : col.W_AWAITING + 4],
            *(
                world[:, k]
                for k in (
                    col.W_DELIVERED,
                    col.W_REWARD_DENSE,
                    col.W_REWARD_DELAYED,
                    col.W_SUM_DENSE,
                    col.W_SUM_DELAYED,
                    col.W_COVERAGE,
                    col.W_REAL_COVERAGE,
                    col.W_TRANSPORT,
                    col.W_STEP,
                    col.W_DONE,
                )
            ),
        ),
    )
