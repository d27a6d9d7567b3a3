"""The documentation against the code: keys, links, paths, commands, sizes."""

from __future__ import annotations

import contextlib
import io
import re
from itertools import takewhile
from pathlib import Path

import pytest
from docs_scripts import docs_script
from paths import ROOT

from camcontrol.features import layout as features
from camcontrol.selection_env import SelectionOptions
from camsim import layout, tables
from qplex_hrl.cli import main as cli

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}
README = TEXTS[ROOT / "README.md"]


def code_in(text: str) -> list[str]:
    """Every line of the code blocks and every inline code span."""
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    rest = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines()] + re.findall(
        r"`([^`\n]+)`", rest
    )


def help_of(*command: str) -> str:
    """What `qplex-hrl COMMAND --help` prints; fails if there is no such command."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), pytest.raises(SystemExit) as end:
        cli.main([*command, "--help"])
    assert end.value.code == 0, command
    return printed.getvalue()


def documented_commands() -> set[tuple[str, ...]]:
    """Every `qplex-hrl ...` in the pages, as words."""
    return {
        tuple(line[line.index("qplex-hrl ") :].split(">")[0].split("#")[0].split()[1:])
        for text in TEXTS.values()
        for line in code_in(text)
        if re.match(r"(\.venv/bin/)?qplex-hrl ", line)
    }


def subcommands(*command: str) -> list[str]:
    return re.findall(r"^ {4}([a-z-]+) ", help_of(*command), re.MULTILINE)


def test_tables_of_keys_are_up_to_date() -> None:
    table = docs_script("configuration_table")
    page = TEXTS[ROOT / "docs" / "configuration.md"]
    assert table.updated(page) == page, "run `python docs/configuration_table.py`"
    assert all(f"| `{key}` |" in page for key in table.all_keys())


def test_keys_named_in_the_pages_exist() -> None:
    keys = docs_script("configuration_table").all_keys()
    known = {*keys, *(key.rpartition(".")[0] for key in keys)}
    sections = {key.partition(".")[0] for key in keys}
    for page, text in TEXTS.items():
        if page.parent.name == "research":  # dated notes keep the names of their day
            continue
        for code in code_in(text):
            named = re.fullmatch(r"([a-z_]+(?:\.[a-z_]+)+)(?:: .*)?", code)
            if named and named[1].partition(".")[0] in sections and not code.endswith(".log"):
                assert named[1] in known, (page.name, named[1])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", TEXTS[page]):
        if target.startswith("http"):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name) if name else page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
            assert anchor in slugs, target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_named_in_the_pages_exist(page: Path) -> None:
    """Paths within the repository; those with a placeholder in capitals, <> or {} are examples."""
    for code in code_in(TEXTS[page]):
        if re.fullmatch(r"(src|tests|docs|configs|runners|camsim|qplex_hrl)/[a-z0-9_./-]+", code):
            start = "src/" if code.startswith(("camsim/", "qplex_hrl/")) else ""
            assert (ROOT / f"{start}{code}").exists(), code


def test_documented_commands_exist() -> None:
    commands = documented_commands()
    assert len(commands) > 8
    for words in commands:
        text = help_of(*takewhile(re.compile(r"[a-z][a-z-]*").fullmatch, words))
        for flag in (word for word in words if word.startswith("--")):
            assert flag == "--help" or re.search(rf"{flag}\b", text), words


def test_every_command_is_documented() -> None:
    documented = {" ".join(words) for words in documented_commands()}
    for name in subcommands():
        for command in [f"{name} {inner}" for inner in subcommands(name)] or [name]:
            assert any(f"{line} ".startswith(f"{command} ") for line in documented), command


@pytest.mark.parametrize(
    "command", ["train", "train-ray", "evaluate", "render", "replay", "compare", "doctor"]
)
def test_flags_listed_are_all_there_are(command: str) -> None:
    page = TEXTS[ROOT / "docs" / "commands.md"].partition("## Flags")[2].partition("## Files")[0]
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", page, re.MULTILINE))
    listed = rows[command].replace("those of `train`", rows["train"])
    listed = listed.replace("who plays where", page.partition("*Who plays where* is")[2])
    known = set(re.findall(r"--[a-z-]+", help_of(command)))
    flags = set(re.findall(r"--[a-z-]+", listed))
    assert flags <= known
    assert known - flags == {"--help"} | {f for f in known - flags if f.startswith("--no-")}


def test_targets_of_make_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for text in TEXTS.values():
        for code in code_in(text):
            named = re.match(r"make ([a-z]+)", code)
            if named:
                assert re.search(rf"^{named[1]}:", makefile, re.MULTILINE), code


def test_sizes_named_in_the_pages() -> None:
    algorithm = TEXTS[ROOT / "docs" / "algorithm.md"]
    simulator = TEXTS[ROOT / "docs" / "simulator.md"]
    assert f"| context | {features.CONTEXT_FEATURES} |" in algorithm
    assert f"| target | {features.TARGET_FEATURES} each |" in algorithm
    assert f"| action | {features.ACTION_FEATURES} each |" in algorithm
    assert f"| context | {features.BELIEF_CONTEXT_FEATURES} |" in algorithm
    assert f"| target | {features.BELIEF_TARGET_FEATURES} each |" in algorithm
    assert f"| action | {features.BELIEF_ACTION_FEATURES} each |" in algorithm
    assert f"It has {SelectionOptions().n_particles} particles" in algorithm
    assert f"[N, C, {tables.CAMERA_COLUMNS}]" in simulator
    assert f"[N, T, {tables.TARGET_COLUMNS}]" in simulator
    assert f"[N, O, {tables.OBSTACLE_COLUMNS}]" in simulator
    assert f"[N, {tables.WORLD_COLUMNS}]" in simulator
    assert layout.CameraObsLayout(1, 10, 100).size == 22 + 5 * 10 + 4 * 100 + 7
    assert "22 + 5T + 4O + 7C" in simulator
    assert layout.TargetObsLayout(1, 10, 100).size == 27 + 7 + 4 * 100 + 5 * 10
    assert "27 + 7C + 4O + 5T" in simulator
    assert layout.StateLayout(1, 10, 100).size == 29 + 9 + 16 * 10 + 3 * 100
    assert "29 + 9C + 16T + 3O" in simulator
