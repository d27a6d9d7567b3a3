"""The comparison with upstream, with a stand-in for upstream in a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from qplex_bench.speed import upstream as benchmark_upstream
from qplex_bench.speed.upstream import Upstream, compare_with_upstream

STAND_IN = """
class Env:
    num_cameras = num_targets = 2
    frame = 0

    def seed(self, seed):
        pass

    def reset(self):
        return [0, 0], [0, 0]

    def step(self, action):
        assert action == (["act", "act"], ["act", "act"])
        self.frame += 1
        return ([0, 0], [0, 0]), (0, 0), self.frame % 4 == 0, (None, None)


class GreedyCameraAgent:
    def spawn(self, n):
        return [self] * n


GreedyTargetAgent = GreedyCameraAgent


def make(name, config):
    assert (name, config) == ("MultiAgentTracking-v0", "MATE-4v4-9.yaml")
    return Env()


def group_reset(agents, observations):
    pass


def group_step(env, agents, observations, infos):
    return ["act"] * len(agents)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a package that behaves like upstream."""
    package = tmp_path / "mate"
    package.mkdir()
    (package / "__init__.py").write_text(STAND_IN)
    return tmp_path


def test_rates_are_asked_for_one_by_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in whose frames take 10 ms and 20 ms from the sixth on."""
    slow = "        time.sleep(0.01 if self.frame < 5 else 0.02)\n        self.frame += 1\n"
    text = "import time\n" + STAND_IN.replace("        self.frame += 1\n", slow)
    text = text.replace("self.frame % 4 == 0", "False")
    (folder / "mate" / "__init__.py").write_text(text)
    monkeypatch.setattr(benchmark_upstream, "UPSTREAM_FRAMES", 5)
    upstream = Upstream(folder, Path(sys.executable))
    first, second = upstream.frames_per_second(), upstream.frames_per_second()
    upstream.close()
    assert 1.0 < first <= 100.0
    assert 1.0 < second <= 50.0


@pytest.mark.slow
@pytest.mark.parametrize(("floor", "code"), [(0.0, 0), (float("inf"), 1)])
def test_the_floor_decides(
    folder: Path, monkeypatch: pytest.MonkeyPatch, floor: float, code: int
) -> None:
    for name, value in (("FLOOR", floor), ("N_ENVS", 2), ("OUR_FRAMES", 10), ("REPEATS", 2)):
        monkeypatch.setattr(benchmark_upstream, name, value)
    assert compare_with_upstream(folder, Path(sys.executable)) == code


def test_wrong_places(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(ValueError, match="holds no package 'mate'"):
        Upstream(tmp_path / "nowhere", Path(sys.executable))
    with pytest.raises(ValueError, match=r"--upstream-python .*python: No such file"):
        Upstream(folder, tmp_path / "python")
    (folder / "mate" / "__init__.py").write_text("import nothing_of_this_name")
    with pytest.raises(ValueError, match=r"upstream stopped: .*nothing_of_this_name"):
        Upstream(folder, Path(sys.executable))
