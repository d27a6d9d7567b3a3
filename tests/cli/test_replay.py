"""`qplex-hrl replay` as a user types it: pages of all kinds of cameras, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from paths import PRETRAINED

from qplex_hrl.cli import main as cli
from qplex_hrl.runtime.exit_codes import BAD_INPUT, DONE

POLICY = PRETRAINED / "qplex_hrl_4v4_9.pth"


def run(*words: object) -> int:
    return cli.main(["replay", *map(str, words)])


@pytest.mark.slow
def test_two_policies_on_one_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The second one plays in the world of the first: here against random targets."""
    page = tmp_path / "page.html"
    words = ("--target-agent", "random", "--max-frames", 12, "--jump-to", "lost")
    assert run("--checkpoint", POLICY, "--against", "greedy", *words, "--output", page) == DONE
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("qplex_hrl_4v4_9.pth: 12 frames, mean coverage 0.")
    assert lines[1].startswith("greedy: 12 frames, mean coverage 0.")
    assert lines[2] == f"written to {page} (0.1 MB)"
    text = page.read_text(encoding="utf-8")
    assert text.count('"opponent":"random"') == 2
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.slow
def test_a_checkpoint_may_be_the_other(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    words = ("--camera-agent", "naive", "--against", POLICY, "--max-frames", 4)
    assert run(*words, "--jump-to", 2, "--output", page) == DONE
    assert '"policy":"qplex_hrl_4v4_9.pth"' in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--output", "page.htm"), "--output page.htm: expected a file that ends in .html"),
        (("--output", "no/page.html"), "--output no/page.html: no such folder, or not writable"),
        (("--max-frames", "1"), "--max-frames 1: expected at least 2"),
        (("--jump-to", "end"), "--jump-to end: expected a frame, such as 250, or lost"),
        (("--seed", "-1"), "--seed -1: expected at least 0"),
        (("--against", "gredy"), "camera_policy = 'gredy'; expected one of"),
    ],
)
def test_bad_input_is_told_and_nothing_written(
    words: tuple[str, str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("--camera-agent", "naive", "--output", "page.html", *words) == BAD_INPUT
    assert capsys.readouterr().err.startswith(f"error: {message}")
    assert not list(tmp_path.iterdir())
