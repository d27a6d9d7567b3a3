"""The robustness table: worlds, resumption, bars, report; and a cell that is really played."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from paths import PRETRAINED
from tiny import CPU

from camsim.scenario.schema import load_scenario
from camsim.scripted.spec import TARGET_POLICIES, target_rules
from qplex_bench.studies import robustness
from qplex_bench.studies.robustness import cells_of, load_policies, measure_robustness
from qplex_bench.studies.robustness_cells import (
    mixture,
    variations,
    with_obstacles,
    with_transmittance,
)
from qplex_bench.studies.robustness_report import RobustnessSpec, missed_bars, report_of
from qplex_hrl.cli import main as cli
from qplex_hrl.evaluation.players import EvaluationSetting
from qplex_hrl.evaluation.policy_file import load_policy
from qplex_hrl.storage.checkpoint import save_checkpoint

OWN, SHARED = (PRETRAINED / f"qplex_hrl_4v4_9{end}.pth" for end in ("", "_shared"))
BASE = load_scenario("MATE-4v4-9")


def spec(folder: Path, *checkpoints: Path, episodes: int = 3) -> RobustnessSpec:
    return RobustnessSpec(checkpoints or (OWN, SHARED), episodes, 20, folder / "out")


class Fakes:
    """Evaluations that take no time: every episode has the coverage of its player."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **coverage: float) -> None:
        self.played: list[tuple[str, EvaluationSetting]] = []
        self.coverage = {"greedy": 0.5, "greedy_silent": 0.45} | coverage
        self.coverage = {OWN.stem: 0.6, SHARED.stem: 0.7} | self.coverage
        monkeypatch.setattr(robustness, "evaluate_scripted", self._play)
        monkeypatch.setattr(robustness, "evaluate_checkpoint", self._play)

    def _play(
        self, player: str | Path, world: EvaluationSetting, seeds: NDArray[np.uint64], **_: object
    ) -> dict[str, Any]:
        name = player if isinstance(player, str) else player.stem
        assert world.scenario is not None
        load_scenario(world.scenario)  # exists and is valid
        self.played.append((name, world))
        silent = world.message_loss == 1.0
        return evaluation(self.coverage[f"{name}_silent" if silent else name], seeds.tolist())


def evaluation(coverage: float, seeds: list[int]) -> dict[str, Any]:
    return {
        "seeds": seeds,
        "mean_coverage_rate": coverage,
        "ci95_coverage_rate": [coverage, coverage],
        "episodes": [{"seed": seed, "coverage_rate": coverage} for seed in seeds],
        "provenance": {"commit": "abc", "versions": {"python": "3"}, "wall_time_seconds": 0.0},
    }


def report_in(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "out" / "robustness.json").read_text())
    return content


def test_every_variation_differs_from_the_training_in_one_thing() -> None:
    rows = variations()
    values = {
        kind: [row.value for row in rows if row.kind == kind] for kind in {r.kind for r in rows}
    }
    assert set(values["targets"]) == {*TARGET_POLICIES, "mixture"}
    assert values["transmittance"] == ["0.0", "0.1", "0.3", "0.5"]
    assert values["obstacles"] == ["0", "4", "9", "15"]
    assert values["teams"] == ["4v2-9", "4v8-9", "8v8-9"]
    assert values["lost messages"] == ["0.0", "0.1", "0.3", "0.5"]
    for row in rows:
        others = [row.scenario != BASE, row.opponent != "greedy", row.message_loss > 0]
        assert sum(others) == (row.cell != "base"), row
    assert len({row.cell for row in rows}) == sum(row.cell != "base" for row in rows) + 1


def test_variants_of_the_scenario() -> None:
    assert with_obstacles(BASE, 9) == BASE
    assert with_obstacles(BASE, 0) == load_scenario("MATE-4v4-0")
    few, many = with_obstacles(BASE, 4), with_obstacles(BASE, 15)
    assert [s.n_obstacles for s in (few, many)] == [4, 15]
    assert few.obstacle_boxes.tolist() == BASE.obstacle_boxes[:4].tolist()
    assert many.obstacle_boxes[9:].tolist() == [[-1000, 1000, -1000, 1000]] * 6
    clear = with_transmittance(BASE, 0.5)
    assert clear.obstacle is not None
    assert clear.obstacle.transmittance == 0.5
    weights = np.diff(target_rules(mixture()).cumulative, prepend=0.0)
    assert weights == pytest.approx(1 / len(TARGET_POLICIES))


def test_messages_are_lost_in_the_shared_regime_only() -> None:
    own, shared = load_policies([OWN, SHARED])
    rows = variations()
    n_lost = sum(row.message_loss > 0 for row in rows)
    n_worlds = len({row.cell for row in rows})
    # Silent greedy cameras play where cameras with own views do.
    assert len(cells_of([own], rows)) == 3 * (n_worlds - n_lost)
    assert len(cells_of([shared], rows)) == 2 * n_worlds
    assert len(cells_of([own, shared], rows)) == 4 * n_worlds - 2 * n_lost


def test_finished_cells_are_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fakes = Fakes(monkeypatch)
    wanted = spec(tmp_path)
    assert measure_robustness(wanted, CPU) == 0
    n_cells = len(fakes.played)
    assert n_cells == len(cells_of(load_policies(wanted.checkpoints), variations()))
    assert len(set(fakes.played)) == n_cells, "each world is played once"
    assert measure_robustness(wanted, CPU) == 0
    assert len(fakes.played) == n_cells
    (tmp_path / "out" / "evaluations" / OWN.stem / "obstacles_15.json").unlink()
    (tmp_path / "out" / "evaluations" / "greedy" / "base.json").write_text("damaged")
    measure_robustness(wanted, CPU)
    names = {(name, Path(str(world.scenario)).stem) for name, world in fakes.played[n_cells:]}
    assert names == {(OWN.stem, "obstacles_15"), ("greedy", "MATE-4v4-9")}
    n_cells = len(fakes.played)
    measure_robustness(spec(tmp_path, episodes=4), CPU)
    assert len(fakes.played) > n_cells + 10, "other episodes are played"


def test_ctrl_c_keeps_what_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fakes = Fakes(monkeypatch)
    play, sent = fakes._play, []

    def interrupted(*args: Any, **rest: Any) -> dict[str, Any]:
        if len(fakes.played) == 4 and not sent:
            sent.append(signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
        return play(*args, **rest)

    monkeypatch.setattr(robustness, "evaluate_scripted", interrupted)
    monkeypatch.setattr(robustness, "evaluate_checkpoint", interrupted)
    assert measure_robustness(spec(tmp_path), CPU) == 130
    rows = report_in(tmp_path)["rows"]
    assert rows[0]["greedy"] is not None
    assert rows[2]["greedy"] is None
    n_finished = len(fakes.played)
    assert measure_robustness(spec(tmp_path), CPU) == 0
    assert len(set(fakes.played)) == len(fakes.played) > n_finished


def test_another_file_of_the_same_name_is_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes = Fakes(monkeypatch)
    measure_robustness(spec(tmp_path, OWN), CPU)
    n_before = len(fakes.played)
    other = tmp_path / OWN.name
    policy = load_policy(SHARED)
    content = {"timestep": 1, "config": policy.config.model_dump(mode="json")}
    save_checkpoint(other, content | {"training": {"learner": {"average": policy.weights}}})
    measure_robustness(spec(tmp_path, other), CPU)
    assert {name for name, _ in fakes.played[n_before:]} == {OWN.stem, "greedy"}
    lost = [world.message_loss for name, world in fakes.played[n_before:] if name == "greedy"]
    assert lost == [0.1, 0.3, 0.5], "the baseline is played only where it was not yet"


def test_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Fakes(monkeypatch)
    measure_robustness(spec(tmp_path), CPU)
    report = report_in(tmp_path)
    assert [policy["regime"] for policy in report["policies"]] == ["own", "shared"]
    rows = report["rows"]
    assert [(row["kind"], row["value"]) for row in rows] == [
        (r.kind, r.value) for r in variations()
    ]
    naive = next(row for row in rows if row["value"] == "naive")
    assert naive["greedy"]["mean_coverage_rate"] == 0.5
    cell = naive["policies"][SHARED.stem]
    assert cell["mean_above_greedy"] == pytest.approx(0.2)
    assert cell["ci95_above_greedy"] == pytest.approx([0.2, 0.2])
    assert "mean_above_greedy_silent" not in cell, "it shares its view"
    assert naive["greedy_silent"]["mean_coverage_rate"] == 0.45
    own = naive["policies"][OWN.stem]
    assert own["mean_above_greedy_silent"] == pytest.approx(0.15)
    half = next(row for row in rows if row["message_loss"] == 0.5)
    assert list(half["policies"]) == [SHARED.stem]
    text = (tmp_path / "out" / "robustness.md").read_text()
    assert "| greedy cameras | without messages | qplex_hrl_4v4_9 | difference |" in text
    baselines = "0.500 (0.500 to 0.500) | 0.450 (0.450 to 0.450)"
    assert f"| targets | naive | {baselines} | 0.600 (0.600 to 0.600) | +0.100" in text
    assert half["greedy_silent"] is None
    assert f"    {report['command']}" in text


def test_a_missed_margin_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Fakes(monkeypatch, **{OWN.stem: 0.54})
    assert measure_robustness(spec(tmp_path), CPU) == 1
    missed = missed_bars(report_in(tmp_path))
    assert len(missed) == len(TARGET_POLICIES)  # all but greedy, and the mixture
    told = f"missed: {OWN.stem} against naive targets is +0.040 from greedy"
    assert any(line.startswith(told) for line in missed)
    assert missed[0] in " ".join(capsys.readouterr().out.split())


def test_teams_are_judged_beside_a_policy_that_was_trained_there() -> None:
    visitor, native = load_policies([OWN, SHARED])
    env = visitor.config.env.model_copy(update={"scenario": "MATE-8v8-9"})
    native = native._replace(config=visitor.config.model_copy(update={"env": env}))
    rows = [row for row in variations() if row.kind == "teams"]
    coverage = {"greedy": 0.5, visitor.name: 0.6, native.name: 0.66}
    found = {
        (name, row.cell): evaluation(value, [1, 2])
        for name, value in coverage.items()
        for row in rows
    }
    whole = spec(Path(), OWN, SHARED)
    report = report_of(whole, [visitor, native], rows, found)
    cells = {row["value"]: row["policies"] for row in report["rows"]}
    assert cells["8v8-9"][visitor.name]["mean_above_trained_there"] == pytest.approx(-0.06)
    assert "trained_there" not in cells["4v8-9"][visitor.name]
    assert "trained_there" not in cells["8v8-9"][native.name]
    (line,) = missed_bars(report)
    assert "in 8v8-9 is -0.060" in line
    found[visitor.name, "teams_8v8-9"] = evaluation(0.62, [1, 2])
    assert missed_bars(report_of(whole, [visitor, native], rows, found)) == []


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--episodes 1", "--episodes 1: expected at least 2"),
        ("--max-episode-steps 0", "--max-episode-steps 0: expected a number from 1"),
        ("--checkpoints nothing.pth", "nothing.pth"),
        (f"--checkpoints {OWN} {PRETRAINED / '..' / 'pretrained' / OWN.name}", "different names"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flags: str,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["benchmark", "robustness", *flags.split()]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert words in told
    assert list(tmp_path.iterdir()) == []


def test_weights_bound_to_one_team_are_refused(tmp_path: Path) -> None:
    policy = load_policy(OWN)
    config = policy.config.model_dump(mode="json")
    config["network"]["q_network"]["camera_identity"] = "index"
    path = tmp_path / "bound.pth"
    learner = {"learner": {"average": policy.weights}}
    save_checkpoint(path, {"timestep": 1, "config": config, "training": learner})
    with pytest.raises(ValueError, match=r"bound\.pth: its weights are bound to one size"):
        load_policies([path])


@pytest.mark.slow
def test_a_variation_is_played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody gets a message, a shared view is worth no more than the own one."""
    wanted = {"obstacles_15", "messages_0.5", "base"}
    rows = [row for row in variations() if row.cell in wanted]
    monkeypatch.setattr(robustness, "variations", lambda: rows)
    measure_robustness(spec(tmp_path, SHARED, episodes=4), CPU)
    cells = {row["cell"]: row for row in report_in(tmp_path)["rows"]}
    assert set(cells) == wanted
    coverage = {
        name: row["policies"][SHARED.stem]["mean_coverage_rate"] for name, row in cells.items()
    }
    assert all(0 < value < 1 for value in coverage.values())
    assert len(set(coverage.values())) == 3
