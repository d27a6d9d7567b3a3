"""Scripted teams inside the compiled step, against the oracle and by distribution."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from compiled import from_python
from random_worlds import random_actions, scenario_with
from reference_bridge import read, state_of
from reference_policies import GreedyCamera, GreedyTarget, tell_each_other
from reference_sim import Vector
from scipy import stats

from camsim.kernels.rng import streams_from_seeds
from camsim.policies import cameras as camera_rules
from camsim.policies import targets as target_rules
from camsim.scenario import load_scenario
from camsim.sim import BatchSim

act_targets = from_python(target_rules.act_targets)
reset_targets = from_python(target_rules.reset_targets)
act_cameras = from_python(camera_rules.act_cameras)
reset_cameras = from_python(camera_rules.reset_cameras)

TOLERANCE = 1e-9
NOISE = slice(target_rules.M_NOISE_X, target_rules.M_NOISE_Y + 1)
OPEN = slice(target_rules.M_OPEN, target_rules.M_OPEN + 4)


def pair(values: np.ndarray) -> Vector:
    """A point or vector [2] as a tuple."""
    return float(values[0]), float(values[1])


class GreedyTargetsChecked:
    """One environment's greedy targets beside the oracle; counts draws of noise."""

    def __init__(self, sim: BatchSim, row: int, memory: np.ndarray) -> None:
        self.sim, self.row, self.memory = sim, row, memory[row]
        self.minds = [GreedyTarget(pair(xy)) for xy in read(sim, "target_xy")[row]]
        self.draws: dict[bool, list[bool]] = {True: [], False: []}  # stuck or not -> new noise
        self.fresh_noise: list[float] = []

    def check(self, noise_before: np.ndarray, action: np.ndarray) -> None:
        """Compare memory and action after `act_targets` with what the rules allow."""
        state = state_of(self.sim, self.row)
        steps = read(self.sim, "target_step_size")[self.row]
        news = [
            mind.notice(bits)
            for mind, bits in zip(self.minds, state.target_empty_bits.tolist(), strict=True)
        ]
        tell_each_other(self.minds, news)
        for t, mind in enumerate(self.minds):
            position, step = pair(state.target_xy[t]), float(steps[t])
            goal = int(self.memory[t, target_rules.M_GOAL])
            assert goal in mind.possible_goals(int(state.target_goal[t]))
            assert {w for w in range(4) if self.memory[t, OPEN][w] > 0} == mind.open
            mind.goal = goal
            noise = self.memory[t, NOISE]
            changed = bool((noise != noise_before[t]).any())
            self.draws[mind.is_stuck(position, step)].append(changed)
            if changed:
                self.fresh_noise += (noise / step).tolist()
            wanted = mind.act(position, step, pair(noise))
            np.testing.assert_allclose(action[t], wanted, rtol=0, atol=TOLERANCE)


def test_greedy_targets() -> None:
    """Whole episodes of few cargoes, so that warehouses run empty and messages matter."""
    scenario = scenario_with("MATE-2v4-9", num_cargoes_per_target=4)
    n_envs = 4
    sim = BatchSim(scenario, n_envs)
    sim.reset(np.arange(n_envs, dtype=np.uint64))
    memory = target_rules.allocate_target_memory(n_envs, 4).table
    action = np.zeros((n_envs, 4, 2))
    for i in range(n_envs):
        reset_targets(i, sim.tables, memory)
    checked = [GreedyTargetsChecked(sim, i, memory) for i in range(n_envs)]
    still = np.zeros((n_envs, 2, 2))
    closed = 0
    for _ in range(600):
        before = memory[..., NOISE].copy()
        for i, each in enumerate(checked):
            act_targets(i, target_rules.GREEDY, sim.tables, memory, action)
            each.check(before[i], action[i])
        sim.step(still, action)
        closed = max(closed, int((memory[..., OPEN] == 0).sum()))
    assert closed > 4 * n_envs  # the messages were put to the test
    for stuck, chance in ((True, 0.75), (False, 0.05)):
        draws = np.concatenate([each.draws[stuck] for each in checked])
        error = math.sqrt(chance * (1 - chance) / len(draws))
        assert abs(draws.mean() - chance) < 4 * error
    noise = np.concatenate([each.fresh_noise for each in checked])
    assert stats.kstest(noise, "uniform", (-0.5, 1.0)).pvalue > 1e-4


def test_greedy_target_takes_an_open_warehouse_at_random() -> None:
    """Unloaded, without goal: uniform over the warehouses believed open."""
    n_envs = 2000
    sim = BatchSim(load_scenario("MATE-Navigation"), n_envs)
    sim.reset(np.arange(n_envs, dtype=np.uint64))
    memory = target_rules.allocate_target_memory(n_envs, 8).table
    action = np.zeros((n_envs, 8, 2))
    for i in range(n_envs):
        reset_targets(i, sim.tables, memory)
        memory[i, :, target_rules.M_OPEN + 1] = 0.0
        act_targets(i, target_rules.GREEDY, sim.tables, memory, action)
    counts = np.bincount(memory[:, 0, target_rules.M_GOAL].astype(np.int64), minlength=4)
    assert counts[1] == 0
    assert stats.chisquare(counts[[0, 2, 3]]).pvalue > 1e-4


def test_random_targets_hold_a_uniform_action() -> None:
    n_envs = 200
    sim = BatchSim(load_scenario("MATE-2v4-0"), n_envs)
    sim.reset(np.arange(n_envs, dtype=np.uint64))
    memory = target_rules.allocate_target_memory(n_envs, 4).table
    frames = []
    for _ in range(41):
        action = np.zeros((n_envs, 4, 2))
        for i in range(n_envs):
            act_targets(i, target_rules.RANDOM, sim.tables, memory, action)
        frames.append(action / read(sim, "target_step_size")[..., None])
        sim.step(np.zeros((n_envs, 2, 2)), action)
    changed = [bool((a != b).any()) for a, b in pairwise(frames)]
    assert np.flatnonzero(changed).tolist() == [19, 39]  # frames 20 and 40 draw anew
    sample = np.concatenate([frames[k].ravel() for k in (0, 20, 40)])
    assert stats.kstest(sample, "uniform", (-1.0, 2.0)).pvalue > 1e-4


def camera_team(n_envs: int) -> tuple[BatchSim, camera_rules.CameraMemory]:
    """MATE-4v4-9 after a reset, with the cameras' memory."""
    sim = BatchSim(load_scenario("MATE-4v4-9"), n_envs)
    sim.reset(np.arange(n_envs, dtype=np.uint64))
    memory = camera_rules.allocate_camera_memory(n_envs, 4, 4)
    for i in range(n_envs):
        reset_cameras(i, sim.tables, memory)
    return sim, memory


def act(sim: BatchSim, policy: int, memory: camera_rules.CameraMemory) -> np.ndarray:
    """Camera actions [N, C, 2] of a rule."""
    action = np.zeros((sim.num_envs, 4, 2))
    for i in range(sim.num_envs):
        act_cameras(i, policy, sim.params, sim.tables, memory, action)
    return action


def test_random_cameras_hold_a_uniform_action() -> None:
    sim, memory = camera_team(200)
    frames = []
    still = np.zeros((200, 4, 2))
    for _ in range(41):
        frames.append(act(sim, camera_rules.RANDOM, memory))
        sim.step(frames[-1], still)
    changed = [bool((a != b).any()) for a, b in pairwise(frames)]
    assert np.flatnonzero(changed).tolist() == [19, 39]
    sample = np.concatenate([frames[k].reshape(-1, 2) for k in (0, 20, 40)]) / [5.0, 2.5]
    assert stats.kstest(sample[:, 0], "uniform", (-1.0, 2.0)).pvalue > 1e-4
    assert stats.kstest(sample[:, 1], "uniform", (-1.0, 2.0)).pvalue > 1e-4


def test_naive_cameras_turn_and_widen_by_one_random_share() -> None:
    sim, memory = camera_team(500)
    share = act(sim, camera_rules.NAIVE, memory) / [5.0, 2.5]
    np.testing.assert_allclose(share[..., 0], share[..., 1], rtol=0, atol=1e-15)
    assert stats.kstest(share[..., 0].ravel(), "uniform", (0.0, 0.4)).pvalue > 1e-4


def test_greedy_cameras() -> None:
    """Targets that walk at random: found, followed, remembered for 24 frames, forgotten."""
    n_envs, n_frames = 4, 150
    sim, memory = camera_team(n_envs)
    minds = [[GreedyCamera() for _ in range(4)] for _ in range(n_envs)]
    rng = np.random.default_rng(71)
    previous = np.zeros((n_envs, 4, 2))
    followed = idle = repeated = remembered = 0
    for _ in range(n_frames):
        action = act(sim, camera_rules.GREEDY, memory)
        for i in range(n_envs):
            state = state_of(sim, i)
            for c, mind in enumerate(minds[i]):
                seen = np.flatnonzero(state.camera_target_mask[c])
                mind.look({int(t): pair(state.target_xy[t]) for t in seen})
                wanted = mind.act(
                    pair(read(sim, "camera_xy")[i, c]),
                    (
                        float(state.camera_orientation[c]),
                        float(state.camera_viewing_angle[c]),
                        float(state.camera_sight_range[c]),
                    ),
                    (30.0, 1500.0, 5.0, 2.5),
                )
                if wanted is None:
                    idle += 1
                    repeated += bool((action[i, c] == previous[i, c]).all())
                else:
                    followed += 1
                    remembered += len(seen) == 0
                    np.testing.assert_allclose(action[i, c], wanted, rtol=0, atol=TOLERANCE)
        previous = action.copy()
        sim.step(action, random_actions(sim, rng)[1])
    assert followed > 500
    assert remembered > 20
    assert idle > 20
    assert abs(repeated / idle - 0.9) < 4 * math.sqrt(0.09 / idle)


def test_streams_advance_only_in_their_row() -> None:
    sim, memory = camera_team(3)
    before = sim.tables.rng.copy()
    action = np.zeros((3, 4, 2))
    act_cameras(1, camera_rules.NAIVE, sim.params, sim.tables, memory, action)
    moved = sim.tables.rng != before
    assert moved.tolist() == [False, True, False]
    assert not action[[0, 2]].any()
    assert len(set(streams_from_seeds(np.arange(3, dtype=np.uint64)).tolist())) == 3
