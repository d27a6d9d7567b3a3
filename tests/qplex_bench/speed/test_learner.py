"""The learner's benchmark, with a stand-in for PyMARL2 in a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from qplex_bench.speed import learner as bench
from qplex_bench.speed.learner import (
    OurUpdates,
    PyMARL2Updates,
    Shapes,
    default_case,
    operations_of_products,
    selection_bits,
    shapes_case,
)
from qplex_hrl.config import RunConfig
from qplex_hrl.data.make_env import build_env, model_dims

BUFFER = """
import torch


class EpisodeBatch:
    def __init__(self, scheme, groups, batch_size, max_seq_length, preprocess, device):
        self.scheme, self.frames = scheme, (batch_size, max_seq_length)

    def update(self, data):
        for name, values in data.items():
            assert values.shape[:2] == self.frames, name
        assert data["obs"].shape[2:] == (4, 106)
"""

LEARNER = """
import envs.matrix_game
import torch


class DMAQ_qattenLearner:
    def __init__(self, mac, scheme, logger, args):
        assert (args.num_kernel, args.hypernet_embed, args.rnn_hidden_dim) == (4, 64, 64)
        print("sizes")

    def train(self, batch, t_env, episode_num):
        torch.zeros(1).cuda()
"""

FILES = {
    "components/episode_buffer.py": BUFFER,
    "components/transforms.py": "class OneHot:\n    def __init__(self, out_dim):\n        pass\n",
    "controllers/basic_controller.py": "BasicMAC = lambda *arguments: None\n",
    "learners/dmaq_qatten_learner.py": LEARNER,
}
SMALL = Shapes(n_sequences=2, length=3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that looks like PyMARL2 to the client."""
    for name, content in FILES.items():
        path = tmp_path / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path


def test_the_shapes_are_those_that_are_stated() -> None:
    case, stated = shapes_case(), Shapes()
    dims = case.dims
    assert (dims.obs_size, dims.state_size) == (stated.obs_size, stated.state_size)
    assert (dims.n_agents, dims.n_actions) == (stated.n_agents, stated.n_actions)
    assert case.network.q_network.hidden_size == stated.hidden_size
    assert case.network.mixing_network.n_heads == stated.n_heads


def test_the_default_case_is_the_shipped_system() -> None:
    env = build_env(RunConfig(), 1)
    case = default_case()
    assert case.dims == model_dims(env)
    assert case.selection_bits.tolist() == env.selection_bits.tolist()
    assert selection_bits(3, 1, pairs=True).sum(dim=1).tolist() == [1, 1, 1, 2, 2, 2, 0]


@pytest.mark.parametrize(
    "case", [shapes_case(shapes=SMALL), shapes_case(2, "entities", "adaptive", SMALL)]
)
def test_times_are_those_of_one_update(case: bench.Case, monkeypatch: pytest.MonkeyPatch) -> None:
    updates = OurUpdates(case)
    learner = updates._learner
    before = [parameter.detach().clone() for parameter in learner.model.parameters()]
    # A clock that goes on by a second for every update, and one of the processor by half of it.
    monkeypatch.setattr(bench.time, "perf_counter", lambda: 1.0 * learner.n_updates)
    monkeypatch.setattr(bench.time, "process_time", lambda: 0.5 * learner.n_updates)
    assert updates.times() == (1000.0, 500.0)
    after = learner.model.parameters()
    moved = [not torch.equal(new, old) for new, old in zip(after, before, strict=True)]
    assert sum(moved) > len(moved) / 2


def test_operations_of_products() -> None:
    left, right = torch.ones(3, 4, requires_grad=True), torch.ones(4, 5)
    product = 2 * 3 * 4 * 5
    assert operations_of_products(lambda: left @ right) == product
    assert operations_of_products(lambda: (left @ right).sum().backward()) == 2 * product
    assert operations_of_products(lambda: torch.addmm(torch.ones(5), left, right)) == product
    assert operations_of_products(lambda: torch.ones(7, 3, 4) @ right) == 7 * product
    assert operations_of_products(lambda: left + left) == 0


@pytest.mark.jit
@pytest.mark.parametrize(("ceiling", "code"), [(0.0, 1), (float("inf"), 0)])
def test_the_ceiling_decides(monkeypatch: pytest.MonkeyPatch, ceiling: float, code: int) -> None:
    for name, value in {"CEILING": ceiling, "REPEATS": 2, "GROWTH": ()}.items():
        monkeypatch.setattr(bench, name, value)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert bench.benchmark_learner(None, Path(sys.executable), n_threads=1) == code
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.parametrize(("floor", "code"), [(0.0, 0), (float("inf"), 1)])
def test_the_floor_decides(
    folder: Path, monkeypatch: pytest.MonkeyPatch, floor: float, code: int
) -> None:
    values = {"FLOOR": floor, "CEILING": float("inf"), "REPEATS": 2, "GROWTH": ()}
    for name, value in values.items():
        monkeypatch.setattr(bench, name, value)
    assert bench.benchmark_learner(folder, Path(sys.executable), n_threads=1) == code


def test_wrong_places(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(ValueError, match=r"--pymarl2 .*holds no"):
        PyMARL2Updates(tmp_path / "nowhere", Path(sys.executable), SMALL)
    with pytest.raises(ValueError, match=r"--pymarl2-python .*: No such file"):
        PyMARL2Updates(folder, tmp_path / "python", SMALL)
    (folder / "src/components/episode_buffer.py").write_text("import nothing_of_this_name")
    with pytest.raises(ValueError, match=r"PyMARL2 stopped: .*nothing_of_this_name"):
        PyMARL2Updates(folder, Path(sys.executable), SMALL)
