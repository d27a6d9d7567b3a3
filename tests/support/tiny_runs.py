"""Whole runs in the fake world: doing them, stopping them, reading what they leave."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from fake_env import FakeEnv, FakeOutput
from numpy.typing import NDArray
from tiny import make_fake_env

from qplex_hrl.config import RunConfig
from qplex_hrl.storage.checkpoint import load_checkpoint
from qplex_hrl.training.trainer import train


def run(config: RunConfig, resume: Path | None = None, make_env: object = make_fake_env) -> int:
    return train(config, resume, "INFO", make_env)  # type: ignore[arg-type]


def weights(path: Path) -> dict[str, torch.Tensor]:
    model: dict[str, torch.Tensor] = load_checkpoint(path)["training"]["learner"]["model"]
    return model


def equal(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


def rows(config: RunConfig) -> list[dict[str, float]]:
    text = (Path(config.logging.log_dir) / "metrics.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def read(path: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads(path.read_text())
    return content


def acting_at(
    decision: int, action: Callable[[], object], *, in_training: bool = True
) -> Callable[[RunConfig, int], FakeEnv]:
    """Return a factory of environments; those of training do something at a decision."""

    class Acting(FakeEnv):
        n_steps = 0
        trains = False

        def step(self, actions: NDArray[np.int64], react: object = None) -> FakeOutput:
            self.n_steps += 1
            if self.n_steps == decision and self.trains == in_training:
                action()
            return super().step(actions)

    def make(config: RunConfig, num_envs: int) -> FakeEnv:
        env = Acting(num_envs, decision_frames=config.network.hrl.frame_skip)
        env.trains = num_envs == config.env.num_envs
        return env

    return make
