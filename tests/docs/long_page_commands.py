"""What pages mark as long, with little work: `make docs-commands`, not `make test`."""

from pathlib import Path

import pytest
from page_commands import LONG, PAGES, Block, blocks_of, prepare, run_in_shell

BLOCKS = [block for page in PAGES for block in blocks_of(page) if block.mark == LONG]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
def test_a_long_block_runs(block: Block, tmp_path: Path) -> None:
    prepare(tmp_path)
    run_in_shell(block, tmp_path)
