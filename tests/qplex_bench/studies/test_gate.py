"""What the gate's picture is made of, and the command that draws it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from paths import CONFIGS, PRETRAINED

from qplex_bench.studies.gate import Gated, by_known_targets
from qplex_hrl.cli.main import main
from qplex_hrl.config import load_config, parse_override
from qplex_hrl.data.make_env import build_env, model_dims
from qplex_hrl.model import build_model
from qplex_hrl.storage.checkpoint import save_checkpoint


def test_quartiles_are_of_halves_that_occur_often() -> None:
    known = np.repeat([1.0, 1.1, 2.5, 4.0], [2, 2, 4, 0])
    values = np.array([0.0, 0.2, 0.4, 0.6, 1.0, 1.0, 1.0, 1.0])
    numbers, quartiles = by_known_targets(known, values)
    assert numbers.tolist() == [1.0, 2.5]
    np.testing.assert_allclose(quartiles[:, 0], [0.15, 0.3, 0.45])
    rare = np.repeat([1.0, 3.0], [999, 1])
    assert by_known_targets(rare, rare)[0].tolist() == [1.0]


def test_a_gate_that_never_changes_has_no_correlation() -> None:
    known = np.array([1.0, 2.0, 3.0])
    assert Gated(known, np.full(3, 0.5), known).correlation == 0.0
    assert Gated(known, 0.2 * known, known).correlation == pytest.approx(1.0)


def trained(folder: Path, *settings: str) -> str:
    """Return a checkpoint of the configuration smoke, whole, without a training."""
    config = load_config(CONFIGS / "smoke.yaml", [parse_override(text) for text in settings])
    env = build_env(config, 1)
    torch.manual_seed(0)
    bits = torch.from_numpy(env.selection_bits.copy())
    model = build_model(model_dims(env), bits, config.network)
    learner = {"model": model.state_dict(), "ema": model.agent.state_dict()}
    path = folder / "training.pth"
    content = {
        "timestep": 0,
        "config": config.model_dump(mode="json"),
        "training": {"learner": learner},
    }
    save_checkpoint(path, content)
    return str(path)


@pytest.mark.jit
def test_the_command_draws_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "new" / "gate.svg"
    arguments = ["--checkpoints", trained(tmp_path), "--episodes", "2", "--output", str(picture)]
    assert main(["benchmark", "gate", *arguments]) == 0
    assert "complexity" in capsys.readouterr().out
    assert "<svg" in picture.read_text()


@pytest.mark.jit
def test_names_are_what_tells_the_checkpoints_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in ("seed0", "seed1"):
        (tmp_path / seed).mkdir()
    paths = [trained(tmp_path / seed) for seed in ("seed0", "seed1")]
    assert main(["benchmark", "gate", "--episodes", "1", "--checkpoints", *paths]) == 0
    printed = capsys.readouterr().out
    assert "seed1/training.pth" in printed
    assert str(tmp_path) not in printed


@pytest.mark.jit
def test_cameras_alone_and_other_mixers_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gate = ["benchmark", "gate", "--checkpoints"]
    assert main([*gate, str(PRETRAINED / "qplex_hrl_4v4_9.pth")]) == 2
    assert "holds cameras alone; expected a checkpoint of a training" in capsys.readouterr().err
    assert main([*gate, trained(tmp_path, "network.mixing_network.type=vdn")]) == 2
    assert "network.mixing_network.type = 'vdn'; expected 'adaptive'" in capsys.readouterr().err
    assert main([*gate, "x.pth", "--output", "gate.png"]) == 2
    assert "--output gate.png: expected a file name that ends in .svg" in capsys.readouterr().err
