import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from paths import ROOT

from camsim.scenario.schema import load_scenario
from qplex_hrl.cli import main as cli
from qplex_hrl.config import RunConfig
from qplex_hrl.storage.checkpoint import save_checkpoint

SMOKE = str(ROOT / "configs" / "smoke.yaml")

Train = Callable[[RunConfig, Path | None, str], int]


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working folder, with a file in it that must stay as it is."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "keep").write_text("as it is")
    return tmp_path


@pytest.fixture
def set_train(monkeypatch: pytest.MonkeyPatch) -> Callable[[Train], None]:
    """Return a function that puts another function in the trainer's place."""

    def replace(train: Train) -> None:
        module = ModuleType("qplex_hrl.training.trainer")
        module.train = train  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "qplex_hrl.training.trainer", module)

    return replace


@pytest.mark.parametrize(("given", "expected"), [(None, "passive"), ("active", "active")])
def test_idle_threads_sleep_unless_the_user_wants_otherwise(
    given: str | None, expected: str
) -> None:
    code = (
        "import os, sys; from qplex_hrl.cli.main import main; assert 'torch' not in sys.modules; "
        "main(['scenarios', 'list']); print(os.environ['OMP_WAIT_POLICY'])"
    )
    env = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    env |= {} if given is None else {"OMP_WAIT_POLICY": given}
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env=env)
    assert run.stdout.decode().split()[-1] == expected


def test_train_hands_over_the_validated_configuration(
    folder: Path, set_train: Callable[[Train], None]
) -> None:
    calls = []

    def train(config: RunConfig, resume: Path | None, log_level: str) -> int:
        calls.append((config, resume, log_level))
        return 0

    set_train(train)
    flags = "--seed 3 --total-timesteps 99 --log-dir a --model-dir b --device cpu --resume c"
    command = ["train", "--config", SMOKE, *flags.split(), "--log-level", "DEBUG"]
    assert cli.main([*command, "--set", "training.seed=1", "--set", "algorithm.gamma=0.5"]) == 0
    [(config, resume, log_level)] = calls
    assert (config.training.seed, config.training.total_timesteps) == (3, 99)
    assert (config.logging.log_dir, config.logging.model_dir) == ("a", "b")
    assert (config.training.device, config.algorithm.gamma) == ("cpu", 0.5)
    assert (resume, log_level) == (Path("c"), "DEBUG")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ValueError("two\nlines"), 2, "error: two lines\n"),
        (PermissionError(13, "Permission denied", "logs"), 2, "error: logs: permission denied\n"),
        (OSError(28, "No space left on device"), 2, "error: [Errno 28] No space left on device\n"),
        (ImportError("no\ncompiler"), 1, "error: no compiler; see `qplex-hrl doctor`\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_failures_of_training_are_one_line(
    set_train: Callable[[Train], None],
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    line: str,
) -> None:
    def train(config: RunConfig, resume: Path | None, log_level: str) -> int:
        raise error

    set_train(train)
    assert cli.main(["train", "--config", SMOKE]) == code
    assert capsys.readouterr().err == line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--config", "none.yaml"], "none.yaml: no such file"),
        (["--config", "."], "a folder; expected a file"),
        (["--config", "keep"], "keep: expected a mapping"),
        (["--config", "broken.yaml"], "broken.yaml: YAML syntax error: line 1"),
        (["--config", "unknown.yaml"], "unknown.yaml: unknown key trainings"),
        (["--config", SMOKE, "--set", "training.sed=1"], "did you mean 'seed'?"),
        (["--config", SMOKE, "--set", "training.seed"], "expected section.key=value"),
        (["--config", SMOKE, "--set", "training.seed=x"], "expected a valid integer"),
        (["--config", SMOKE, "--seed", "-1"], "--seed -1: training.seed = -1; expected"),
        (["--config", SMOKE, "--seed", "x"], "argument --seed: invalid int value: 'x'"),
        (["--config", SMOKE, "--total-timesteps", "0"], "--total-timesteps 0: "),
        (["--config", SMOKE, "--device", "gpu"], "--device gpu: training.device = 'gpu'"),
        (["--config", SMOKE, "--set", "env.scenario=MATE-Navigation"], "has no cameras"),
        (["--config", SMOKE, "--log-level", "LOUD"], "invalid choice: 'LOUD'"),
        ([], "the following arguments are required: --config"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    (folder / "broken.yaml").write_text("env: [")
    (folder / "unknown.yaml").write_text("trainings: {seed: 1}")
    before = content_of(folder)
    try:
        code = cli.main(["train", *arguments])
    except SystemExit as stop:  # argparse's own way out
        code = int(str(stop.code))
    assert code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert words in error
    assert content_of(folder) == before


def test_the_runner_is_the_command() -> None:
    result = subprocess.run(
        [sys.executable, "runners/train_qplex_hrl.py", "--config", "none.yaml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (2, "error: none.yaml: no such file\n")


def test_help_is_quick_to_import() -> None:
    code = (
        "import sys; import qplex_hrl.cli.main as c\n"
        "try: c.main(['--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'numba', 'numpy', 'pydantic', 'ray'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_listing_scenarios_needs_no_compiler() -> None:
    code = (
        "import sys; from qplex_hrl.cli.main import main\n"
        "assert main(['scenarios', 'list']) == 0\n"
        "assert not {'torch', 'numba', 'rich'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_a_damaged_compiler_is_one_line() -> None:
    code = (
        "import sys; sys.modules['numba'] = None; from qplex_hrl.cli.main import main\n"
        f"exit(main(['train', '--config', {SMOKE!r}]))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert result.stderr.endswith("; see `qplex-hrl doctor`\n")


def test_evaluate_scripted_cameras(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = load_scenario("MATE-4v2-9").to_mapping() | {"max_episode_steps": 30}
    (folder / "short.yaml").write_text(yaml.safe_dump(world))
    flags = "--camera-agent naive --scenario short.yaml --episodes 3 --seed 1"
    command = ["evaluate", *flags.split()]
    assert cli.main([*command, "--output", "result.json"]) == 0
    result = json.loads((folder / "result.json").read_text())
    assert result["n_episodes"] == len(result["seeds"]) == len(result["episodes"]) == 3
    assert [row["episode_length"] for row in result["episodes"]] == [31, 31, 31]  # as in MATE
    shown, progress = capsys.readouterr()
    assert progress == "playing 3 episodes ...\n"
    header = ["cameras naive", "scenario short.yaml", "opponent greedy", "regime own"]
    header += ["episodes 3, seed 1"]
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert lines[:5] == header
    assert f"mean_coverage_rate          {result['mean_coverage_rate']:.4g}  (95 %" in shown
    assert "episode_reward" not in shown, "naive cameras have none"
    assert lines[-1] == "written to result.json"
    assert cli.main([*command, "--output", "again.json"]) == 0
    again = json.loads((folder / "again.json").read_text())
    assert again["episodes"] == result["episodes"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--camera-agent clever", "'clever'; expected one of random"),
        ("--camera-agent planer", "planner-stereo (did you mean 'planner'?)"),
        (
            "--camera-agent planner-stereo",
            "plan_goal = 'stereo_coverage'; a camera with a view of its own plans alone",
        ),
        ("--camera-agent planner=1", "'planner' is unknown, expected one of random"),
        ("--camera-agent naive --target-agent clever", "'clever'; expected one of"),
        ("--camera-agent naive --scenario none", "'none': no such preset"),
        ("--camera-agent naive --episodes 0", "--episodes 0: expected at least 1"),
        ("--camera-agent naive --seed -1", "--seed -1: expected at least 0"),
        ("--camera-agent naive --message-loss 2", "--message-loss 2.0: expected 0 to 1"),
        ("--camera-agent naive --output none/r.json", "none/r.json: no such folder"),
        ("--camera-agent naive --output .", "--output .: a folder; expected a file"),
        ("--camera-agent naive --checkpoint keep", "not allowed with argument"),
        ("--checkpoint none.pth", "none.pth: no such file"),
        ("--checkpoint keep", "keep: truncated, or not a checkpoint"),
        ("--checkpoint foreign.pth", "foreign.pth: not a checkpoint of a training run"),
        ("", "one of the arguments --checkpoint --camera-agent is required"),
    ],
)
def test_evaluate_tells_bad_input_in_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: str, words: str
) -> None:
    save_checkpoint(folder / "foreign.pth", {"config": {}, "timestep": 3})
    before = content_of(folder)
    try:
        code = cli.main(["evaluate", *arguments.split()])
    except SystemExit as stop:
        code = int(str(stop.code))
    error = capsys.readouterr().err
    assert (code, error.count("\n")) == (2, 1)
    assert words in error
    assert content_of(folder) == before


def test_render_scripted_cameras(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = "render --camera-agent naive --scenario MATE-4v2-9 --max-frames 4 --size 64"
    for name in ("v.mp4", "v.gif"):
        assert cli.main([*command.split(), "--output", name]) == 0
        assert capsys.readouterr().out == f"written to {name} (4 frames)\n"
        assert (folder / name).stat().st_size > 500


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--camera-agent naive --output v.avi", "v.avi: unknown kind of video '.avi'; expected"),
        ("--camera-agent naive --output none/v.mp4", "none/v.mp4: no such folder"),
        ("--camera-agent naive --output v.mp4 --size 65", "size = 65; expected an even number"),
        ("--camera-agent naive --output v.mp4 --fps 0", "fps = 0.0; expected 1 to 100"),
        ("--camera-agent naive --output v.mp4 --max-frames 0", "max_frames = 0; expected at least"),
        ("--camera-agent naive --output v.mp4 --seed -1", "--seed -1: expected at least 0"),
        ("--camera-agent clever --output v.mp4", "'clever'; expected one of random"),
        ("--checkpoint keep --output v.mp4", "keep: truncated, or not a checkpoint"),
        ("--camera-agent naive", "the following arguments are required: --output"),
    ],
)
def test_render_tells_bad_input_in_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: str, words: str
) -> None:
    before = content_of(folder)
    try:
        code = cli.main(["render", *arguments.split()])
    except SystemExit as stop:
        code = int(str(stop.code))
    error = capsys.readouterr().err
    assert (code, error.count("\n")) == (2, 1)
    assert words in error
    assert content_of(folder) == before


def test_a_reader_may_leave_early() -> None:
    code = "import qplex_hrl.cli.main as c; exit(c.main(['scenarios', 'show', 'MATE-8v8-9']))"
    command = f'{sys.executable} -c "{code}" | true; echo ${{PIPESTATUS[0]}}'
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == ("0\n", "")


@pytest.mark.parametrize("code", [0, 1])
def test_benchmarks_decide_the_exit_code(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    module = ModuleType("qplex_bench.speed.simulator")
    setattr(module, "benchmark_simulator", lambda: code)  # noqa: B010  # a module without it
    monkeypatch.setitem(sys.modules, "qplex_bench.speed.simulator", module)
    assert cli.main(["benchmark", "simulator"]) == code


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"qplex-hrl {version('qplex-hrl')}\n"


def test_a_training_ends_with_what_it_made(
    folder: Path, set_train: Callable[[Train], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def train(config: RunConfig, resume: Path | None, log_level: str) -> int:
        (folder / "logs").mkdir()
        evaluation = {
            "timestep": 7,
            "mean_coverage_rate": 0.5,
            "ci95_coverage_rate": [0.4, 0.6],
            "mean_stereo_coverage_rate": 0.1,
        }
        (folder / "logs" / "final_eval_results.json").write_text(json.dumps(evaluation))
        return 0

    set_train(train)
    assert cli.main(["train", "--config", SMOKE, "--log-dir", "logs", "--model-dir", "models"]) == 0
    shown = capsys.readouterr().out
    assert "these cameras, after 7 timesteps  0.500  (95 % interval 0.400 to 0.600)" in shown
    assert "--checkpoint models/qplex_hrl_final.pth" in shown
