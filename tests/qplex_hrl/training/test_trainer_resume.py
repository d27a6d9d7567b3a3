"""Runs that are stopped or killed, and go on: they end as one that never was."""

import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from paths import CONFIGS
from tiny import tiny_config
from tiny_runs import acting_at, equal, read, rows, run, weights

from camcontrol.selection_env import EnvOutput, React, SelectionEnv
from qplex_hrl.config import Override, RunConfig, load_config
from qplex_hrl.data.make_env import build_env
from qplex_hrl.evaluation.evaluate import evaluate
from qplex_hrl.evaluation.players import EvaluationSetting
from qplex_hrl.evaluation.trained import evaluate_checkpoint
from qplex_hrl.runtime.exit_codes import DONE, INTERRUPTED
from qplex_hrl.storage.checkpoint import load_checkpoint
from qplex_hrl.training.trainer import train


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_saves_and_the_resumed_run_ends_as_the_whole_one(
    whole: RunConfig, tmp_path: Path, number: signal.Signals
) -> None:
    config = tiny_config(tmp_path)
    stopping = acting_at(85, lambda: signal.raise_signal(number))
    assert run(config, make_env=stopping) == INTERRUPTED
    models = tmp_path / "models"
    assert not (models / "qplex_hrl_final.pth").exists()
    assert read(tmp_path / "logs" / "training_stats.json")["status"] == "interrupted"
    saved = max(int(p.stem.rsplit("_", 1)[1]) for p in models.glob("*[0-9].pth"))
    assert 84 * 4 * 4 < saved < 3000
    assert run(config, resume=models) == DONE
    assert not list(tmp_path.glob("*/rewound-*")), "nothing was later than the checkpoint"
    finals = [Path(c.logging.model_dir) / "qplex_hrl_final.pth" for c in (whole, config)]
    assert equal(*map(weights, finals))
    names = ("timestep", "n_updates", "mean_coverage_rate", "best_coverage", "epsilon")
    kept, expected = (
        # Rows of evaluations come when these are done.
        sorted(
            ({n: row[n] for n in names if n in row} for row in rows(each)),
            key=lambda row: (row["timestep"], "best_coverage" in row),
        )
        for each in (config, whole)
    )
    assert kept == expected


def test_ctrl_c_stops_an_evaluation_at_once_and_resume_repeats_it(tmp_path: Path) -> None:
    config = tiny_config(tmp_path, training={"overlap": False})
    stopping = acting_at(3, lambda: signal.raise_signal(signal.SIGINT), in_training=False)
    assert run(config, make_env=stopping) == INTERRUPTED
    assert not list((tmp_path / "logs").glob("eval_results_*.json"))
    assert run(config, resume=tmp_path / "models") == DONE
    assert len(list((tmp_path / "logs").glob("eval_results_*.json"))) == 3


KILLED = """
import os, signal, sys
from pathlib import Path
from tiny_runs import acting_at, run
from tiny import tiny_config
run(tiny_config(Path(sys.argv[1]), logging={"keep_replays": 2}),
    make_env=acting_at(120, lambda: os.kill(os.getpid(), signal.SIGKILL)))
"""


@pytest.mark.slow
def test_kill_then_resume_from_the_newest_intact_checkpoint(
    whole: RunConfig, tmp_path: Path
) -> None:
    code = f"import sys; sys.path[:0] = {sys.path!r}\n" + KILLED
    process = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, check=False
    )
    assert process.returncode == -signal.SIGKILL
    models = tmp_path / "models"
    newest = max(models.glob("*[0-9].pth"), key=lambda p: int(p.stem.rsplit("_", 1)[1]))
    data = newest.read_bytes()
    newest.write_bytes(data[: len(data) // 2])
    assert len(list(models.glob("*[0-9].pth"))) == 2
    config = tiny_config(tmp_path)
    assert run(config, resume=models) == DONE
    finals = [Path(c.logging.model_dir) / "qplex_hrl_final.pth" for c in (whole, config)]
    assert equal(*map(weights, finals))


def test_a_finished_run_can_go_on_longer(tmp_path: Path) -> None:
    short = tiny_config(tmp_path, training={"total_timesteps": 600})
    assert run(short) == DONE
    longer = tiny_config(tmp_path, training={"total_timesteps": 1100})
    assert run(longer, resume=tmp_path / "logs") == DONE
    final = load_checkpoint(tmp_path / "models" / "qplex_hrl_final.pth")
    assert final["timestep"] >= 1100
    assert list((tmp_path / "models").glob("rewound-*/qplex_hrl_final.pth"))
    longest = tiny_config(tmp_path, training={"total_timesteps": 1400})
    for _ in range(3):
        assert run(longest, resume=tmp_path / "logs") == DONE
    assert len(list((tmp_path / "models").glob("rewound-*/qplex_hrl_final.pth"))) == 4
    assert not list((tmp_path / "models").glob("previous-*"))


def test_a_run_whose_best_cameras_are_gone_keeps_the_best_from_there_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coverages = iter([0.9, 0.5, 0.7, 0.1, 0.5, 0.6, 0.1])  # of two runs, the last ones at their end

    def rated(*args: object, **options: object) -> dict[str, object]:
        result = evaluate(*args, **options)  # type: ignore[arg-type]
        return result | {"mean_coverage_rate": next(coverages)}

    monkeypatch.setattr("qplex_hrl.evaluation.evaluator.evaluate", rated)
    config = tiny_config(tmp_path)
    assert run(config) == DONE
    models = tmp_path / "models"
    timesteps = sorted(int(p.stem.rsplit("_", 1)[1]) for p in models.glob("*[0-9].pth"))
    best = models / "qplex_hrl_best.pth"
    assert load_checkpoint(best)["timestep"] == timesteps[0]
    best.unlink()
    assert run(config, resume=models / f"qplex_hrl_{timesteps[1]}.pth") == DONE
    assert next(coverages, None) is None
    assert load_checkpoint(best)["timestep"] == timesteps[2]
    assert read(tmp_path / "logs" / "training_stats.json")["best_coverage"] == 0.9


def test_a_checkpoint_of_another_network_is_refused_and_nothing_is_touched(
    whole: RunConfig, tmp_path: Path
) -> None:
    network = whole.network.model_dump()
    network["q_network"]["hidden_size"] = 16
    other = tiny_config(tmp_path / "new", network=network)
    final = Path(whole.logging.model_dir) / "qplex_hrl_final.pth"
    with pytest.raises(ValueError, match=r"qplex_hrl_final\.pth: .*another network"):
        run(other, resume=final)
    assert not (tmp_path / "new").exists()


def test_a_run_can_fork_from_a_checkpoint_into_new_folders(
    whole: RunConfig, tmp_path: Path
) -> None:
    before = sorted(Path(whole.logging.model_dir).iterdir())
    forked = tiny_config(tmp_path, training={"total_timesteps": 3600})
    final = Path(whole.logging.model_dir) / "qplex_hrl_final.pth"
    assert run(forked, resume=final) == DONE
    assert sorted(Path(whole.logging.model_dir).iterdir()) == before
    assert load_checkpoint(tmp_path / "models" / "qplex_hrl_final.pth")["timestep"] >= 3600


@pytest.mark.slow
def test_in_the_real_world_a_checkpoint_goes_on_and_is_evaluated_exactly(tmp_path: Path) -> None:
    """Everything above with the compiled simulator: resume, and evaluation from the file."""
    smoke = CONFIGS / "smoke.yaml"

    def config(name: str) -> RunConfig:
        folders = {"log_dir": str(tmp_path / name), "model_dir": str(tmp_path / name)}
        return load_config(smoke, [Override(f"logging.{k}", v, "") for k, v in folders.items()])

    def stopping(config: RunConfig, num_envs: int) -> SelectionEnv:
        env = build_env(config, num_envs)
        step, n_steps = env.step, itertools.count()

        def counted(actions: NDArray[np.int64], react: React | None = None) -> EnvOutput:
            if next(n_steps) == 60:
                signal.raise_signal(signal.SIGINT)
            return step(actions, react)

        env.step = counted  # type: ignore[method-assign]
        return env

    assert train(config("whole")) == DONE
    assert train(config("resumed"), make_env=stopping) == INTERRUPTED
    assert train(config("resumed"), tmp_path / "resumed") == DONE
    finals = [tmp_path / name / "qplex_hrl_final.pth" for name in ("whole", "resumed")]
    assert equal(*map(weights, finals))

    result = read(tmp_path / "whole" / "final_eval_results.json")
    seeds = np.array(result["seeds"], np.uint64)
    device = torch.device("cpu")
    again = evaluate_checkpoint(finals[0], EvaluationSetting(), seeds, num_envs=3, device=device)
    for name in ("episodes", "mean_coverage_rate", "ci95_coverage_rate", "timestep"):
        assert again[name] == result[name]


HUNG_UP = """
import os, signal, sys
from pathlib import Path
from tiny_runs import acting_at, run
from tiny import tiny_config
master, terminal = os.openpty()
os.dup2(terminal, 2)
sys.stderr = os.fdopen(2, "w", 1, closefd=False)
def hang_up():
    os.close(master)
    signal.raise_signal(signal.SIGHUP)
print(run(tiny_config(Path(sys.argv[1])), make_env=acting_at(70, hang_up)))
"""


@pytest.mark.slow
@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_a_terminal_that_is_gone_does_not_prevent_saving(
    whole: RunConfig, tmp_path: Path, term: str
) -> None:
    code = f"import sys; sys.path[:0] = {sys.path!r}\n" + HUNG_UP
    command = [sys.executable, "-c", code, str(tmp_path)]
    process = subprocess.run(
        command, capture_output=True, check=False, timeout=100, env=os.environ | {"TERM": term}
    )
    assert process.stdout == b"%d\n" % INTERRUPTED
    config = tiny_config(tmp_path)
    assert read(tmp_path / "logs" / "training_stats.json")["status"] == "interrupted"
    assert run(config, resume=tmp_path / "models") == DONE
    finals = [Path(c.logging.model_dir) / "qplex_hrl_final.pth" for c in (whole, config)]
    assert equal(*map(weights, finals))
