"""What the terminal shows: a panel that moves by itself, or plain lines."""

import io
import logging
import re
import time
from collections.abc import Iterator

import pytest
from rich.console import Console

from qplex_hrl.runtime.logger import log_messages
from qplex_hrl.training.display import LivePanel, PlainLines, sparkline

METRICS = {
    "train_coverage_rate": 0.61234,
    "mean_loss": 0.5,
    "epsilon": 0.25,
    "frames_per_second": 100.0,
    "other": 1.0,
}
WAIT = 30.0


def text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue())


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def console() -> Console:
    return Console(file=Terminal(), width=100, _environ={"TERM": "xterm"})


@pytest.fixture
def panel(console: Console) -> Iterator[LivePanel]:
    shown = LivePanel("a world", 1000, 100, console)
    yield shown
    shown.close()


def wait_for(console: Console, words: str) -> None:
    """Wait until the drawing thread has shown the words, without any help."""
    until = time.monotonic() + WAIT
    while words not in text(console):
        assert time.monotonic() < until, text(console)
        time.sleep(0.01)


def test_the_panel_shows_what_matters(panel: LivePanel, console: Console) -> None:
    wait_for(console, "none is done yet")
    wait_for(console, "no episode has ended yet")
    panel.advance(500)
    panel.row(500, METRICS)
    panel.evaluated(200, 0.5)
    panel.evaluated(400, 0.4)
    panel.close()
    panel.close()
    shown = text(console)
    for words in (
        *("a world", "500 / 1,000", "50%", "0:05 left", "loss 0.5000", "epsilon 0.250"),
        *("frames/s 100", "coverage 0.612 in episodes that explore"),
        "█▁  coverage 0.400 at 400  best 0.500 at 200",
    ):
        assert words in shown


def test_the_name_of_a_scenario_is_no_markup(console: Console) -> None:
    shown = LivePanel("my [red]world[/red] [/]", 1000, 0, console)
    wait_for(console, "my [red]world[/red] [/]")
    shown.close()


def test_a_wait_may_end_while_the_panel_is_drawn(panel: LivePanel) -> None:
    panel.close()
    seen = iter([None, ("something", 0.0)])  # by the bar and by the table; then it is over

    class Racing(LivePanel):
        @property
        def _waiting(self) -> tuple[str, float] | None:  # type: ignore[override]
            return next(seen, None)

    panel.__class__ = Racing
    assert panel._render() is not None
    assert next(seen, "all") == "all"


def test_the_bar_moves_between_rows(panel: LivePanel, console: Console) -> None:
    panel.advance(250)
    wait_for(console, "250 / 1,000")
    panel.advance(260)
    wait_for(console, "260 / 1,000")


def test_coverage_of_training_is_never_that_of_an_evaluation(
    panel: LivePanel, console: Console
) -> None:
    panel.row(500, METRICS | {"mean_coverage_rate": 0.9})
    panel.close()
    assert "0.900" not in text(console)


def test_waiting_is_shown_while_it_lasts(panel: LivePanel, console: Console) -> None:
    with panel.waiting("evaluating 64 episodes"):
        wait_for(console, "evaluating 64 episodes ... 0:0")
    before = text(console).count("evaluating")
    panel.advance(700)
    wait_for(console, "700 / 1,000")
    assert text(console).count("evaluating") == before


def test_the_speed_before_the_first_row_leaves_waits_out(
    panel: LivePanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = panel._started
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    with panel.waiting("something"):
        now += 1000.0
        assert panel._seconds_left() is None
    now += 10.0
    panel.advance(200)  # 100 timesteps in 10 seconds
    assert panel._seconds_left() == pytest.approx(80.0)


def test_messages_appear_above_the_panel(panel: LivePanel, console: Console, tmp_path) -> None:  # type: ignore[no-untyped-def]
    with log_messages(tmp_path / "training.log", console=console):
        logging.getLogger("qplex_hrl").info("something happened")
        wait_for(console, "something happened")
    panel.close()
    assert text(console).rindex("something happened") < text(console).rindex("a world")


def test_without_a_terminal_messages_take_the_panels_place(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lines = PlainLines(1000)
    with caplog.at_level(logging.INFO, "qplex_hrl"):
        lines.advance(500)
        lines.row(500, {"epsilon": 0.25})
        with lines.waiting("evaluating 64 episodes"):
            pass
        lines.evaluated(500, 0.5)
        lines.close()
    assert caplog.messages == [
        "timestep 500 of 1000  epsilon 0.250",
        "evaluating 64 episodes ...",
    ]


@pytest.mark.parametrize(
    ("values", "curve"), [([], ""), ([0.5], "▁"), ([0.5, 0.5], "▁▁"), ([0.0, 0.5, 1.0], "▁▅█")]
)
def test_a_curve_of_one_line(values: list[float], curve: str) -> None:
    assert sparkline(values) == curve
