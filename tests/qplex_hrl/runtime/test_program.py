"""How programs are called as a person types them."""

import sys
from pathlib import Path

import pytest

from qplex_hrl.runtime.program import program


def test_programs_beside_this_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "my project" / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "qplex-hrl").write_text("")
    monkeypatch.setattr(sys, "executable", str(programs / "python"))
    monkeypatch.chdir(tmp_path / "my project")
    assert program("qplex-hrl") == ".venv/bin/qplex-hrl"
    assert program("tensorboard") == "tensorboard", "there is none"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert program("qplex-hrl") == f"'{programs}/qplex-hrl'"
