"""The ablation: every part changes something and only that; the table with its differences."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from fake_table import CONFIGS, Fakes, spec, table_in

from qplex_bench.tables import scheduler
from qplex_bench.tables.ablation import PARTS, WHOLE, as_ablation, default_parts
from qplex_bench.tables.plan import Run, RunStatus, TableSpec, plan_runs
from qplex_bench.tables.scheduler import make_table
from qplex_hrl.cli import main as cli
from qplex_hrl.config import RunConfig
from qplex_hrl.data.make_env import build_env, model_dims
from qplex_hrl.model import build_model
from qplex_hrl.runtime.exit_codes import DONE


def ablation(folder: Path, *parts: str, **changes: object) -> TableSpec:
    return as_ablation(spec(folder, WHOLE, **changes), parts or tuple(PARTS))


def flat(config: RunConfig) -> dict[str, object]:
    """Every value by its dotted key."""

    def walk(section: dict[str, object], path: str) -> dict[str, object]:
        found: dict[str, object] = {}
        for name, value in section.items():
            found |= (
                walk(value, f"{path}{name}.") if isinstance(value, dict) else {path + name: value}
            )
        return found

    return walk(config.model_dump(mode="json", exclude={"logging"}), "")


@pytest.mark.parametrize("settings", [(), ("env.num_envs=4", "training.buffer_size=1000")])
def test_every_part_changes_what_it_names_and_nothing_else(
    tmp_path: Path, settings: tuple[str, ...]
) -> None:
    """In the shipped configuration too, where a part that was already off would be refused."""
    whole, *variants = plan_runs(
        ablation(tmp_path, n_seeds=1, scenarios=("MATE-4v4-9",), settings=settings)
    )
    assert whole.system == WHOLE
    assert [run.system for run in variants] == list(PARTS)
    assert whole.file == CONFIGS / "qplex_hrl_4v4_9.yaml"
    for run in variants:
        assert run.file == whole.file
        before, after = flat(whole.config), flat(run.config)
        changed = {key for key in before if before[key] != after[key]}
        assert changed == {setting.partition("=")[0] for setting in PARTS[run.system]}


@pytest.mark.parametrize(
    ("regime", "scenario", "own_parts"),
    [
        ("own", "MATE-4v4-9", ("no_coverage_per_target", "no_difference_reward")),
        ("shared", "MATE-4v4-9", ("no_plan_prior",)),
        ("stereo", "MATE-8v8-9", ("no_plan_prior",)),
    ],
)
def test_every_regime_has_parts_of_its_own(
    tmp_path: Path, regime: str, scenario: str, own_parts: tuple[str, ...]
) -> None:
    assert default_parts(["own", "shared"]) == tuple(PARTS)
    parts = default_parts([regime])
    assert parts == (*PARTS, *own_parts)
    spec = ablation(tmp_path, *parts, n_seeds=1, scenarios=(scenario,), regimes=(regime,))
    whole, *variants = plan_runs(spec)
    assert [run.system for run in variants] == list(parts)
    before = flat(whole.config)
    for variant in variants[len(PARTS) :]:
        after = flat(variant.config)
        (key,) = (key for key in before if before[key] != after[key])
        assert before[key]
        assert not after[key]


@pytest.mark.jit
def test_every_variant_decides_in_its_world(tmp_path: Path) -> None:
    for run in plan_runs(ablation(tmp_path, n_seeds=1)):
        env = build_env(run.config, 2)
        bits = torch.from_numpy(env.selection_bits.copy())
        cameras = build_model(model_dims(env), bits, run.config.network).agent
        output = env.reset(np.arange(2, dtype=np.uint64))
        values = cameras.step(
            torch.from_numpy(output.obs),
            torch.from_numpy(output.avail_actions),
            torch.zeros(2, env.n_agents, cameras.recurrent_size),
        ).q_values
        finite = values.isfinite().numpy()
        np.testing.assert_array_equal(finite, output.avail_actions, run.system)


def test_variants_have_their_own_folders_and_win_over_common_settings(tmp_path: Path) -> None:
    both = ablation(tmp_path, "mixer_vdn", regimes=("own", "shared"))
    both = both._replace(settings=(*both.settings, "network.mixing_network.type=qmix"))
    runs = plan_runs(both)
    assert len({run.folder for run in runs}) == len(runs) == 2 * 2 * 2
    types = {run.system: run.config.network.mixing_network.type for run in runs}
    assert types == {WHOLE: "qmix", "mixer_vdn": "vdn"}


@pytest.fixture
def _nobody_untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no untrained cameras play, which takes time."""
    monkeypatch.setattr(scheduler, "untrained_rules", lambda env: ())


class Grades(Fakes):
    """Coverage of 0.2 + seed / 10; without pairs 0.03 less with seed 0, 0.05 less with seed 1."""

    def __call__(self, run: Run, status: RunStatus, table: TableSpec) -> list[str]:
        command = super().__call__(run, status, table)
        if status.phase == "trained" and run.system == "no_pairs":
            command[-1] = str(float(command[-1]) - (0.03, 0.05)[run.seed])
        return command


@pytest.mark.usefixtures("_nobody_untrained")
def test_the_table_says_what_each_part_is_worth(tmp_path: Path) -> None:
    wanted = ablation(tmp_path, "no_pairs", "no_entropy", pairs=True)
    fakes = Grades()
    assert make_table(wanted, commands=fakes) == DONE
    whole, pairs, entropy = table_in(tmp_path)["rows"]  # type: ignore[misc]
    assert "mean_difference" not in whole
    assert pairs["settings"] == ["network.hrl.multi_selection=false"]
    assert pairs["mean_difference"] == pytest.approx(-0.04)
    # -0.03 and -0.05: standard error 0.01, t of one degree of freedom 12.706
    assert pairs["ci95_difference"] == pytest.approx([-0.04 - 0.12706, -0.04 + 0.12706], abs=1e-4)
    assert entropy["mean_difference"] == pytest.approx(0.0)
    text = (tmp_path / "table" / "table.md").read_text()
    assert "| coverage | difference | of each seed |" in text
    assert "| no_pairs | MATE-4v2-9 | own | 0.210 ± 0.508 | -0.040 ± 0.127 | 0.170 0.250 |" in text
    assert "no_pairs: `network.hrl.multi_selection=false`" in text
    assert "| qplex_hrl | no_pairs | MATE-4v2-9 | own | +0.040 ± 0.127 | no claim |" in text
    assert len(table_in(tmp_path)["pairs"]) == 3  # type: ignore[arg-type]
    again = Grades()
    assert make_table(wanted, commands=again) == DONE
    assert again.steps == [], "finished runs are not repeated"


@pytest.mark.jit
def test_rows_of_cameras_that_have_learned_nothing_stand_below(tmp_path: Path) -> None:
    wanted = ablation(tmp_path, "no_entropy", n_seeds=1, regimes=("own", "stereo"))
    assert make_table(wanted, commands=Fakes()) == DONE
    table = table_in(tmp_path)
    rows = table["scripted"]
    assert isinstance(rows, list)
    assert [(row["system"], row["regime"]) for row in rows] == [
        (rule, regime) for regime in ("own", "stereo") for rule in ("best_plan", "first_available")
    ]
    for row in rows:
        assert 0 < row["mean_coverage_rate"] < 1
        assert row["mean_stereo_coverage_rate"] < row["mean_coverage_rate"]
    text = (tmp_path / "table" / "table.md").read_text()
    stereo = rows[2]["mean_stereo_coverage_rate"]
    assert f"| best_plan (untrained) | MATE-4v2-9 | stereo | {stereo:.3f} ±" in text
    assert "coverage is stereo coverage" in text
    files = sorted((tmp_path / "table" / "untrained").rglob("*.json"))
    times = [file.stat().st_mtime_ns for file in files]
    assert len(files) == 4
    assert make_table(wanted, commands=Fakes()) == DONE
    assert [file.stat().st_mtime_ns for file in files] == times, "they are not played again"


def test_stereo_needs_a_configuration_that_rewards_it(tmp_path: Path) -> None:
    wanted = ablation(tmp_path, "no_entropy", scenarios=("MATE-4v4-9",), regimes=("stereo",))
    with pytest.raises(ValueError, match=r"stereo_coverage_rate = 0; expected a reward"):
        plan_runs(wanted)


@pytest.mark.usefixtures("_nobody_untrained")
def test_the_command_in_the_table_makes_the_same_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = ablation(tmp_path, "no_pairs", "mixer_none", n_seeds=1)
    make_table(wanted, commands=Fakes())
    seen = []
    monkeypatch.setattr(
        "qplex_bench.tables.scheduler.make_table", lambda s, jobs: seen.append((s, jobs)) or 0
    )
    words = str(table_in(tmp_path)["command"]).split()
    assert cli.main(words[1:]) == 0
    assert seen == [(wanted, 1)]


def test_all_parts_are_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[TableSpec] = []
    monkeypatch.setattr(
        "qplex_bench.tables.scheduler.make_table", lambda s, jobs: seen.append(s) or 0
    )
    assert cli.main(["benchmark", "ablation", "--scenario", "MATE-4v2-9"]) == 0
    assert seen[0].systems == (WHOLE, *default_parts(["own"]))
    assert seen[0].scenarios == ("MATE-4v2-9",)
    assert seen[0].n_seeds == 3


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--parts no_pair", "--parts no_pair: expected some of .*did you mean 'no_pairs'"),
        ("--seeds 0", "--seeds 0: expected at least 1"),
        (
            "--set network.hrl.multi_selection=false",
            "no_pairs: .* changes nothing in .*qplex_hrl_4",
        ),
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
    command = ["benchmark", "ablation", "--configs", str(CONFIGS), *flags.split()]
    assert cli.main(command) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
    assert re.search(words, told), told
