"""Every kind of bad input, through the real command and the real trainer: one line, exit code 2."""

import errno
import io
import os
import zipfile
from pathlib import Path

import pytest
import torch
from paths import CONFIGS

from qplex_hrl.cli import main as cli

SMOKE = CONFIGS / "smoke.yaml"


class Malicious:
    """Unpickling this would create the file `owned`."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("owned",)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working folder with outputs of an earlier run and files that cannot be used."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs" / "smoke").mkdir(parents=True)
    (tmp_path / "logs" / "smoke" / "metrics.jsonl").write_text('{"timestep": 1}\n')
    (tmp_path / "models" / "smoke").mkdir(parents=True)
    (tmp_path / "models" / "smoke" / "qplex_hrl_1.pth").write_bytes(b"precious")
    (tmp_path / "unknown.yaml").write_text("training: {batchsize: 3}\n")
    (tmp_path / "type.yaml").write_text("env: {num_envs: many}\n")
    (tmp_path / "range.yaml").write_text("algorithm: {gamma: 1.5}\n")
    (tmp_path / "syntax.yaml").write_text("env: {num_envs: 4\ntraining: ]\n")
    (tmp_path / "foreign.pth").write_bytes(b"something else")
    torch.save({"code": Malicious()}, tmp_path / "malicious.pth")
    archive = io.BytesIO()
    torch.save({"format": "qplex_hrl.runtime.checkpoint", "weights": torch.zeros(1000)}, archive)
    assert zipfile.is_zipfile(archive)
    (tmp_path / "truncated.pth").write_bytes(archive.getvalue()[:900])
    (tmp_path / "file").write_text("no folder")
    return tmp_path


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = cli.main(["train", *arguments])
    return code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["--config", "unknown.yaml"], "did you mean 'batch_size'", id="unknown-key"),
        pytest.param(["--config", "type.yaml"], "env.num_envs = 'many'", id="wrong-type"),
        pytest.param(["--config", "range.yaml"], "algorithm.gamma = 1.5", id="out-of-range"),
        pytest.param(["--config", "missing.yaml"], "missing.yaml: no such file", id="missing-file"),
        pytest.param(["--config", "syntax.yaml"], "YAML syntax error", id="yaml-syntax"),
        pytest.param(["--resume", "foreign.pth"], "foreign.pth", id="foreign-checkpoint"),
        pytest.param(["--resume", "truncated.pth"], "truncated.pth", id="truncated-checkpoint"),
        pytest.param(["--resume", "malicious.pth"], "malicious.pth", id="malicious-checkpoint"),
        pytest.param(
            ["--set", "env.scenario=MATE-Navigation"], "no cameras", id="scenario-without-cameras"
        ),
        pytest.param(
            ["--total-timesteps", "400"], "learning_starts = 400 with", id="nothing-learned"
        ),
        pytest.param(["--set", "training.train_freq=0"], "train_freq = 0", id="no-update"),
        pytest.param(["--seed", "-1"], "training.seed = -1", id="negative-seed"),
        pytest.param(["--log-dir", "file/logs"], "file", id="unwritable-folder"),
    ],
)
def test_bad_input_is_one_line_and_leaves_everything_as_it_is(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    before = content_of(folder)
    config = [] if "--config" in arguments else ["--config", str(SMOKE)]
    code, error = run([*config, *arguments], capsys)
    assert code == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert words in error
    assert content_of(folder) == before
    assert not (folder / "owned").exists()


def test_a_full_disk_is_one_line_and_leaves_everything_as_it_is(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = content_of(folder)
    monkeypatch.setattr("camsim.files.os.fsync", fail)
    code, error = run(["--config", str(SMOKE)], capsys)
    assert code == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert "no space left" in error.lower()
    assert before.items() <= content_of(folder).items()
