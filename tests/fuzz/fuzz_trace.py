"""Recordings of MATE: mutated arrays and raw bytes, read and replayed."""

import io
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_checkpoint import crafted, huge_array, other_array
from paths import ROOT
from values import any_value, mutate_bytes, mutate_tree, strange_path

from camsim.parity.trace import load_trace
from camsim.parity.verify import verify_trace

_SMALL = ROOT / "tests/data/trace_MATE-2v4-0_random_s4110.npz"


class TraceKind:
    """Reads each input, and replays what it accepts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with np.load(_SMALL) as file:
            self.arrays = dict(file)
        self.data = _packed(self.arrays)
        self.path = folder / "trace.npz"

    def make(self, rng: random.Random) -> Path:
        kind = rng.random()
        if kind < 0.6:
            self.path.write_bytes(_packed(self.mutated(rng)))
        elif kind < 0.75:
            self.path.write_bytes(mutate_bytes(self.data, rng))
        elif kind < 0.87:
            self.path.write_bytes(crafted(self.data, rng))
        elif kind < 0.94:
            self.path.write_bytes(huge_array(rng))
        else:
            return strange_path(self.folder, self.data, ".npz", rng)
        return self.path

    def mutated(self, rng: random.Random) -> dict[str, Any]:
        arrays = dict(self.arrays)
        for _ in range(rng.choice((1, 1, 2, 3))):
            name = rng.choice(list(arrays))
            kind = rng.random()
            if name == "meta" or kind < 0.2:
                meta = json.loads(str(self.arrays["meta"]))
                mutate_tree(meta, rng)
                try:
                    arrays["meta"] = np.array(json.dumps(meta, default=str))
                except (ValueError, RecursionError):
                    arrays["meta"] = np.array("[" * 100_000)
            elif kind < 0.3:
                del arrays[name]
            elif kind < 0.35:
                arrays[name] = np.array(str(any_value(rng))[:100])
            elif kind < 0.4:
                arrays["x"] = arrays[name]
            else:
                arrays[name] = other_array(arrays[name], rng)
        return arrays

    def attempt(self, made: Path) -> bool:
        verify_trace(load_trace(made))
        return False


def _packed(arrays: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def make_kind(folder: Path) -> TraceKind:
    """Return the kind, its kernels compiled."""
    kind = TraceKind(folder)
    kind.path.write_bytes(kind.data)
    kind.attempt(kind.path)
    return kind
