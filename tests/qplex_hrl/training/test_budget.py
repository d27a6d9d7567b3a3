"""What a run needs is known before it starts."""

from pathlib import Path

import pytest
from tiny import tiny_config

from qplex_hrl.data.make_env import build_env
from qplex_hrl.training import budget
from qplex_hrl.training.budget import LIBRARIES, budget_of, check_budget, sum_of_arrays


def test_environments_need_what_their_arrays_take(tmp_path: Path) -> None:
    config = tiny_config(tmp_path)
    base, two, many = (sum_of_arrays(build_env(config, n)) for n in (1, 2, 37))
    assert many == base + 36 * (two - base)


def test_what_fits_is_told_in_one_line(tmp_path: Path) -> None:
    line = check_budget(tiny_config(tmp_path))
    assert line.startswith("needs about ")
    assert "\n" not in line


def test_memory_that_is_missing_is_refused_with_what_to_lower(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_config(tmp_path, training={"buffer_size": 10**9})
    with pytest.raises(ValueError, match=r"^this run .* of memory; .* lower training\.buffer_size"):
        check_budget(config)
    config = tiny_config(tmp_path)
    monkeypatch.setattr(budget, "available_memory", lambda: 10**6)
    with pytest.raises(ValueError, match=r"[GM]B are free: lower "):
        check_budget(config)


def test_disk_that_is_missing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = budget.shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(budget.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(ValueError, match=r" of disk below .* [GM]B are free: lower "):
        check_budget(tiny_config(tmp_path))


def test_a_larger_team_or_batch_needs_more(tmp_path: Path) -> None:
    config = tiny_config(tmp_path)
    larger = tiny_config(tmp_path, training={"batch_size": 64 * config.training.batch_size})
    needs, less = budget_of(larger).memory, budget_of(config).memory
    assert needs["batch"] == pytest.approx(64 * less["batch"], rel=1e-3)
    assert {**needs, "batch": 0} == {**less, "batch": 0}


def test_workers_of_this_machine_need_memory_of_their_own(tmp_path: Path) -> None:
    config = tiny_config(tmp_path)
    two = sum(budget_of(config, n_workers=2).memory.values())
    assert two == sum(budget_of(config).memory.values()) + 2 * LIBRARIES


def test_files_that_will_be_replaced_count_as_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_config(tmp_path)
    models = Path(config.logging.model_dir)
    models.mkdir(parents=True)
    usage = budget.shutil.disk_usage(tmp_path)._replace(free=10**6)
    monkeypatch.setattr(budget.shutil, "disk_usage", lambda _: usage)
    monkeypatch.setattr(budget, "_metrics_bytes", lambda _: 0)
    needed = sum(budget_of(config).disk.values())
    assert needed > 10**6
    with pytest.raises(ValueError, match="of disk below"):
        check_budget(config)
    (models / "qplex_hrl_100.replay.npz").write_bytes(bytes(needed - 10**6))
    check_budget(config)
