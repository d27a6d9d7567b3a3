"""What TeamEnv tells of a frame besides observations and rewards."""

from __future__ import annotations

import numpy as np
from team_worlds import make, seeds

from camsim.parity.teacher_forcing import read


def test_information() -> None:
    env = make(5, cameras="greedy", targets="greedy")
    env.reset(seeds(5))
    for _ in range(60):
        out = env.step()
    info, view = env.information(), env.sim.view
    np.testing.assert_array_equal(info["state"], out.state)
    np.testing.assert_array_equal(info["camera_states"], out.camera_obs[:, :, 13:22])
    np.testing.assert_array_equal(info["target_states"], out.target_obs[:, :, 13:27])
    for name in ("camera_target", "camera_obstacle", "target_camera", "target_obstacle"):
        recorded = read(env.sim, f"{name}_mask")
        np.testing.assert_array_equal(info[f"{name}_view_mask"], recorded)
    for name in ("coverage_rate", "real_coverage_rate", "mean_transport_rate"):
        np.testing.assert_array_equal(info[name], read(env.sim, name))
    np.testing.assert_array_equal(info["num_delivered_cargoes"], view.world.delivered)
    np.testing.assert_array_equal(info["remaining_cargo_counts"], info["remaining_cargoes"].sum(2))
    np.testing.assert_array_equal(info["awaiting_cargo_counts"], view.world.awaiting)
    np.testing.assert_array_equal(info["camera.raw_reward"], out.camera_reward)
    np.testing.assert_array_equal(info["target.raw_reward"], out.target_reward)
    normalized = out.target_reward / (200 * 8 * 4)
    np.testing.assert_allclose(info["target.normalized_raw_reward"], normalized)
    np.testing.assert_allclose(info["camera.normalized_raw_reward"], -normalized)
    masks = info["camera_target_view_mask"]
    np.testing.assert_array_equal(info["camera.num_tracked"], masks.sum(2))
    np.testing.assert_array_equal(info["target.is_tracked"], masks.any(1))
    sensed = info["target_camera_view_mask"].any(1)
    np.testing.assert_array_equal(info["camera.is_sensed"], sensed)
    np.testing.assert_array_equal(info["target.is_colliding"], view.targets.colliding > 0)
    np.testing.assert_array_equal(info["target.individual_done"], view.targets.delivered_now > 0)
    copies = {name: array.copy() for name, array in info.items()}
    env.step()
    for name, array in info.items():
        np.testing.assert_array_equal(array, copies[name])


def test_goal_distances() -> None:
    env = make(1)
    env.reset(seeds(1))
    targets = env.sim.view.targets
    targets.xy[0, :3] = [[925.0, 825.0], [925.0, 700.0], [0.0, 0.0]]
    targets.goal[0, :3] = [0, 0, -1]
    info = env.information()
    np.testing.assert_allclose(info["target.goal_distance"][0, :3], [25.0, 150.0, 1000.0])
    np.testing.assert_allclose(info["target.warehouse_distances"][0, 2], 925 * 2**0.5 - 75)
    targets.xy[0, 0] = [900.0, 900.0]
    assert env.information()["target.goal_distance"][0, 0] == 0.0
