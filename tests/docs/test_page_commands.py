"""Every command and example on a page is run, with little work, or says why not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from page_commands import (
    LONG,
    NEEDS,
    PAGES,
    RUN,
    SHOWN,
    Block,
    blocks_of,
    prepare,
    run_here,
    shortened,
)
from paths import ROOT

CODE = ("bash", "python")
BLOCKS = [block for page in PAGES for block in blocks_of(page)]
RUN_HERE = {
    page: found
    for page in PAGES
    if (found := [b for b in BLOCKS if b.page == page and b.mark == RUN and b.language in CODE])
}


@pytest.mark.jit
@pytest.mark.slow
@pytest.mark.parametrize("block", [b for b in BLOCKS if b.mark == NEEDS], ids=lambda b: b.place)
def test_an_example_that_needs_a_package_runs(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(block.reason, reason=f"{block.reason} is not installed")
    monkeypatch.chdir(tmp_path)
    run_here(block)


@pytest.mark.jit
@pytest.mark.slow
@pytest.mark.parametrize("page", RUN_HERE, ids=lambda page: page.name)
def test_commands_and_examples_of_a_page_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    for block in RUN_HERE[page]:
        printed = run_here(block)
        assert not re.search(r"\bnan\b", printed), block.place
        assert len(printed.splitlines()) >= block.text.count("print("), block.place


def test_every_block_is_of_a_kind_that_is_known() -> None:
    for block in BLOCKS:
        assert block.mark == RUN or block.language in CODE, block.place
        assert (block.mark in (SHOWN, NEEDS)) == bool(block.reason), block.place
        assert block.mark != LONG or block.language == "bash", block.place


def test_no_command_hides_in_a_block_without_language() -> None:
    for block in BLOCKS:
        if block.language not in CODE:
            found = re.search(r"^(\S*/)?(qplex-hrl|python|make|pip|pytest) ", block.text, re.M)
            assert found is None, block.place


def test_files_that_stand_for_a_run_exist() -> None:
    for block in BLOCKS:
        for path in re.findall(r"\S+/\S+\w", block.reason):
            assert (ROOT / path).exists(), block.place


@pytest.mark.parametrize(
    ("given", "short"),
    [
        ("scenarios list", "scenarios list"),
        ("evaluate --episodes 64 --seed 3", "evaluate --seed 3 --episodes 1"),
        (
            "benchmark gate --checkpoints a b --episodes 9",
            "benchmark gate --checkpoints a b --episodes 1",
        ),
        (
            "benchmark decision --repeats 5 --views own shared",
            "benchmark decision --views own shared --repeats 1",
        ),
        (
            "benchmark didactic --seeds 10 --jobs 1",
            "benchmark didactic --jobs 1 --seeds 1 --mixers vdn qplex",
        ),
    ],
)
def test_flags_replace_what_the_page_says(given: str, short: str) -> None:
    assert shortened(given.split()) == short.split()


def test_settings_of_a_page_are_kept() -> None:
    words = shortened(["train", "--set", "env.num_envs=8", "--total-timesteps", "5"])
    assert words[:3] == ["train", "--set", "env.num_envs=8"]
    assert words[3:5] == ["--total-timesteps", "2000"]
