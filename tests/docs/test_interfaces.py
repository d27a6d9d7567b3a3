"""The examples of docs/interfaces.md run, and its table names what exists."""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import fields

from paths import DOCS

from camsim import MateParallelEnv, TeamOptions

PAGE = (DOCS / "interfaces.md").read_text(encoding="utf-8")


def test_the_examples_run() -> None:
    """With fewer worlds and frames than shown."""
    examples = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert len(examples) == 2
    printed = io.StringIO()
    for example in examples:
        small = example.replace("range(100)", "range(3)").replace("num_envs=64", "num_envs=2")
        small = small.replace('"MATE-4v4-9", team', '"MATE-4v4-9", max_episode_steps=9, team')
        with contextlib.redirect_stdout(printed):
            exec(compile(small, "interfaces.md", "exec"), {})
    assert printed.getvalue().startswith("(156,)\n(2, 4, 106) 0.")


def test_options_named_in_the_page_exist() -> None:
    known = {field.name for field in fields(TeamOptions)}
    named = set(re.findall(r"TeamOptions\((\w+)=", PAGE))
    assert named
    assert named <= known
    methods = set(re.findall(r"`env\.(\w+)\(", PAGE)) - {"seed", "load_config"}
    assert all(hasattr(MateParallelEnv, name) for name in methods)
