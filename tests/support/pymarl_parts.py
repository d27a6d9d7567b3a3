"""The parts of PyMARL that a runner works with, as far as it does: batch, controller, settings."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

import torch

SCHEME: dict[str, dict[str, Any]] = {
    "state": {},
    "obs": {},
    "actions": {"dtype": torch.long},
    "avail_actions": {"dtype": torch.int},
    "reward": {},
    "terminated": {"dtype": torch.uint8},
}


class EpisodeTable:
    """Stores what `EpisodeBatch.update` is given: `data[name][row, t]`, and which are filled."""

    def __init__(self, scheme: Any, groups: Any, batch_size: int, length: int, **_: object) -> None:
        self.scheme, self.size = scheme, (batch_size, length)
        self.data: dict[str, torch.Tensor] = {}
        self.filled = torch.zeros(self.size, dtype=torch.bool)

    def update(
        self, data: dict[str, torch.Tensor], bs: list[int], ts: int, mark_filled: bool
    ) -> None:
        for name, value in data.items():
            value = value.reshape(len(bs), *value.shape[1:])
            if name not in self.data:
                self.data[name] = torch.zeros((*self.size, *value.shape[1:]), dtype=value.dtype)
            self.data[name][bs, ts] = value
        if mark_filled:
            self.filled[bs, ts] = True


class LastAction:
    """A controller that chooses the last action that may be chosen."""

    action_selector = SimpleNamespace(epsilon=0.25)

    def init_hidden(self, batch_size: int) -> None:
        pass

    def select_actions(
        self, batch: EpisodeTable, t_ep: int, t_env: int, bs: list[int], test_mode: bool
    ) -> torch.Tensor:
        avail = batch.data["avail_actions"][bs, t_ep]
        return avail.shape[2] - 1 - avail.flip(2).argmax(2)


class Log:
    """What was logged: name -> values."""

    def __init__(self) -> None:
        self.values: dict[str, list[float]] = {}

    def log_stat(self, name: str, value: float, t: int) -> None:
        self.values.setdefault(name, []).append(float(value))


def run_settings(**changes: object) -> SimpleNamespace:
    """The settings of a run that a runner reads."""
    settings: dict[str, object] = {
        "env": "mate_selection",
        "env_args": {"key": "MATE-4v4-9", "time_limit": 4, "seed": 3},
        "batch_size_run": 3,
        "device": "cpu",
        "runner_log_interval": 20,
        "test_nepisode": 7,
    }
    return SimpleNamespace(**(settings | changes))


@contextmanager
def pymarl_modules() -> Iterator[None]:
    """Let `components.episode_buffer` be importable."""
    module = ModuleType("components.episode_buffer")
    module.__dict__["EpisodeBatch"] = EpisodeTable
    names = {"components": ModuleType("components"), "components.episode_buffer": module}
    assert not set(names) & set(sys.modules)
    sys.modules.update(names)
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]
