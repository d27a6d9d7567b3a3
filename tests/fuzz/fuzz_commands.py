"""Command lines: random flags and values of every command but those that measure."""

import contextlib
import io
import logging
import random
from pathlib import Path
from typing import Any
from unittest.mock import patch

from fuzz_configuration import WHOLE
from paths import ROOT
from values import NUMBERS, WORDS, strange_path
from worker import Refused, Wrong

from qplex_hrl.cli import main as commands

_PLAYING = (
    "--checkpoint",
    "--camera-agent",
    "--target-agent",
    "--scenario",
    "--seed",
    "--shared-field-of-view",
    "--message-loss",
    "--device",
    "--log-level",
    "--output",
)
_FLAGS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("train",): (
        "--config",
        "--resume",
        "--set",
        "--seed",
        "--total-timesteps",
        "--log-dir",
        "--model-dir",
        "--device",
        "--log-level",
    ),
    ("evaluate",): (*_PLAYING, "--episodes"),
    ("export",): ("--checkpoint", "--output"),
    ("render",): (*_PLAYING, "--max-frames", "--size", "--fps", "--beliefs"),
    ("replay",): (*_PLAYING, "--against", "--max-frames", "--jump-to"),
    ("compare",): ("--output", "--episodes", "--metric", "--scenario", "--max-episode-steps"),
    ("scenarios",): ("--output", "--help"),
    ("scenarios", "list"): ("-x",),
    ("scenarios", "show"): ("--picture",),
    ("scenarios", "verify"): ("-x",),
    ("scenarios", "generate"): (
        "--cameras",
        "--targets",
        "--obstacles",
        "--transmittance",
        "--cargoes-per-target",
        "--seed",
        "--output",
        "--force",
    ),
    ("",): ("--version", "--help", "-x"),
    ("traain",): ("--config",),
}
_WORK = (
    "qplex_hrl.training.trainer.execute",
    "qplex_hrl.evaluation.evaluate.EvaluationPlan.play",
    "qplex_hrl.evaluation.episode_record.render_episode",
    "qplex_hrl.viewer.recording.record_episode",
    "qplex_hrl.comparison.play.play_all",
    "camsim.render.picture_of_scenario",
)
"""Where commands begin to work for long."""


class CommandsKind:
    """Runs each command line in this process, but no training and no evaluation."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "whole.yaml"
        self.config.write_bytes(WHOLE)
        self.checkpoint = ROOT / "pretrained/qplex_hrl_4v2_9.pth"

    def make(self, rng: random.Random) -> list[str]:
        command = rng.choice(list(_FLAGS))
        words = [word for word in command if word]
        flags = _FLAGS[command]
        if command == ("train",) and rng.random() < 0.9:
            words += ["--config", str(self.config)]
        if command[-1] == "generate" and rng.random() < 0.7:
            words += ["--cameras", "2", "--targets", "3", "--obstacles", "4"]
        if command in (("replay",), ("render",), ("export",)) and rng.random() < 0.7:
            words += ["--output", str(self.folder / rng.choice(("x.html", "x.mp4", "x.gif")))]
        if command in (("evaluate",), ("render",), ("replay",), ("export",)):
            given = rng.choice(
                (["--camera-agent", "greedy"], ["--checkpoint", str(self.checkpoint)])
            )
            words += given if rng.random() < 0.6 else []
        for flag in rng.sample(flags, min(len(flags), rng.randrange(4))):
            words += [flag, self.value(rng)] if rng.random() < 0.9 else [flag]
        if rng.random() < 0.2 or command[0] in ("scenarios", "compare"):
            words.insert(rng.randrange(len(words) + 1), self.value(rng))
        return words

    def value(self, rng: random.Random) -> str:
        kind = rng.randrange(6)
        if kind < 2:
            return str(rng.choice(NUMBERS))
        if kind == 2:
            return rng.choice(WORDS)
        if kind == 3:
            return str(strange_path(self.folder, b"x", ".pth", rng))
        names = ("MATE-4v4-9", "greedy", "planner", str(self.config), str(self.checkpoint))
        return rng.choice((*names, "training.seed=1", str(self.folder / "output"), "1", "x.html"))

    def attempt(self, made: list[str]) -> bool:
        said, told = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(told), _no_work():
            try:
                code: Any = commands.main(made)
            except SystemExit as error:
                code = error.code
            except _Begun:
                code = 0
            finally:
                logging.getLogger().handlers.clear()
        text = told.getvalue()
        if code not in (0, 1, 2, None):
            raise Wrong(f"exit code {code}: {text[-300:]}")
        if code in (1, 2):
            lines = [line for line in text.splitlines() if line]
            if len(lines) != 1 or len(lines[0]) > 2500 or "Traceback" in text:
                raise Wrong(f"exit code {code} with {len(lines)} lines: {text[-500:]!r}")
            raise Refused("refused")
        return True  # what was asked for may be large


class _Begun(BaseException):
    """The command would work now."""


def _no_work() -> contextlib.ExitStack:
    """Return what stops commands where they begin to work for long."""

    def begin(*_: object, **__: object) -> None:
        raise _Begun

    stack = contextlib.ExitStack()
    for place in _WORK:
        stack.enter_context(patch(place, begin))
    return stack


def make_kind(folder: Path) -> CommandsKind:
    """Return the kind."""
    return CommandsKind(folder)
