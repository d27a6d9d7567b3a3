"""Whole runs on a cluster of this machine: numbers, files, losses, kills; as separate processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from paths import ROOT

pytest.importorskip("ray")

from qplex_hrl.config import Override, RunConfig, load_config
from qplex_hrl.rllib.orphan_cleanup import descendants
from qplex_hrl.runtime.exit_codes import DONE
from qplex_hrl.storage.checkpoint import load_checkpoint
from qplex_hrl.training.trainer import train

pytestmark = [pytest.mark.ray, pytest.mark.slow]

SMOKE = ROOT / "configs" / "smoke.yaml"
TIMESTEPS = 4500
SETTINGS = {
    "training.total_timesteps": TIMESTEPS,
    "logging.checkpoint_interval": 1000,
    "logging.log_interval": 250,
    "logging.keep_checkpoints": 100,
    "evaluation.eval_interval": 2000,
    "control.belief": "particles",  # whose arrays hold what is not used, too
}


def command(folder: Path, n_workers: int, *more: str) -> list[str]:
    settings = SETTINGS | {"ray.num_envs_per_worker": 4 // n_workers}
    flags = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    flags += ["--log-dir", str(folder / "logs"), "--model-dir", str(folder / "models")]
    start = [sys.executable, "-m", "qplex_hrl", "train-ray", "--config", str(SMOKE)]
    return [*start, "--num-workers", str(n_workers), *flags, *more]


def environment(**more: str) -> dict[str, str]:
    """Ours, with the tests' modules for the workers, and no cluster but an own one."""
    paths = [str(ROOT / folder) for folder in ("src", "tests", "tests/support")]
    inherited = {k: v for k, v in os.environ.items() if k not in ("RAY_ADDRESS", "PYTHONPATH")}
    threads = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    return inherited | threads | {"PYTHONPATH": os.pathsep.join(paths)} | more


def run(arguments: Sequence[str], **more: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        arguments,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
        **more,
    )


def run_until(
    arguments: Sequence[str], timestep: int, act: Callable[[int], object]
) -> tuple[int, str]:
    """Run a training, act on its process once it has reported a timestep; return code and text."""
    process = subprocess.Popen(
        arguments,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    text, acted = "", False
    for line in process.stdout:
        text += line
        if not acted and "timestep " in line and " of " in line:
            word = line.partition("timestep ")[2].split()[0]
            if int(word) >= timestep:
                act(process.pid)
                acted = True
    return process.wait(), text


def workers_of(pid: int) -> list[int]:
    """The rollout workers among the processes that a driver started."""
    found = []
    for process, _ in descendants(pid):
        try:
            words = Path(f"/proc/{process}/cmdline").read_text()
        except OSError:
            continue
        if "QPLEXHRLEnvRunner" in words:
            found.append(process)
    return sorted(found)


def same(left: Any, right: Any) -> bool:
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, torch.Tensor):
        return torch.equal(left, right)
    return bool((left == right).all()) if hasattr(left, "all") else bool(left == right)


def final(folder: Path) -> dict[str, Any]:
    """All that training came to: weights, optimiser, episodes, counters, generators."""
    content: dict[str, Any] = load_checkpoint(folder / "models" / "qplex_hrl_final.pth")
    return content["training"]  # type: ignore[no-any-return]


def rows(folder: Path) -> list[dict[str, float]]:
    """The metrics of a run without those of the clock, by timestep.

    An evaluation's row is written when it is done.
    """
    lines = (folder / "logs" / "metrics.jsonl").read_text().splitlines()
    clock = "frames_per_second"
    found = [{k: v for k, v in json.loads(line).items() if k != clock} for line in lines]
    return sorted(found, key=lambda row: (row["timestep"], "mean_coverage_rate" in row))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A standalone run."""
    folder = tmp_path_factory.mktemp("standalone")
    assert train(standalone(folder)) == DONE
    return folder


def standalone(folder: Path) -> RunConfig:
    folders = {"logging.log_dir": folder / "logs", "logging.model_dir": folder / "models"}
    values = SETTINGS | {name: str(value) for name, value in folders.items()}
    return load_config(SMOKE, [Override(name, value, "") for name, value in values.items()])


@pytest.fixture(scope="module")
def one_worker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one")
    result = run(command(folder, 1))
    assert result.returncode == 0, result.stdout
    return folder


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    result = run(command(folder, 2))
    assert result.returncode == 0, result.stdout
    return folder


def test_one_worker_is_standalone_training_to_the_last_bit(whole: Path, one_worker: Path) -> None:
    assert same(final(one_worker), final(whole))
    assert rows(one_worker) == rows(whole)
    names = {path.name for path in (whole / "models").iterdir()}
    assert names == {path.name for path in (one_worker / "models").iterdir()}
    results = [
        json.loads((folder / "logs" / "final_eval_results.json").read_text())
        for folder in (whole, one_worker)
    ]
    assert results[0]["episodes"] == results[1]["episodes"]
    left = {p.name.partition(".tfevents")[0] for p in (whole / "logs").iterdir()}
    assert left == {p.name.partition(".tfevents")[0] for p in (one_worker / "logs").iterdir()}


def test_two_workers_train_as_much(whole: Path, two_workers: Path) -> None:
    counted, expected = final(two_workers)["counters"], final(whole)["counters"]
    assert counted == expected
    assert counted["timestep"] >= TIMESTEPS


NO_RAY = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] == 'ray':
            raise ImportError('no ray here')
sys.meta_path.insert(0, Refuse())
from qplex_hrl.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_checkpoint_evaluates_without_ray(two_workers: Path, tmp_path: Path) -> None:
    output = tmp_path / "result.json"
    flags = ["--episodes", "3", "--output", str(output)]
    arguments = ["evaluate", "--checkpoint", str(two_workers / "models"), *flags]
    result = run([sys.executable, "-c", NO_RAY, *arguments])
    assert result.returncode == 0, result.stdout
    assert json.loads(output.read_text())["n_episodes"] == 3
    result = run([sys.executable, "-c", NO_RAY, *command(tmp_path, 1)[3:]])
    assert result.returncode == 2
    assert 'pip install "qplex-hrl[ray]"' in result.stdout
    assert not (tmp_path / "logs").exists()


@pytest.fixture
def shared_memory() -> Iterator[Path]:
    """The folder of shared memory, in which the test must leave nothing."""
    folder = Path("/dev/shm")
    before = set(folder.iterdir())
    yield folder
    assert not {p for p in set(folder.iterdir()) - before if not p.name.startswith("sem.mp-")}


def test_a_killed_worker_changes_nothing(
    two_workers: Path, tmp_path: Path, shared_memory: Path
) -> None:
    def kill(pid: int) -> None:
        workers = workers_of(pid)
        assert len(workers) == 2
        os.kill(workers[1], signal.SIGKILL)

    code, text = run_until(command(tmp_path, 2), 2000, kill)
    assert code == 0, text
    assert text.count("was lost; its chunk is collected again") == 1
    assert same(final(tmp_path), final(two_workers))
    assert rows(tmp_path) == rows(two_workers)


def test_a_killed_driver_leaves_nothing_and_training_goes_on_until_ctrl_c(
    whole: Path, two_workers: Path, tmp_path: Path, shared_memory: Path
) -> None:
    left: set[tuple[int, int]] = set()

    def kill(pid: int) -> None:
        left.update(descendants(pid))
        os.kill(pid, signal.SIGKILL)

    code, _ = run_until(command(tmp_path, 2), 1750, kill)
    assert code == -signal.SIGKILL
    end = time.monotonic() + 60
    while time.monotonic() < end and left & living():
        time.sleep(0.2)
    assert not left & living()

    models = tmp_path / "models"
    resumed = command(tmp_path, 2, "--resume", str(models))
    code, text = run_until(resumed, 3000, lambda pid: os.kill(pid, signal.SIGINT))
    assert code == 130, text
    assert "resumed" in text

    alone = tmp_path / "alone"
    assert train(standalone(alone), models) == DONE
    assert final(alone)["counters"] == final(whole)["counters"]

    result = run(resumed)
    assert result.returncode == 0, result.stdout
    assert same(final(tmp_path), final(two_workers))
    assert rows(tmp_path) == rows(two_workers)


SHORT_LIMIT = """
import sys
from qplex_hrl.cli.main import main
from qplex_hrl.rllib.cluster import check_ray
check_ray()
from qplex_hrl.rllib import remote_rollout
remote_rollout.ANSWER_SECONDS = 1.0
sys.exit(main(sys.argv[1:]))
"""


def test_a_worker_that_is_frozen_for_ever_ends_the_run_in_one_line(
    tmp_path: Path, shared_memory: Path
) -> None:
    frozen: set[int] = set()

    def freeze(pid: int) -> None:
        frozen.update(workers_of(pid))
        for worker in frozen:
            os.kill(worker, signal.SIGSTOP)

    arguments = [sys.executable, "-c", SHORT_LIMIT, *command(tmp_path, 1)[3:]]
    code, text = run_until(arguments, 250, freeze)
    assert code == 1, text
    last = text.splitlines()[-1]
    assert "ERROR" in last
    assert "rollout worker 1 has not answered for 1 s" in last
    assert "the last checkpoint is kept" in last
    assert last in (tmp_path / "logs" / "training.log").read_text()
    assert frozen
    assert not frozen & {pid for pid, _ in living()}


def living() -> set[tuple[int, int]]:
    """All processes of this machine."""
    return descendants(0) | descendants(1)


def test_a_worker_that_cannot_start_is_one_line(tmp_path: Path) -> None:
    """The scenario's file is gone when the workers look for it."""
    code = (
        "import sys; from pathlib import Path\n"
        "from qplex_hrl.config import Override, load_config\n"
        "from qplex_hrl.rllib.train import train_ray\n"
        "folder = sys.argv[2]\n"
        "o = [Override(f'logging.{k}_dir', f'{folder}/{k}', '') for k in ('log', 'model')]\n"
        "o += [Override('ray.num_workers', 1, '')]\n"
        "try: train_ray(load_config(sys.argv[1], o), make_env='broken_world.make')\n"
        "except ValueError as error: print('error:', error); sys.exit(2)\n"
    )
    result = run([sys.executable, "-c", code, str(SMOKE), str(tmp_path)])
    assert result.returncode == 2, result.stdout
    (line,) = (line for line in result.stdout.splitlines() if line.startswith("error: "))
    assert "rollout worker 1 cannot start: " in line
    assert "OSError: no such world" in line
    assert list(tmp_path.iterdir()) == []


def test_seeds_by_tune(tmp_path: Path) -> None:
    folder = tmp_path / "tuned"
    flags = ["--seeds", "0", "1", "--stop", "timestep=3000", "--log-dir", str(folder)]
    result = run([*command(tmp_path, 1), *flags])
    assert result.returncode == 0, result.stdout
    summary = json.loads((folder / "tune_results.json").read_text())
    assert [row["seed"] for row in summary["runs"]] == [0, 1]
    for row in summary["runs"]:
        assert 3000 <= row["timestep"] < TIMESTEPS
        best = folder / row["best_checkpoint"]
        (checkpoint,) = best.glob("*.pth")
        assert load_checkpoint(checkpoint)["timestep"] >= 2000
        run_files = {path.name.partition("_")[0] for path in (folder / row["folder"]).iterdir()}
        assert {"metrics.jsonl", "config.yaml", "training", "eval", "result.json"} <= run_files
        assert list((folder / row["folder"]).glob("events.out.tfevents.*"))
    again = run([*command(tmp_path, 1), *flags])
    assert (again.returncode, "holds earlier runs" in again.stdout) == (2, True)


FROM_PYTHON = """
import sys
from pathlib import Path
from qplex_hrl.config import load_config
from qplex_hrl.rllib.cluster import check_ray, cluster
check_ray()
from qplex_hrl.rllib_policy import QPLEXHRL, QPLEXHRLConfig
import torch
config = load_config(sys.argv[1])
config = config.model_copy(update={"ray": config.ray.model_copy(
    update={"num_workers": 1, "num_envs_per_worker": 4})})
with cluster(config, None):
    algorithm = QPLEXHRLConfig().training(run=config).build_algo()
    for _ in range(6):
        result = algorithm.train()
    assert result["timestep"] == result["num_env_steps_sampled_lifetime"] > 400, result
    assert result["n_updates"] > 0 and "loss" in str(result["learners"]), result
    assert result["training_iteration"] == 6
    assert not any(Path(sys.argv[2]).rglob("*.pkl"))
    saved = algorithm.save_to_path(sys.argv[2])
    again = QPLEXHRL.from_checkpoint(saved)
    for one in (algorithm, again):
        for _ in range(2):
            one.train()
    weights = [one.loop.learner.model.state_dict() for one in (algorithm, again)]
    assert all(torch.equal(weights[0][k], weights[1][k]) for k in weights[0])
    assert 0 <= again.evaluate()["mean_coverage_rate"] <= 1
    for one in (algorithm, again):
        one.stop()
print("all is well")
"""


def test_from_python_an_algorithm_is_saved_and_restored_exactly(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path / "home")}
    (tmp_path / "home").mkdir()
    result = subprocess.run(
        [sys.executable, "-c", FROM_PYTHON, str(SMOKE), str(tmp_path / "saved")],
        env=environment(**home),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.endswith("all is well\n")
    assert {path.suffix for path in (tmp_path / "saved").iterdir()} == {".pth", ".npz"}
