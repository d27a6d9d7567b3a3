"""Cameras as ONNX files: the same choices as PyTorch's, for every kind of network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from trained_cameras import by_index, make_checkpoint, make_config, with_network

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from camsim import TeamEnv, TeamOptions, load_scenario
from qplex_hrl import TeamController
from qplex_hrl.cli.main import main
from qplex_hrl.evaluation import onnx_export
from qplex_hrl.evaluation.onnx_export import export_onnx

KINDS = ("mlp", "rnn", "attention_rnn", "hierarchical_rnn")


def assert_same_motions(checkpoint: Path, exported: Path, n_frames: int, view: str = "own") -> None:
    """Both play the same episode, to the last bit."""
    scenario = load_scenario("MATE-4v4-9")
    world = TeamEnv(scenario, TeamOptions(camera_view=view), 1)
    out = world.reset(np.array([4], np.uint64))
    ours, theirs = TeamController(checkpoint), TeamController(exported)
    chosen = set()
    for _ in range(n_frames):
        moves = [np.stack(each.step(out.camera_obs[0]), axis=-1) for each in (ours, theirs)]
        np.testing.assert_array_equal(*moves)
        chosen |= set(ours.selections.tolist())
        out = world.step(moves[0][None])
    assert len(chosen) > 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fast_interval", [1, 5])
def test_every_kind_of_network_chooses_the_same(
    tmp_path: Path, kind: str, fast_interval: int
) -> None:
    config = with_network(make_config(tmp_path, fast_interval=fast_interval), type=kind)
    checkpoint = make_checkpoint(tmp_path, config)
    export_onnx(checkpoint, tmp_path / "cameras.onnx")
    assert_same_motions(checkpoint, tmp_path / "cameras.onnx", 30)


def test_flat_observations(tmp_path: Path) -> None:
    config = with_network(make_config(tmp_path, fast_interval=5), type="rnn", encoding="flat")
    checkpoint = make_checkpoint(tmp_path, config)
    export_onnx(checkpoint, tmp_path / "cameras.onnx")
    assert_same_motions(checkpoint, tmp_path / "cameras.onnx", 20)


@pytest.mark.slow
def test_the_command_exports_a_shipped_policy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = Path("pretrained/qplex_hrl_4v4_9_shared.pth")
    output = tmp_path / "cameras.onnx"
    assert main(["export", "--checkpoint", str(checkpoint), "--onnx", str(output)]) == 0
    assert f"{output}: cameras after 1,000,758 timesteps" in capsys.readouterr().out
    assert_same_motions(checkpoint, output, 150, "shared")


def test_weights_of_one_team_are_refused(tmp_path: Path) -> None:
    checkpoint = make_checkpoint(tmp_path, by_index(make_config(tmp_path)))
    with pytest.raises(ValueError, match="camera_identity = 'index' is not exported"):
        export_onnx(checkpoint, tmp_path / "cameras.onnx")
    assert not (tmp_path / "cameras.onnx").exists()


def test_outputs_that_differ_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = make_checkpoint(tmp_path, make_config(tmp_path, fast_interval=5))
    monkeypatch.setattr(onnx_export, "TOLERANCE", -1.0)
    with pytest.raises(ValueError, match="onnxruntime's q_values differ from PyTorch's"):
        export_onnx(checkpoint, tmp_path / "cameras.onnx")
    assert not (tmp_path / "cameras.onnx").exists()


def test_another_name_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["export", "--checkpoint", "pretrained/qplex_hrl_4v4_9.pth"]
    assert main([*command, "--onnx", str(tmp_path / "cameras.pth")]) == 2
    assert "expected a name that ends in .onnx" in capsys.readouterr().err
