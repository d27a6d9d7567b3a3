"""Where results come from."""

import re
import subprocess

import numpy as np
import pytest

from qplex_hrl.runtime.provenance import code_commit, package_versions


def test_the_commit_is_a_hash_or_unknown() -> None:
    commit = code_commit()
    assert commit is None or re.fullmatch(r"[0-9a-f]{40}\+?", commit)


def test_without_git_the_commit_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise FileNotFoundError("git")

    monkeypatch.setattr(subprocess, "run", missing)
    assert code_commit.__wrapped__() is None


def test_versions_name_what_results_depend_on() -> None:
    versions = package_versions()
    assert versions["numpy"] == np.__version__
    assert {"python", "torch", "numba", "qplex-hrl"} <= versions.keys()
