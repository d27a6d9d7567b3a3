"""`qplex-hrl replay` as a user types it: pages of all kinds of cameras, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from paths import PRETRAINED

from qplex_hrl.cli import main as cli
from qplex_hrl.cli import replay
from qplex_hrl.evaluation.episode_record import Episode, record_scripted
from qplex_hrl.evaluation.players import EvaluationSetting
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
    assert lines[0].startswith("qplex_hrl_4v4_9.pth: first 12 frames, mean coverage 0.")
    assert lines[1].startswith("greedy: first 12 frames, mean coverage 0.")
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


def episode(**changes: object) -> Episode:
    """One of a trained policy, cut short, and with other targets than by default."""
    world = EvaluationSetting("MATE-4v2-9", "random", max_episode_steps=7)
    return record_scripted("naive", world, 0)._replace(**changes)  # type: ignore[arg-type]


def test_the_other_plays_in_the_world_of_the_first() -> None:
    """Scenario, targets and length are those of the first, whatever the flags leave open."""
    words = ["--camera-agent", "naive", "--against", "greedy", "--output", "p.html"]
    args = cli._build_parser(benchmarks=False).parse_args(["replay", *words])
    other = replay._other_episode(args, episode())
    assert (other.scenario, other.opponent) == ("MATE-4v2-9", "random")
    assert other.sim.params.max_episode_steps == 7
    with pytest.raises(
        ValueError, match="--against greedy: its targets have the view 'own', those"
    ):
        replay._other_episode(args, episode(opponent_view="enhanced"))


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (("a/x.pth", "b/y.pth"), ("x.pth", "y.pth")),
        (("a/x.pth", "b/x.pth"), ("a/x.pth", "b/x.pth")),
        (("1/models/x.pth", "2/models/x.pth"), ("1/models/x.pth", "2/models/x.pth")),
        (("a/x.pth", "a/x.pth"), ("naive", "naive")),
        (("a/x.pth", None), ("naive", "naive")),
    ],
)
def test_checkpoints_of_one_name_are_told_apart(
    paths: tuple[str, str | None], names: tuple[str, str]
) -> None:
    both = [episode(checkpoint=path and Path(path)) for path in paths]
    assert tuple(each.policy for each in replay._told_apart(*both)) == names


def test_a_rule_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("greedy", "planner", "mine", "a=b"):
        Path(name).mkdir()
    assert replay._cameras_named("greedy") == "greedy"
    assert replay._cameras_named("planner") == "planner"
    assert replay._cameras_named("./greedy") == Path("greedy")
    assert replay._cameras_named("mine") == Path("mine")
    assert replay._cameras_named("a=b") == Path("a=b")
    assert replay._cameras_named("greedy=0.5,random=0.5") == "greedy=0.5,random=0.5"


def test_an_episode_that_ends_early_and_a_page_that_is_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page starts at the last frame, and the output says how to make it smaller."""
    monkeypatch.setattr(replay, "first_episode", lambda args: episode())
    monkeypatch.setattr(replay, "_LARGE_MB", 0.01)
    page = tmp_path / "p.html"
    assert run("--camera-agent", "naive", "--jump-to", 100, "--output", page) == DONE
    lines = capsys.readouterr().out.splitlines()
    last = int(lines[0].rpartition(" ")[2])
    assert lines[0] == f"--jump-to 100: the episode ends before; the page starts at frame {last}"
    assert lines[1].startswith(f"naive: {last + 1} frames, mean coverage ")
    assert lines[2].endswith(" MB; large for a browser: --max-frames makes it smaller)")
    assert f'"jumpTo":{last}}}' in page.read_text(encoding="utf-8")


def test_no_page_takes_the_name_of_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "page.html"
    folder.mkdir()
    assert run("--camera-agent", "naive", "--output", folder) == BAD_INPUT
    assert f"{folder}: is a folder; expected the name of a file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--output", "page.htm"), "--output page.htm: expected a file that ends in .html"),
        (("--output", "no/page.html"), "--output no/page.html: no such folder, or not writable"),
        (("--max-frames", "1"), "--max-frames 1: expected at least 2"),
        (("--jump-to", "1200"), "--jump-to 1200: expected less than the 1200 frames of --max-fr"),
        (("--jump-to", "end"), "--jump-to end: expected a frame, such as 250, or lost"),
        (("--seed", "-1"), "--seed -1: expected a number from 0 to"),
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
