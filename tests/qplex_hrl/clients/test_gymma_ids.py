"""Ids for `gymma`: every preset, raw and with selections; importing them loads no simulator."""

import subprocess
import sys

import gymnasium

from camsim.scenario.schema import preset_names
from qplex_hrl.clients.gymma_ids import gymma_ids, register_gymma


def test_every_preset_has_both() -> None:
    register_gymma()  # again
    assert set(gymma_ids()) <= set(gymnasium.registry)
    assert len(gymma_ids()) == 2 * len(preset_names())
    assert gymma_ids()["MATE-4v4-9-selection-gymma-v0"] == ("MATE-4v4-9", "selection")


def test_they_come_with_an_import_that_costs_little() -> None:
    code = (
        "import sys, gymnasium; import qplex_hrl.clients.gymma_ids\n"
        "assert not {'numba', 'torch'} & set(sys.modules)\n"
        "assert 'MATE-4v4-9-gymma-v0' in gymnasium.registry"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
