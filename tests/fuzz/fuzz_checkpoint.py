"""Checkpoints: structured mutations with valid check sums, raw bytes, crafted archives."""

import copy
import io
import random
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from small_run import built, small_config, write_checkpoint
from values import any_value, mutate_bytes, places_of, strange_path
from worker import Wrong

from qplex_hrl.evaluation.players import EvaluationSetting
from qplex_hrl.evaluation.policy_file import export_policy, load_policy
from qplex_hrl.evaluation.trained import evaluate_checkpoint
from qplex_hrl.learner import TrainingDiverged
from qplex_hrl.storage.checkpoint import load_checkpoint, save_checkpoint
from qplex_hrl.training.run_folder import replay_beside

_PICKLES = (
    b"cos\nsystem\n(S'touch pwned'\ntR.",
    b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00.",
    b"\x80\x02" + b"(" * 100_000 + b".",
    b"\x80\x02]" + b"]" * 50_000 + b"a" * 49_000 + b".",
    b"\x80\x04\x8e" + b"\xff" * 8,
    b"\x80\x02cbuiltins\neval\nX\x01\x00\x00\x001\x85R.",
    b"\x80\x02}(K\x01h\xff\x00u.",
    b".",
    b"",
)
_SHAPES = ((), (0,), (1,), (3, 0), (10**6,), (1, 1, 1, 1, 1, 1, 1))
_FILLS = (float("nan"), float("inf"), -float("inf"), 1e30, 1e9, -1.0, 0.0, 2.0, 127.0)


class Made(NamedTuple):
    """A file, and how it may be used."""

    path: Path
    use: str
    untouched: bool  # whatever is accepted must equal the original


class CheckpointKind:
    """Plays, exports and resumes each input."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "whole").mkdir()
        whole = write_checkpoint(folder / "whole")
        self.data = whole.read_bytes()
        self.replay = replay_beside(whole).read_bytes()
        self.content = load_checkpoint(whole)
        self.weights = load_policy(whole).weights
        self.config = small_config(folder)
        self.path = folder / "qplex_hrl_5.pth"

    def make(self, rng: random.Random) -> Made:
        use = rng.choice(("play", "play", "export", "resume", "resume"))
        kind = rng.random()
        replay_beside(self.path).write_bytes(self.replay)
        self.path.unlink(missing_ok=True)
        if kind < 0.5:
            self.save(mutated(self.content, rng))
            return Made(self.path, use, untouched=False)
        if kind < 0.6:
            self.path.write_bytes(self.data)
            replay = mutate_bytes(self.replay, rng) if rng.random() < 0.6 else huge_array(rng)
            replay_beside(self.path).write_bytes(replay)
            return Made(self.path, "resume", untouched=True)
        if kind < 0.78:
            data = self.data
            for _ in range(rng.choice((1, 1, 2, 4))):
                data = mutate_bytes(data, rng)
            self.path.write_bytes(data)
        elif kind < 0.95:
            self.path.write_bytes(crafted(self.data, rng))
        else:
            path = strange_path(self.folder, self.data, ".pth", rng)
            return Made(path, rng.choice(("play", "export", "resume")), untouched=True)
        return Made(self.path, use, untouched=True)

    def save(self, content: Any) -> None:
        """Write content as the project does; what it refuses to write, as PyTorch would."""
        try:
            save_checkpoint(self.path, content)
        except Exception:
            document = {"format": "qplex-hrl checkpoint", "format_version": 2, "content": content}
            try:
                torch.save(document, self.path)
            except Exception:
                self.path.write_bytes(b"not to be saved")

    def attempt(self, made: Made) -> bool:
        if made.use == "resume":
            built(self.config, resumed, made.path)
            if made.untouched and made.path == self.path:
                self.compare(load_policy(made.path).weights, made)
            return False
        if made.use == "export":
            output = self.folder / "cameras.pth"
            export_policy(made.path, output)
            self.compare(load_policy(output).weights, made)
            return False
        setting = EvaluationSetting(None, None, None, max_episode_steps=20)
        seeds = np.arange(1, dtype=np.uint64)
        policy = load_policy(made.path)
        self.compare(policy.weights, made)
        played = {"num_envs": 1, "device": torch.device("cpu")}
        result = evaluate_checkpoint(made.path, setting, seeds, **played)
        if result["mean_coverage_rate"] is None:
            raise Wrong("an episode has no coverage")
        return False

    def compare(self, weights: dict[str, torch.Tensor], made: Made) -> None:
        """Check that the weights are finite, and the original's where the file was damaged."""
        for name, value in weights.items():
            if not torch.isfinite(value).all():
                raise Wrong(f"weights that are not finite were accepted: {name}")
        if not made.untouched:
            return
        same = weights.keys() == self.weights.keys() and all(
            torch.equal(value, weights[name]) for name, value in self.weights.items()
        )
        if not same:
            raise Wrong("other weights than those saved were accepted")


def resumed(run: Any, checkpoint: Path | None, iterate: Any) -> None:
    """Go on from a checkpoint for an iteration, and check what it gives."""
    assert checkpoint is not None
    run.restore(checkpoint)
    for _ in range(3):
        try:
            updates = iterate().updates
        except TrainingDiverged:  # large numbers are no damage; the run says so and stops
            return
        for update in updates:
            for name, value in update.items():
                if not torch.isfinite(value).all():
                    raise Wrong(f"{name} is not finite after a resume")


def mutated(content: Any, rng: random.Random) -> Any:
    """Return a copy of a checkpoint's content in which one to three parts are others."""
    content = copy.deepcopy(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = places_of(content)
        container, key = rng.choice(places)
        if rng.random() < 0.4:  # sections as often as arrays
            sections = [(c, k) for c, k in places if isinstance(c[k], dict | list)]
            container, key = rng.choice(sections) if sections else (container, key)
        value = container[key]
        kind = rng.random()
        if kind < 0.12:
            del container[key]
        elif kind < 0.18 and isinstance(container, dict):
            container[f"{key}x"] = container.pop(key)
        elif kind < 0.24 and isinstance(container, dict):
            container[rng.choice(("x", 1, "agent.x"))] = any_value(rng)
        elif isinstance(value, torch.Tensor | np.ndarray) and kind < 0.9:
            container[key] = other_array(value, rng)
        else:
            container[key] = any_value(rng)
    return content


def other_array(value: Any, rng: random.Random) -> Any:
    """Return an array of another shape, type or content."""
    array = np.array(value)
    kind = rng.randrange(6)
    with np.errstate(all="ignore"):
        if kind == 0:
            array = array.astype(rng.choice(("f4", "f8", "i8", "u1", "?", "i4", "f2")))
        elif kind == 1:
            array = np.zeros(
                rng.choice((*_SHAPES, (*array.shape, 1), array.shape[1:])), array.dtype
            )
        elif kind == 2 and array.size:
            fill = np.float64(rng.choice(_FILLS))
            array = array.copy()
            array.reshape(-1)[rng.randrange(array.size)] = fill.astype(array.dtype)
        elif kind == 3:
            array = np.full_like(array, np.float64(rng.choice(_FILLS)).astype(array.dtype))
        elif kind == 4:
            array = array * np.asarray(rng.choice((-1, 1000))).astype(array.dtype)
        else:
            array = array[..., ::-1] if array.ndim else array.reshape(1)
    other = np.ascontiguousarray(array)
    as_tensor = isinstance(value, torch.Tensor) ^ (rng.random() < 0.1)
    return torch.from_numpy(other.copy()) if as_tensor else other


def crafted(data: bytes, rng: random.Random) -> bytes:
    """Return an archive of the same parts, made so as to mislead or to exhaust a reader."""
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        parts = [(entry.filename, source.read(entry)) for entry in source.infolist()]
    at = rng.randrange(len(parts))
    name, part = parts[at]
    kind = rng.randrange(9)
    compression = zipfile.ZIP_STORED
    if kind == 0:
        parts[at] = (name, mutate_bytes(part, rng))  # with a check sum that is right again
    elif kind == 1:
        compression = zipfile.ZIP_DEFLATED
    elif kind == 2:
        parts[at] = (name, bytes(rng.choice((10**7, 3 * 10**8))))
        compression = zipfile.ZIP_DEFLATED
    elif kind == 3:
        parts = [(n, rng.choice(_PICKLES) if n.endswith(".pkl") else p) for n, p in parts]
    elif kind == 4:
        del parts[at]
    elif kind == 5:
        parts.insert(rng.randrange(len(parts)), (rng.choice((name, "../x", "x" * 9000)), part))
    elif kind == 6:
        weights = [i for i, (n, p) in enumerate(parts) if "/data/" in n and len(p) > 4]
        at = rng.choice(weights or [at])
        name, part = parts[at]
        place = rng.randrange(len(part))
        parts[at] = (name, part[:place] + bytes([part[place] ^ 1]) + part[place + 1 :])
    elif kind == 7:
        other = rng.randrange(len(parts))
        parts[at], parts[other] = (name, parts[other][1]), (parts[other][0], part)
    packed = _packed(parts, compression)
    return _misled(packed, rng) if kind == 8 else packed


def _packed(parts: list[tuple[str, bytes]], compression: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, part in parts:
            archive.writestr(name, part)
    return file.getvalue()


def _misled(data: bytes, rng: random.Random) -> bytes:
    """Return an archive whose list of contents has a wrong size, offset or count."""
    changed = bytearray(data)
    entries = [i for i in range(len(data)) if data[i : i + 4] == b"PK\x01\x02"]
    for _ in range(rng.choice((1, 1, 5))):
        entry = rng.choice(entries or [0])
        field = rng.choice((8, 10, 20, 24, 42))  # flags, method, sizes, offset
        number = rng.choice((0, 1, 2**16, 2**31 - 1, 2**32 - 1, rng.randrange(len(data))))
        width = 2 if field < 12 else 4
        changed[entry + field : entry + field + width] = number.to_bytes(4, "little")[:width]
    end = data.rfind(b"PK\x05\x06")
    if rng.random() < 0.3:
        changed[end + 10 : end + 12] = rng.choice((b"\0\0", b"\xff\xff", b"\1\0"))
    return bytes(changed)


def huge_array(rng: random.Random) -> bytes:
    """Return an `.npz` archive whose array says that it is huge, or holds objects."""
    shape = rng.choice(("(10000000000,)", "(-1,)", "(1" + ",1" * 5000 + ")", "()", "(3,)", "x"))
    kind = rng.choice(("<f8", "|O", "<U99999999", "<f16", "[('a', '<f8')]", "|V0"))
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    packed = b"\x93NUMPY\x01\x00" + min(len(header), 65535).to_bytes(2, "little") + header.encode()
    compression = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    names = rng.choice((("obs.npy",), ("obs.npy", "obs.npy"), ("x",), ("decisions.obs.npy",)))
    return _packed(
        [(name, packed + bytes(rng.choice((0, 24, 10**7)))) for name in names], compression
    )


def make_kind(folder: Path) -> CheckpointKind:
    """Return the kind, with a small checkpoint and its replay; its kernels are compiled."""
    kind = CheckpointKind(folder)
    kind.path.write_bytes(kind.data)
    replay_beside(kind.path).write_bytes(kind.replay)
    for use in ("play", "export", "resume"):
        kind.attempt(Made(kind.path, use, untouched=True))
    return kind
