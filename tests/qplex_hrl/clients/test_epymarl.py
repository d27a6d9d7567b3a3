"""Starting EPyMARL's program, with one that was made up in its place."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from qplex_hrl.clients import epymarl
from qplex_hrl.clients.pymarl_runner import ENVIRONMENTS

PROGRAM = """
import sys
from envs import REGISTRY
from runners import REGISTRY as RUNNERS
print(sorted(REGISTRY), sorted(RUNNERS), sys.argv[1:])
"""


@pytest.mark.slow
def test_the_program_runs_as_it_stands_and_knows_more_names(tmp_path: Path) -> None:
    source = tmp_path / "src"
    for name in ("envs", "runners"):
        (source / name).mkdir(parents=True)
        (source / name / "__init__.py").write_text("REGISTRY = {'theirs': None}\n")
    program = source / "main.py"
    program.write_text(PROGRAM)
    command = [sys.executable, "-m", "qplex_hrl.clients.epymarl", str(program)]
    command += ["--config=qmix", "--env-config=mate", "--env-config=gymma", "with", "seed=1"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    config = Path(epymarl.__file__).parent / "epymarl_configs" / "mate"
    arguments = ["--config=qmix", f"--env-config={config}", "--env-config=gymma", "with", "seed=1"]
    names = "['mate', 'mate_selection', 'theirs'] ['mate_batch', 'theirs']"
    assert shown == [f"{names} {arguments}"]


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_our_configurations_make_an_environment(name: str) -> None:
    (flag,) = epymarl.with_our_configuration([f"--env-config={name}"])
    path = Path(flag.removeprefix("--env-config=") + ".yaml")
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert settings["env"] == name
    environments: dict[str, object] = {}
    epymarl.register(environments, {})
    env = environments[name](**settings["env_args"], seed=0)  # type: ignore[operator]
    assert env.episode_limit == settings["env_args"]["time_limit"]
    env.reset()


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(SystemExit, match=r"nowhere/main\.py: no such file"):
        epymarl.main(["nowhere/main.py"])
    with pytest.raises(SystemExit, match=r"expected EPyMARL's src/main\.py"):
        epymarl.main([])
