"""Histograms of actions, of the targets that they select, and of the mixer's gate."""

import numpy as np
import pytest
import torch
from fake_env import FakeEnv
from tiny import tiny_model

from qplex_hrl.networks.mixers import AdaptiveMixer
from qplex_hrl.training.distributions import (
    evaluation_histograms,
    gate_histograms,
    selection_histograms,
)

PER_ACTION = np.array([1, 1, 2, 0])
COUNTS = np.array([5, 0, 3, 2])


def test_actions_and_the_targets_that_they_select() -> None:
    histograms = selection_histograms("train/", COUNTS, PER_ACTION)
    assert histograms["train/actions"].counts.tolist() == [5, 0, 3, 2]
    assert histograms["train/actions"].edges.tolist() == [-0.5, 0.5, 1.5, 2.5, 3.5]
    assert histograms["train/targets_per_action"].counts.tolist() == [2, 5, 3]


def test_actions_that_select_nothing_have_no_targets() -> None:
    histograms = selection_histograms("train/", COUNTS, np.zeros(4, np.int64))
    assert histograms.keys() == {"train/actions"}


def test_many_actions_share_bins() -> None:
    counts = np.ones(1000, np.int64)
    found = selection_histograms("", counts, np.zeros(1000, np.int64))["actions"]
    assert len(found.counts) <= 256
    assert found.counts.sum() == 1000
    assert found.counts[0] == found.edges[1] - found.edges[0] == 4


def test_levels_that_chose_nothing_are_left_out() -> None:
    selections = {"slow": COUNTS.tolist(), "fast": [0, 0, 0, 0]}
    assert evaluation_histograms(selections, PER_ACTION).keys() == {
        "eval/slow_actions",
        "eval/slow_targets_per_action",
    }


def test_the_gate_is_that_of_the_mixer() -> None:
    env = FakeEnv(2)
    model = tiny_model(env)
    assert isinstance(model.mixer, AdaptiveMixer)
    states = np.random.default_rng(0).random((30, env.state_size)).astype(np.float16)
    random_state = torch.get_rng_state()
    histograms = gate_histograms(model, states)
    assert torch.equal(torch.get_rng_state(), random_state)
    with torch.no_grad():
        gate, _ = model.mixer.gate(model.state_encoder(torch.from_numpy(states).float()))
    counts, edges = histograms["mixer/gates"]
    expected, _ = np.histogram(gate.numpy(), bins=edges)
    assert counts.tolist() == expected.tolist()
    assert counts.sum() == histograms["mixer/complexities"].counts.sum() == 30


def test_other_mixers_have_no_gate() -> None:
    model = tiny_model(FakeEnv(2))
    assert isinstance(model.mixer, AdaptiveMixer)
    model.mixer = model.mixer.simple
    assert gate_histograms(model, np.zeros((1, 1), np.float16)) == {}


@pytest.mark.parametrize("n_actions", [1, 256, 257])
def test_no_count_is_lost(n_actions: int) -> None:
    counts = np.arange(n_actions, dtype=np.int64)
    found = selection_histograms("", counts, np.zeros(n_actions, np.int64))["actions"]
    assert found.counts.sum() == counts.sum()
