"""Flags of `train-ray`, without Ray: what they mean, and bad ones."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from paths import ROOT

from qplex_hrl.cli import main as cli
from qplex_hrl.config import RunConfig

SMOKE = str(ROOT / "configs" / "smoke.yaml")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[Any, ...]]:
    """What the trainers are called with, in place of training."""
    monkeypatch.chdir(tmp_path)
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    found: list[tuple[Any, ...]] = []

    def put(module: str, name: str) -> None:
        def called(*arguments: object) -> int:
            found.append((name, *arguments))
            return 0

        stand_in = ModuleType(module)
        setattr(stand_in, name, called)
        monkeypatch.setitem(sys.modules, module, stand_in)

    put("qplex_hrl.rllib.train", "train_ray")
    put("qplex_hrl.rllib.tune", "tune_seeds")
    return found


def test_flags_become_configuration(calls: list[tuple[Any, ...]]) -> None:
    flags = "--num-workers 8 --num-gpus 0.5 --seed 3 --total-timesteps 99 --resume c --address auto"
    assert cli.main(["train-ray", "--config", SMOKE, *flags.split()]) == 0
    [(name, config, resume, log_level, address)] = calls
    assert name == "train_ray"
    assert (config.ray.num_workers, config.ray.num_gpus) == (8, 0.5)
    assert (config.training.seed, config.training.total_timesteps) == (3, 99)
    assert (resume, log_level, address) == (Path("c"), "INFO", "auto")
    assert not config.logging.wandb.enabled


@pytest.mark.parametrize(
    ("prepare", "mode"),
    [
        (lambda patch, folder: None, "offline"),
        (lambda patch, folder: patch.setenv("WANDB_MODE", "offline"), "offline"),
        (lambda patch, folder: patch.setenv("WANDB_MODE", "online"), "online"),
        (lambda patch, folder: patch.setenv("WANDB_API_KEY", "0" * 40), "online"),
        (
            lambda patch, folder: (folder / "netrc").write_text("machine api.wandb.ai\n"),
            "online",
        ),
    ],
)
def test_wandb_is_offline_where_nobody_can_log_in(
    calls: list[tuple[Any, ...]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    prepare: Callable[[pytest.MonkeyPatch, Path], object],
    mode: str,
) -> None:
    prepare(monkeypatch, tmp_path)
    flags = ["--project", "p", "--group", "g"]
    assert cli.main(["train-ray", "--config", SMOKE, *flags]) == 0
    wandb = calls[0][1].logging.wandb
    assert (wandb.enabled, wandb.project, wandb.group, wandb.mode) == (True, "p", "g", mode)
    assert capsys.readouterr().err.count("W&B: offline") == (mode == "offline")


def test_seeds_go_to_tune(calls: list[tuple[Any, ...]]) -> None:
    flags = "--seeds 0 4 --stop mean_coverage_rate=0.8 --stop timestep=5000"
    assert cli.main(["train-ray", "--config", SMOKE, *flags.split()]) == 0
    [(name, config, seeds, stop, address)] = calls
    assert name == "tune_seeds"
    assert isinstance(config, RunConfig)
    assert (seeds, address) == ([0, 4], None)
    assert stop == {"mean_coverage_rate": 0.8, "timestep": 5000.0}


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--num-workers 0", "--num-workers 0: ray.num_workers = 0"),
        ("--num-gpus 2", "--num-gpus 2.0: ray.num_gpus = 2.0"),
        ("--num-gpus half", "argument --num-gpus: invalid float value"),
        ("--stop timestep=9", "--stop goes with --seeds"),
        ("--seeds 0 --stop timestep", "--stop timestep: expected RESULT=NUMBER"),
        ("--seeds 0 0", "--seeds: expected different numbers"),
        ("--seeds -1", "--seeds: expected different numbers, none below 0"),
        ("--seeds 0 --resume c", "--resume goes on with one run"),
        ("--set ray.workers=2", "unknown key ray.workers"),
    ],
)
def test_bad_flags_are_one_line(
    calls: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str], flags: str, words: str
) -> None:
    try:
        code = cli.main(["train-ray", "--config", SMOKE, *flags.split()])
    except SystemExit as stop:  # argparse's own way out
        code = int(str(stop.code))
    error = capsys.readouterr().err
    assert (code, error.count("\n"), calls) == (2, 1, [])
    assert words in error
