"""Programs that are installed beside this Python, as a person types them."""

import shlex
import sys
from pathlib import Path

__all__ = ["program"]


def program(name: str) -> str:
    """Return how to call a program that is installed beside this Python, as a shell takes it.

    The path is relative to the working folder if it is below it; the bare name if there is no such
    program.
    """
    path = Path(sys.executable).with_name(name)
    if not path.exists():
        return name
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))
