"""tests/ mirrors src/: every test file names its module, and every module has its tests."""

from pathlib import Path

from paths import ROOT

SRC, TESTS = ROOT / "src", ROOT / "tests"
PACKAGES = ("camsim", "camcontrol", "qplex_hrl", "qplex_bench")

ADAPTERS = "camsim/envs/adapters/test_pettingzoo_env.py"
CAMERAS, TARGETS = (f"camsim/scripted/{team}/test_dispatch.py" for team in ("cameras", "targets"))

ELSEWHERE = {
    "camcontrol/decision_arrays": "camcontrol/test_selection_env.py",
    "camcontrol/decision_kernel": "camcontrol/test_selection_env.py",  # its only caller
    "camcontrol/onboard_team": "qplex_hrl/test_team_controller.py",  # its only caller
    "camcontrol/planning/common_view": "camcontrol/test_onboard_camera.py",  # with lossy messages
    "camcontrol/planning/planner": "camcontrol/test_planning_cameras.py",
    "camcontrol/tracking/visibility": "camcontrol/tracking/test_particle_filter.py",
    "camsim/envs/adapters/agent_group": ADAPTERS,  # what both adapters are made of: this and next
    "camsim/envs/adapters/construction": ADAPTERS,
    "camsim/envs/adapters/infos": ADAPTERS,
    "camsim/envs/adapters/renderer": ADAPTERS,
    "camsim/envs/step_kernel": "camsim/envs/test_team_env.py",  # its only caller
    "camsim/parity/teacher_forcing": "parity/test_traces.py",  # needs recordings, as the next
    "camsim/parity/trace": "parity/test_traces.py",
    "camsim/render/canvas": "camsim/render/test_raster.py",
    "camsim/scripted/cameras/greedy": CAMERAS,  # the rules, each compared with a plain version
    "camsim/scripted/cameras/heuristic": CAMERAS,
    "camsim/scripted/cameras/heuristic_choice": CAMERAS,
    "camsim/scripted/draws": "camsim/scripted/test_spec.py",
    "camsim/scripted/evader_weights": TARGETS,
    "camsim/scripted/memory": CAMERAS,
    "camsim/scripted/messages": "camsim/envs/test_message_board.py",
    "camsim/scripted/targets/evader": TARGETS,
    "camsim/scripted/targets/walking": TARGETS,
    "camsim/state": "camsim/test_sim.py",  # storing and loading it
    "qplex_bench/agreement/reference": "parity/test_statistics.py",
    "qplex_bench/cli/budget": "qplex_bench/speed/test_budget.py",  # its command
    "qplex_bench/cli/evader": "qplex_bench/studies/test_train_evader.py",  # through the command
    "qplex_bench/cli/gate": "qplex_bench/studies/test_gate.py",  # its command
    "qplex_bench/cli/intervals": "qplex_bench/studies/test_interval_coverage.py",  # its command
    "qplex_bench/cli/main": "cli/test_cli.py",
    "qplex_bench/cli/reaction": "qplex_bench/studies/test_reaction.py",  # its command
    "qplex_bench/cli/robustness": "qplex_bench/studies/test_robustness.py",
    "qplex_bench/cli/speed": "qplex_bench/speed/test_decision.py",
    "qplex_bench/cli/table": "qplex_bench/tables/test_scheduler.py",
    "qplex_bench/speed/clients/parts_client": "qplex_bench/speed/test_decision.py",  # as processes
    "qplex_bench/speed/clients/pymarl2_client": "qplex_bench/speed/test_learner.py",  # as a process
    "qplex_bench/speed/clients/upstream_client": "qplex_bench/speed/test_upstream.py",
    "qplex_bench/speed/process": "qplex_bench/speed/test_upstream.py",
    "qplex_bench/tables/plan": "qplex_bench/tables/test_scheduler.py",
    "qplex_bench/studies/robustness_cells": "qplex_bench/studies/test_robustness.py",
    "qplex_bench/studies/robustness_report": "qplex_bench/studies/test_robustness.py",
    "qplex_hrl/cli/compare": "cli/test_compare.py",
    "qplex_hrl/cli/doctor": "qplex_hrl/training/test_doctor.py",
    "qplex_hrl/cli/evaluate": "cli/test_cli.py",  # commands are tested as a user types them
    "qplex_hrl/cli/export": "qplex_hrl/evaluation/test_policy_file.py",
    "qplex_hrl/cli/flags": "cli/test_cli.py",
    "qplex_hrl/cli/main": "cli/test_cli.py",
    "qplex_hrl/cli/play": "cli/test_cli.py",
    "qplex_hrl/cli/replay": "cli/test_replay.py",
    "qplex_hrl/cli/scenarios": "cli/test_scenarios.py",
    "qplex_hrl/cli/train": "cli/test_cli.py",
    "qplex_hrl/algorithm/compiled_loss": "qplex_hrl/test_learner_execution.py",
    "qplex_hrl/config/optimizer": "qplex_hrl/algorithm/test_optimizer.py",
    "qplex_hrl/config/world": "qplex_hrl/config/test_schema.py",
    "qplex_hrl/networks/gru_kernels": "qplex_hrl/networks/test_gru.py",  # against PyTorch's GRU
    "qplex_hrl/rllib/cluster": "qplex_hrl/rllib/test_train.py",  # needs a cluster
    "qplex_hrl/rllib/env_runner": "qplex_hrl/rllib/test_remote_rollout.py",
    "qplex_hrl/rllib_policy": "qplex_hrl/rllib/test_learner.py",
}
"""Modules that are tested by the file of another one, or through a command, and where."""

NOTHING_TO_TEST = {
    "camsim/arrays": "names of types",
    "camsim/render/errors": "an exception without code",
    "camsim/render/theme": "colours",
    "camsim/tables": "column numbers",
    "qplex_hrl/runtime/exit_codes": "numbers",
}


def modules() -> set[str]:
    """All modules of src as paths without suffix; packages themselves only re-export."""
    paths = (path for package in PACKAGES for path in (SRC / package).rglob("*.py"))
    names = {path.relative_to(SRC).with_suffix("").as_posix() for path in paths}
    return {name for name in names if not name.endswith(("__init__", "__main__"))}


def files() -> list[Path]:
    """All test files of the packages."""
    return sorted(path for package in PACKAGES for path in (TESTS / package).rglob("test_*.py"))


def module_of(test: Path, known: set[str]) -> str | None:
    """The module that a test file is named after: ``test_<module>[_<aspect>].py``."""
    words = test.stem.removeprefix("test_").split("_")
    folder = test.parent.relative_to(TESTS).as_posix()
    names = (f"{folder}/{'_'.join(words[:n])}" for n in range(len(words), 0, -1))
    return next((name for name in names if name in known), None)


def test_every_test_file_is_named_after_a_module() -> None:
    known = modules()
    odd = [str(path.relative_to(TESTS)) for path in files() if module_of(path, known) is None]
    assert odd == []


def test_every_module_has_a_test_file_or_a_reason() -> None:
    known, excused = modules(), ELSEWHERE.keys() | NOTHING_TO_TEST.keys()
    tested = {module_of(path, known) for path in files()}
    assert sorted(known - tested - excused) == []
    assert sorted(excused & tested) == [], "it has a file now"
    assert sorted(excused - known) == [], "no such module"
    assert [path for path in ELSEWHERE.values() if not (TESTS / path).is_file()] == []
