"""Evaluation beside training: the same numbers as in its way, whatever stops the run meanwhile."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from fake_env import FakeEnv, FakeOutput
from numpy.typing import NDArray
from paths import CONFIGS
from tiny import make_fake_env, tiny_config

from qplex_hrl.config import RunConfig
from qplex_hrl.evaluation.evaluator import EvaluationFailed, Evaluator
from qplex_hrl.learner import TrainingDiverged
from qplex_hrl.runtime.exit_codes import DONE, FAILED, INTERRUPTED
from qplex_hrl.storage.checkpoint import load_checkpoint
from qplex_hrl.training import run as run_module
from qplex_hrl.training.run import TrainingRun
from qplex_hrl.training.trainer import train

WAIT = 30.0
ACTS_AT, UNTIL = 125, 145
"""Decisions of training: the second evaluation is due after 100 to 115, the run ends after 150."""

MakeEnv = Callable[[RunConfig, int], FakeEnv]


def run(config: RunConfig, resume: Path | None = None, make_env: MakeEnv = make_fake_env) -> int:
    return train(config, resume, "INFO", make_env)  # type: ignore[arg-type]


class Worlds:
    """Makes a run's environments: for training, and fewer of them for evaluation.

    The second evaluation waits at its first decision until training has made ``until`` decisions,
    or has given it up. An action is done at decision ``acts_at``, surely during it.
    """

    def __init__(self, until: int, action: Callable[[], object] = lambda: None) -> None:
        self.gate = threading.Event()
        self._begun = threading.Event()
        self._until, self._action = until, action
        self._n_resets = 0

    def __call__(self, config: RunConfig, num_envs: int) -> FakeEnv:
        worlds = self

        class Training(FakeEnv):
            n_steps = 0

            def step(self, actions: NDArray[np.int64], react: object = None) -> FakeOutput:
                self.n_steps += 1
                if self.n_steps == ACTS_AT:
                    assert worlds._begun.wait(WAIT)
                    worlds._action()
                if self.n_steps == worlds._until:
                    worlds.gate.set()
                return super().step(actions)

        class Evaluating(FakeEnv):
            def reset(self, seeds: NDArray[np.uint64]) -> FakeOutput:
                worlds._n_resets += 1
                return super().reset(seeds)

            def step(self, actions: NDArray[np.int64], react: object = None) -> FakeOutput:
                if worlds._n_resets > 3:  # the first evaluation has three episodes
                    worlds._begun.set()
                    assert worlds.gate.wait(WAIT)
                return super().step(actions)

        kind = Training if num_envs == config.env.num_envs else Evaluating
        return kind(num_envs, decision_frames=config.network.hrl.frame_skip)


def without_times(content: Any) -> Any:
    """A checkpoint or evaluation without what the clock decides, in comparable form."""
    match content:
        case dict():
            dropped = ("wall_time_seconds", "frames_per_second", "log_dir", "model_dir", "versions")
            return {k: without_times(v) for k, v in content.items() if k not in dropped}
        case list():
            return [without_times(v) for v in content]
        case torch.Tensor():
            return content.numpy().tobytes()
        case np.ndarray():
            return content.tobytes()
    return content


def final_state(folder: Path) -> Any:
    """What training would go on from at a run's end."""
    return without_times(load_checkpoint(folder / "models" / "qplex_hrl_final.pth")["training"])


def outcome(config: RunConfig) -> dict[str, Any]:
    """All that a run leaves and that no clock decides."""
    logs, models = Path(config.logging.log_dir), Path(config.logging.model_dir)
    result = {p.name: json.loads(p.read_text()) for p in logs.glob("*eval_results*.json")}
    for result_of in result.values():
        del result_of["provenance"]
    for name in ("best", "final"):
        content = load_checkpoint(models / f"qplex_hrl_{name}.pth")
        del content["config"]
        result[name] = without_times(content)
    lines = (logs / "metrics.jsonl").read_text().splitlines()
    names = ("timestep", "n_updates", "mean_coverage_rate", "best_coverage", "epsilon")
    rows = [{n: row[n] for n in names if n in row} for row in map(json.loads, lines)]
    result["rows"] = sorted(rows, key=lambda row: (row["timestep"], "best_coverage" in row))
    result["stats"] = json.loads((logs / "training_stats.json").read_text())["evaluations"]
    return result


def played_weights(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bytes]]:
    """Timestep and weights of every evaluation, as they are when it has been played."""
    played: list[tuple[int, bytes]] = []
    play = Evaluator._play

    def recording(self: Evaluator, weights: Any, seeds: Any, timestep: int, *about: Any) -> Any:
        result = play(self, weights, seeds, timestep, *about)
        agent = self._agents[0]._network.state_dict().values()
        played.append((timestep, b"".join(value.numpy().tobytes() for value in agent)))
        return result

    monkeypatch.setattr(Evaluator, "_play", recording)
    return played


@pytest.fixture(scope="module")
def blocking(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a run leaves in which nothing runs beside training."""
    config = tiny_config(tmp_path_factory.mktemp("blocking"), training={"overlap": False})
    with pytest.MonkeyPatch.context() as monkeypatch:
        played = played_weights(monkeypatch)
        assert run(config) == DONE
    assert len(set(played)) == 4
    return outcome(config) | {"played": played}


def assert_equal(left: dict[str, Any], right: dict[str, Any]) -> None:
    assert left.keys() | {"played"} == right.keys()
    for name, value in left.items():
        assert value == right[name], name


def test_evaluations_beside_training_equal_those_in_its_way(
    blocking: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training goes on for a while during the second evaluation."""
    config = tiny_config(tmp_path)
    played = played_weights(monkeypatch)
    assert run(config, make_env=Worlds(UNTIL)) == DONE
    assert_equal(outcome(config) | {"played": played}, blocking)
    lines = (tmp_path / "logs" / "metrics.jsonl").read_text().splitlines()
    timesteps = [json.loads(line)["timestep"] for line in lines]
    assert timesteps != sorted(timesteps), "training did wait for the evaluation"


def test_a_layer_that_allows_one_thread_makes_training_wait(
    blocking: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "threads_may_share_kernels", lambda: False)
    config = tiny_config(tmp_path)
    assert run(config) == DONE
    assert_equal(outcome(config), blocking)
    lines = (tmp_path / "logs" / "metrics.jsonl").read_text().splitlines()
    timesteps = [json.loads(line)["timestep"] for line in lines]
    assert timesteps == sorted(timesteps)


@pytest.mark.parametrize("written", [False, True])
def test_a_resume_from_the_middle_of_an_evaluation_equals_a_run_never_stopped(
    blocking: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    """Stopped by Ctrl-C; or by a crash after the evaluation was written, with older checkpoints."""
    config = tiny_config(tmp_path)
    worlds = Worlds(10**9, lambda: signal.raise_signal(signal.SIGINT))
    close = Evaluator.close

    def closing(self: Evaluator) -> None:
        worlds.gate.set()
        close(self)

    monkeypatch.setattr(Evaluator, "close", closing)
    assert run(config, make_env=worlds) == INTERRUPTED
    logs, models = tmp_path / "logs", tmp_path / "models"
    assert len(list(logs.glob("eval_results_*.json"))) == 1
    newest = max(models.glob("*[0-9].pth"), key=_timestep)
    pending = load_checkpoint(newest)["pending_evaluation"]["timestep"]
    assert pending < _timestep(newest)
    if written:
        (logs / f"eval_results_{pending}.json").write_text("{}")
        with (logs / "metrics.jsonl").open("a") as file:
            file.write(json.dumps({"timestep": pending, "best_coverage": 0.5}) + "\n")
    assert run(config, resume=models) == DONE
    assert_equal(outcome(config), blocking)


def test_an_error_in_an_evaluation_ends_the_run_with_that_error(tmp_path: Path) -> None:
    def make(config: RunConfig, num_envs: int) -> FakeEnv:
        env = make_fake_env(config, num_envs)
        if num_envs != config.env.num_envs:  # of an evaluation
            env.step = None  # type: ignore[assignment, method-assign]
        return env

    with pytest.raises(EvaluationFailed, match=r"evaluation of timestep 1\d\d\d failed: TypeError"):
        run(tiny_config(tmp_path), make_env=make)
    assert not list((tmp_path / "logs").glob("eval_results_*.json"))
    assert not [t for t in threading.enumerate() if t.name.startswith("evaluator")]


def test_weights_from_before_a_divergence_are_evaluated(tmp_path: Path) -> None:
    """The second evaluation ends after training has."""

    def poison() -> None:
        raise TrainingDiverged("as if")

    worlds = Worlds(10**9, poison)
    waiting = TrainingRun._await_evaluation

    def opening(self: TrainingRun) -> None:
        worlds.gate.set()
        waiting(self)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(TrainingRun, "_await_evaluation", opening)
        assert run(tiny_config(tmp_path), make_env=worlds) == FAILED
    stats = json.loads((tmp_path / "logs" / "training_stats.json").read_text())
    assert stats["status"] == "diverged"
    assert len(stats["evaluations"]) == 2


def test_ctrl_c_while_training_waits_for_an_evaluation_stops_at_once(
    blocking: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third evaluation is due while the second one is under way."""
    config = tiny_config(tmp_path)
    worlds = Worlds(10**9)
    await_evaluation, close = TrainingRun._await_evaluation, Evaluator.close

    def waiting(self: TrainingRun) -> None:
        if self.timestep >= 3000:
            signal.raise_signal(signal.SIGINT)
        await_evaluation(self)

    def closing(self: Evaluator) -> None:
        worlds.gate.set()
        close(self)

    with monkeypatch.context() as patch:
        patch.setattr(TrainingRun, "_await_evaluation", waiting)
        patch.setattr(Evaluator, "close", closing)
        assert run(config, make_env=worlds) == INTERRUPTED
    assert len(list((tmp_path / "logs").glob("eval_results_*.json"))) == 1
    assert run(config, resume=tmp_path / "models") == DONE
    assert_equal(outcome(config), blocking)


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["default", "workqueue"])
def test_in_the_real_world_evaluations_beside_training_are_the_same(
    tmp_path: Path, layer: str
) -> None:
    """With the compiled simulator, in processes of their own: a layer is chosen once."""
    outcomes = []
    for overlap in ("true", "false"):
        folder = tmp_path / overlap
        command = [sys.executable, "-m", "qplex_hrl", "train", "--config", CONFIGS / "smoke.yaml"]
        command += ["--set", f"training.overlap={overlap}", "--log-level", "ERROR"]
        command += ["--log-dir", folder, "--model-dir", folder]
        environment = os.environ | {"NUMBA_THREADING_LAYER": layer}
        subprocess.run(command, check=True, env=environment)  # type: ignore[arg-type]
        results = {p.name: json.loads(p.read_text()) for p in folder.glob("*eval_results*.json")}
        for result in results.values():
            del result["provenance"]
        model = load_checkpoint(folder / "qplex_hrl_final.pth")["training"]["learner"]["model"]
        outcomes.append((results, without_times(model)))
    assert len(outcomes[0][0]) > 1
    assert outcomes[0] == outcomes[1]


def _timestep(path: Path) -> int:
    return int(path.stem.rsplit("_", 1)[1])


class Vanishing(FakeEnv):
    """The training's first environments: in the middle of it the folder of logs is gone."""

    folder: Path
    n_steps = 0

    def step(self, actions: NDArray[np.int64], react: object = None) -> FakeOutput:
        Vanishing.n_steps += 1
        if Vanishing.n_steps == 60:
            self.folder.rename(self.folder.with_name("gone"))
        return super().step(actions)


@pytest.mark.parametrize("tensorboard", [False, True])
def test_a_folder_of_logs_that_vanishes_costs_no_training(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], tensorboard: bool
) -> None:
    sections: dict[str, dict[str, object]] = {
        "logging": {"tensorboard": tensorboard},
        "training": {"total_timesteps": 2000},
    }
    whole = tiny_config(tmp_path / "whole", **sections)
    assert run(whole) == DONE
    config = tiny_config(tmp_path / "cut", **sections)
    logs, models = tmp_path / "cut" / "logs", tmp_path / "cut" / "models"
    Vanishing.folder, Vanishing.n_steps = logs, 0
    with pytest.raises(OSError, match=r"training stopped: --resume .*\.pth goes on") as info:
        run(config, make_env=lambda c, n: Vanishing(n))
    assert "\n" not in str(info.value)
    assert "Traceback" not in capfd.readouterr().err
    logs.with_name("gone").rename(logs)
    assert run(config, resume=models) == DONE
    assert final_state(tmp_path / "whole") == final_state(tmp_path / "cut")


def test_a_tracker_that_is_lost_costs_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where its error is of a kind of its own, and comes again when it is closed."""
    sections: dict[str, dict[str, object]] = {"training": {"total_timesteps": 2000}}
    whole = tiny_config(tmp_path / "whole", **sections)
    assert run(whole) == DONE
    n_rows = []

    def log(row: dict[str, object]) -> None:
        n_rows.append(row)
        if len(n_rows) > 2:
            raise RuntimeError("the service\nis gone")

    def finish() -> None:
        log({})

    tracker = SimpleNamespace(log=log, finish=finish, define_metric=lambda *_, **__: None)
    module = SimpleNamespace(init=lambda **_: tracker, Histogram=lambda **_: None, __spec__="here")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "wandb", module)
        config = tiny_config(tmp_path / "cut", logging={"wandb": {"enabled": True}}, **sections)
        told = r"^wandb: the service is gone; training stopped: --resume .*\.pth goes on"
        with pytest.raises(OSError, match=told):
            run(config)
    config = tiny_config(tmp_path / "cut", **sections)
    assert run(config, resume=tmp_path / "cut" / "models") == DONE
    assert final_state(tmp_path / "whole") == final_state(tmp_path / "cut")


@pytest.mark.parametrize("failing", ["eval_results", "training_stats", "qplex_hrl_best"])
def test_an_evaluation_that_cannot_be_written_is_played_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocking: dict[str, Any], failing: str
) -> None:
    """A full disk at any file of it: the resumed run ends as one that was never stopped."""
    config = tiny_config(tmp_path, training={"overlap": False})
    fails = [True]

    def full(write: Callable[..., None]) -> Callable[..., None]:
        def writing(path: Path, content: object) -> None:
            if path.name.startswith(failing) and fails:
                fails.clear()
                raise OSError(errno.ENOSPC, "No space left on device", str(path))
            write(path, content)

        return writing

    for name in ("atomic_write_json", "save_checkpoint"):
        monkeypatch.setattr(run_module, name, full(getattr(run_module, name)))
    with pytest.raises(OSError, match=rf"{failing}.*: no space left on device; training stopped"):
        run(config)
    assert run(config, resume=tmp_path / "models") == DONE
    assert_equal(outcome(config), blocking)
