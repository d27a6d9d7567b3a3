"""The table of docs/interfaces.md names what exists."""

from __future__ import annotations

import re
from dataclasses import fields

from paths import DOCS

from camsim import MateParallelEnv, TeamOptions

PAGE = (DOCS / "interfaces.md").read_text(encoding="utf-8")


def test_options_named_in_the_page_exist() -> None:
    known = {field.name for field in fields(TeamOptions)}
    named = set(re.findall(r"TeamOptions\((\w+)=", PAGE))
    assert named
    assert named <= known
    methods = set(re.findall(r"`env\.(\w+)\(", PAGE)) - {"seed", "load_config"}
    assert all(hasattr(MateParallelEnv, name) for name in methods)
