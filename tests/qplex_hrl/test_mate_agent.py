"""Trained cameras outside of our simulator: same choices from raw observations, and upstream.

The tests with upstream MATE itself run in its own Python: set MATE_PYTHON to the interpreter and
MATE_PATH to upstream's folder (docs/upstream.md).
"""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from tiny import CPU
from trained_cameras import by_index, make_checkpoint, make_config, make_model, with_network

import camsim
from camcontrol.selection_env import SelectionEnv
from camsim.layout import CameraObsLayout
from camsim.scenario.schema import load_scenario
from camsim.sim import BatchSim
from qplex_hrl import mate_agent
from qplex_hrl.data.make_env import build_env, selection_options
from qplex_hrl.evaluation.trained import greedy_agent
from qplex_hrl.mate_agent import TrainedCamera
from qplex_hrl.storage.checkpoint import CheckpointError, save_checkpoint


def raw_observations(scenario: str = "MATE-4v4-9", mode: str = "own") -> np.ndarray:
    """All cameras' first observations [C, D]."""
    sim = BatchSim(load_scenario(scenario), 1, observation_mode=mode)
    return sim.reset(np.array([2], np.uint64)).camera_obs[0]


@pytest.mark.parametrize("case", ["own", "shared", "held", "moves", "index", "flat"])
def test_frame_by_frame_the_choices_of_the_evaluation(tmp_path: Path, case: str) -> None:
    """Cameras with raw observations choose as the agent in the environment it was trained in.

    One environment runs decisions, as in an evaluation; the other single frames under the cameras'
    selections. Three episodes. Cameras react within a decision but for the cases held and flat.
    """
    shared, mode = case == "shared", "discrete" if case == "moves" else "selection"
    reacts = case not in ("held", "flat")
    config = make_config(tmp_path, shared, mode, fast_interval=1 if reacts else 5)
    config = by_index(config) if case == "index" else config
    config = with_network(config, type="rnn", encoding="flat") if case == "flat" else config
    decisions = build_env(config, 1)
    reference = greedy_agent(make_model(decisions, config).agent, decisions, CPU)
    single = make_config(tmp_path, shared, mode, frame_skip=1, fast_interval=1)
    options = replace(
        selection_options(single), check_actions=False
    )  # they are held for a decision
    frames = SelectionEnv(load_scenario("MATE-4v4-9"), options, 1)
    prototype = TrainedCamera(make_checkpoint(tmp_path, config))
    cameras = [copy.deepcopy(prototype) for _ in range(4)]
    expected, seed = decisions.reset(np.array([9], np.uint64)), np.array([9], np.uint64)
    frames.reset(seed)
    raw = frames.sim.obs.camera_obs[0]
    for camera, obs in zip(cameras, raw, strict=True):
        camera.reset(obs)
    taken, episodes, n_replaced = set(), 0, 0
    while episodes < 3:
        decided = actions = reference.act(expected.obs, expected.avail_actions)
        for frame in range(decisions.options.decision_frames):
            if frame and reference.reaction is not None:
                actions = reference.reaction(*decisions.glance(), frame)
            n_replaced += int((actions != decided).sum())
            taken |= set(actions.ravel().tolist())
            decisions.run_frames(actions, 1)
            before = frames.sim.view.cameras.phi_deg[0].copy()
            turns = []
            for camera, obs in zip(cameras, raw, strict=True):
                camera.observe(obs)
                turns.append(camera.act(obs)[0])
            assert [camera.selection for camera in cameras] == actions[0].tolist()
            output = frames.step(actions)
            if not output.truncated[0]:
                moved = frames.sim.view.cameras.phi_deg[0] - before - turns
                np.testing.assert_allclose((moved + 180.0) % 360.0, 180.0, atol=1e-9)
            else:
                break
        expected = decisions.observe()
        assert np.array_equal(raw, decisions.sim.obs.camera_obs[0])
        ended = expected.truncated
        assert np.array_equal(output.truncated, ended)
        reference.reset_rows(ended)
        if ended[0]:
            episodes += 1
            for camera, obs in zip(cameras, raw, strict=True):
                camera.reset(obs)
    n_sets = 10  # of one or two targets; search actions follow
    assert min(taken) < n_sets or case == "moves"
    assert len(taken) > 3
    assert (n_replaced > 0) == reacts


def test_a_frame_is_perceived_once_with_or_without_observe(tmp_path: Path) -> None:
    path = make_checkpoint(tmp_path, make_config(tmp_path))
    sim = BatchSim(load_scenario("MATE-4v4-9"), 1)
    obs = sim.reset(np.array([4], np.uint64)).camera_obs[0, 1]
    observing, acting = TrainedCamera(path), TrainedCamera(path)
    observing.reset(obs)
    acting.reset(obs)
    rng = np.random.default_rng(0)
    for _ in range(30):
        observing.observe(obs)
        action = observing.act(obs)
        assert np.array_equal(action, acting.act(obs))
        motions = np.zeros((1, 4, 2))
        motions[0, 1] = action
        sim.step(motions, rng.uniform(-20, 20, (1, 4, 2)))


@pytest.mark.parametrize("scenario", ["MATE-4v8-9", "MATE-8v8-9", "MATE-1v1-9"])
def test_the_network_plays_other_team_sizes(tmp_path: Path, scenario: str) -> None:
    camera = TrainedCamera(make_checkpoint(tmp_path, make_config(tmp_path)))
    for name in (scenario, "MATE-4v4-9", scenario):
        obs = raw_observations(name)[0]
        camera.reset(obs)
        turn, zoom = camera.act(obs)
        assert abs(turn) <= 5.0
        assert abs(zoom) <= 2.5


def test_weights_bound_to_the_index_play_in_their_team_only(tmp_path: Path) -> None:
    camera = TrainedCamera(make_checkpoint(tmp_path, by_index(make_config(tmp_path))))
    camera.reset(raw_observations("MATE-4v8-9")[3])
    with pytest.raises(ValueError, match=r"'index' and 4 cameras; cannot play with 8"):
        camera.reset(raw_observations("MATE-8v8-9")[3])


def test_a_team_too_large_for_the_selection_is_refused(tmp_path: Path) -> None:
    path = make_checkpoint(tmp_path, make_config(tmp_path, control={"max_selected": 17}))
    obs = np.zeros(CameraObsLayout(1, 17, 0).size)
    obs[:2] = 1, 17
    with pytest.raises(ValueError, match=r"qplex_hrl_0\.pth: cannot play against 17 targets: max_"):
        TrainedCamera(path).reset(obs)


def test_bad_input_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        TrainedCamera(tmp_path / "nothing.pth")
    foreign = tmp_path / "qplex_hrl_1.pth"
    save_checkpoint(foreign, {"config": {}})
    with pytest.raises(CheckpointError, match=r"qplex_hrl_1\.pth: not a checkpoint of a training"):
        TrainedCamera(foreign)
    path = make_checkpoint(tmp_path, make_config(tmp_path))
    camera = TrainedCamera(path)
    obs = raw_observations()[0]
    with pytest.raises(RuntimeError, match="call reset"):
        camera.act(obs)
    with pytest.raises(ValueError, match="expected a camera's raw observation"):
        camera.reset(obs[:5])
    with pytest.raises(ValueError, match=r"expected 106 for 4 cameras, 4 targets and 9 obstacles"):
        camera.reset(obs[:-1])
    for wrong in (obs * np.nan, obs * 1j, obs.astype(str)):
        with pytest.raises(ValueError, match="expected finite real numbers only"):
            camera.reset(wrong)
    camera.reset(obs)
    with pytest.raises(ValueError, match="expected finite real numbers only"):
        camera.observe(obs * np.inf)
    with pytest.raises(ValueError, match=r"shape \(105,\); expected \(106,\)"):
        camera.observe(obs[:-1])


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    content: dict[str, Any] = {"config": config.model_dump(mode="json"), "timestep": 0}
    content["training"] = {"learner": {"model": {"agent.weight": torch.zeros(2)}}}
    save_checkpoint(tmp_path / "qplex_hrl_0.pth", content)
    camera = TrainedCamera(tmp_path / "qplex_hrl_0.pth")
    with pytest.raises(CheckpointError, match="the weights do not fit the configuration"):
        camera.reset(raw_observations()[0])


def test_a_forgotten_shared_view_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for shared, mode, warned in ((True, "own", 1), (True, "shared", 0), (False, "own", 0)):
        folder = tmp_path / f"{shared}-{mode}"
        folder.mkdir()
        path = make_checkpoint(folder, make_config(tmp_path, shared))
        caplog.clear()
        for obs in raw_observations(mode=mode):
            camera = TrainedCamera(path)
            camera.reset(obs)
            camera.observe(obs)
        assert len(caplog.records) == warned
        assert ("--shared-field-of-view camera forgotten" in caplog.text) == bool(warned)


def test_without_upstream_only_the_class_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mate", None)
    monkeypatch.delitem(vars(mate_agent), "QPLEXHRLCameraAgent", raising=False)
    with pytest.raises(ImportError, match=r"needs upstream MATE .* docs/upstream\.md says how"):
        mate_agent.QPLEXHRLCameraAgent  # noqa: B018
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        mate_agent.nothing  # noqa: B018


class StandIn:
    """What upstream's base class offers to an agent, as far as it is called."""

    def __init__(self, seed: int | None = None) -> None:
        self.calls = [f"seed {seed}"]
        self.state: Any = None

    def spawn(self, number: int) -> list[Any]:
        return [copy.deepcopy(self) for _ in range(number)]

    def reset(self, observation: Any) -> None:
        self.calls.append("reset")

    def observe(self, observation: Any, info: Any = None) -> None:
        self.calls.append("observe")

    def check_inputs(self, observation: Any, info: Any = None) -> tuple[Any, ...]:
        self.calls.append("check")
        return "state", np.asarray(observation), info or {}, []


def test_the_agent_class_plays_a_trained_camera(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream = ModuleType("mate")
    upstream.CameraAgentBase = StandIn  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mate", upstream)
    monkeypatch.delitem(vars(mate_agent), "QPLEXHRLCameraAgent", raising=False)
    path = make_checkpoint(tmp_path, make_config(tmp_path))
    prototype = mate_agent.QPLEXHRLCameraAgent(checkpoint_path=str(path), seed=7)
    assert isinstance(prototype, StandIn)
    assert pickle.loads(pickle.dumps(type(prototype))) is type(prototype)  # noqa: S301
    agents, cameras = prototype.spawn(4), [TrainedCamera(path) for _ in range(4)]
    observations = raw_observations()
    for agent, camera, obs in zip(agents, cameras, observations, strict=True):
        agent.reset(obs)
        camera.reset(obs)
        for info in (None, {"messages": []}):
            agent.observe(obs, info)
            action = agent.act(obs, info, deterministic=False)
            assert np.array_equal(action, camera.act(obs))
        assert agent.calls == ["seed 7", "reset", "observe", "check", "observe", "check"]
        assert agent.state == "state"
    monkeypatch.delitem(vars(mate_agent), "QPLEXHRLCameraAgent")


@pytest.fixture(scope="module")
def short_scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our preset with short episodes, as a file that upstream reads."""
    preset = Path(camsim.__file__).parent / "scenario" / "presets" / "MATE-4v4-9.yaml"
    content = yaml.safe_load(preset.read_text(encoding="utf-8"))
    path = tmp_path_factory.mktemp("scenario") / "short.yaml"
    path.write_text(yaml.safe_dump(content | {"max_episode_steps": 250}), encoding="utf-8")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("trained", ["own", "shared"])
@pytest.mark.parametrize("played", ["own", "shared"])
def test_upstreams_own_evaluation_plays_a_checkpoint(
    tmp_path: Path, short_scenario: Path, trained: str, played: str
) -> None:
    python, upstream = os.environ.get("MATE_PYTHON"), os.environ.get("MATE_PATH")
    if not python or not upstream:
        pytest.skip("MATE_PYTHON and MATE_PATH do not say where upstream MATE is")
    path = make_checkpoint(tmp_path, make_config(tmp_path, trained == "shared"))
    source = Path(camsim.__file__).parents[1]
    command = [
        *(python, "-m", "mate.evaluate", "--no-render", "--episodes", "1"),
        *("--config", str(short_scenario)),
        *("--shared-field-of-view", "camera" if played == "shared" else "none"),
        *("--camera-agent", "qplex_hrl.mate_agent:QPLEXHRLCameraAgent"),
        *("--camera-kwargs", f'{{"checkpoint_path": "{path}"}}'),
    ]
    run = subprocess.run(
        command,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(source), upstream])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "Mean Coverage Rate" in run.stdout
    assert ("forgotten" in run.stderr) == (trained == "shared" and played == "own")
