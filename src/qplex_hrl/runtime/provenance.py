"""Where a result came from: the commit and the versions of the packages."""

import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

_PACKAGES = ("qplex-hrl", "numpy", "numba", "torch", "pydantic")


@cache
def code_commit() -> str | None:
    """Return the commit this code was checked out at, with "+" if tracked files differ from it.

    Asked once per process, for what was loaded counts. None when the code does not stand in a git
    checkout, or git is not installed.
    """
    source = Path(__file__)

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(source.parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", source.name)  # fails for a copy in site-packages
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def package_versions() -> dict[str, str | None]:
    """Return the version of Python and of each package that results depend on."""
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return versions
