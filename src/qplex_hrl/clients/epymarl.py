"""EPyMARL with our worlds: its own program, which knows a few names more.

`python -m qplex_hrl.clients.epymarl EPYMARL/src/main.py --config=qmix --env-config=mate_selection`
runs EPyMARL's `main.py` as it stands. What follows that file are EPyMARL's own arguments. More
names are: `mate` and `mate_selection` among environments and their configurations, and the runner
`mate_batch`.
"""

import runpy
import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from qplex_hrl.clients.pymarl_env import EpymarlEnv
from qplex_hrl.clients.pymarl_runner import ENVIRONMENTS, BatchRunner

__all__ = ["main", "register", "with_our_configuration"]

_CONFIGS = Path(__file__).parent / "epymarl_configs"
_FLAG = "--env-config="


# Any: EPyMARL has no types.
def register(environments: dict[str, Any], runners: dict[str, Any]) -> None:
    """Add `mate` and `mate_selection` to EPyMARL's environments, `mate_batch` to its runners.

    Args:
        environments: `REGISTRY` of EPyMARL's package `envs`.
        runners: `REGISTRY` of its package `runners`.
    """
    for name, task in ENVIRONMENTS.items():
        environments[name] = partial(EpymarlEnv, task=task)
    runners["mate_batch"] = BatchRunner


def with_our_configuration(arguments: Sequence[str]) -> list[str]:
    """Return EPyMARL's arguments, with paths for names of our configurations.

    EPyMARL looks for NAME.yaml in a folder of its own, or at NAME if that is an absolute path.
    """
    ours = {f"{_FLAG}{path.stem}": path.with_suffix("") for path in _CONFIGS.glob("*.yaml")}
    return [f"{_FLAG}{ours[word]}" if word in ours else word for word in arguments]


def main(arguments: Sequence[str]) -> None:
    """Run EPyMARL's program; `arguments` are its file and its arguments.

    Raises:
        SystemExit: no such file.
    """
    program = Path(arguments[0]) if arguments else Path()
    if not program.is_file():
        sys.exit(f"{program}: no such file; expected EPyMARL's src/main.py, then its arguments")
    sys.path.insert(0, str(program.resolve().parent))
    register(import_module("envs").REGISTRY, import_module("runners").REGISTRY)
    sys.argv = [str(program), *with_our_configuration(arguments[1:])]
    runpy.run_path(str(program), run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
