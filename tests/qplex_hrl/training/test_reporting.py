"""Time that training waits is not its own."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tiny import CPU, make_fake_env, tiny_config

from qplex_hrl.runtime.logger import WriteToAll
from qplex_hrl.runtime.signals import Interrupt
from qplex_hrl.training.display import NoDisplay
from qplex_hrl.training.loop import TrainingLoop
from qplex_hrl.training.progress import ProgressWindow
from qplex_hrl.training.reporting import Reporting


class Recorder(NoDisplay):
    def __init__(self) -> None:
        self.reasons: list[str] = []

    @contextmanager
    def waiting(self, reason: str) -> Iterator[None]:
        self.reasons.append(reason)
        yield


def test_waiting_is_shown_and_costs_no_speed(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    config = tiny_config(tmp_path)
    loop = TrainingLoop(config, make_fake_env(config, 4), CPU)  # type: ignore[arg-type]
    now = 0.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    display = Recorder()
    outputs = Reporting(WriteToAll([]), display, Interrupt(), ProgressWindow())
    outputs.window._n_frames = 100
    now += 2.0
    with outputs.waiting("evaluating"):
        now += 50.0
    with outputs.waiting(None):
        now += 2.0
    assert outputs.window.close(loop)["frames_per_second"] == pytest.approx(25.0)
    assert display.reasons == ["evaluating"]
