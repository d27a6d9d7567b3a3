"""Values, texts, bytes and paths that nobody should send, drawn from a `random.Random`."""

import datetime
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Places = list[tuple[Any, Any]]  # a container and a key or index of it

NUMBERS: tuple[float, ...] = (
    0,
    -0.0,
    1,
    -1,
    2,
    3,
    5,
    0.5,
    1.5,
    -5,
    255,
    256,
    1000,
    40_000,
    10**6,
    10**9,
    2**31,
    2**53,
    2**63 - 1,
    2**63,
    2**64,
    10**18,
    10**20,
    10**23,
    10**400,
    -(10**23),
    1e-320,
    1e-30,
    1e18,
    1e154,
    1e155,
    1e300,
    -1e300,
    float("inf"),
    float("-inf"),
    float("nan"),
)
WORDS = (
    "",
    " ",
    "no",
    "null",
    "auto",
    "cuda:99999999999999999999",
    "cuda:0",
    "cpu",
    "greedy",
    "random=0.5,greedy=0.5",
    "greedy=nan",
    "greedy=1e400,random=1",
    "rmsprop",
    "none",
    "MATE-4v4-9",
    "MATE-8v8-9",
    "../../etc/passwd",
    "/dev/zero",
    "/dev/stdin",
    "/proc/self/mem",
    ".",
    "~",
    "\0",
    "a\nb",
    "\x1b[31mred",
    "\u202e\u0000x",
    "\ud800",
    "'\"`",
    "x" * 300,
    "x" * 70_000,
    "{}",
    "%s%n",
)


def any_scalar(rng: random.Random) -> Any:
    """Return a number, text, boolean, date or null."""
    kind = rng.randrange(8)
    if kind < 4:
        return rng.choice(NUMBERS)
    if kind < 6:
        return rng.choice(WORDS)
    others = (True, False, None, datetime.date(2020, 1, 1), b"\xff", datetime.datetime(1, 1, 1))
    return rng.choice(others)


def any_value(rng: random.Random) -> Any:
    """Return a scalar, most often; else lists or mappings of them, some very deep or long."""
    kind = rng.randrange(12)
    if kind < 8:
        return any_scalar(rng)
    if kind == 8:
        return [any_scalar(rng) for _ in range(rng.randrange(6))]
    if kind == 9:
        keys = ("x", "low", "high", "__ndarray__", "coverage_rate", 1, None)
        return {rng.choice(keys): any_scalar(rng) for _ in range(rng.randrange(4))}
    if kind == 10:
        return _nested(rng.choice((5, 60, 400)), rng)
    return [any_scalar(rng)] * rng.choice((100, 5000))


def _nested(depth: int, rng: random.Random) -> Any:
    value: Any = any_scalar(rng)
    for _ in range(depth):
        value = [value] if rng.random() < 0.5 else {"a": value}
    return value


def places_of(content: Any) -> Places:
    """Return every place in a tree of mappings and lists."""
    return list(_places(content))


def _places(content: Any, depth: int = 30) -> Iterator[tuple[Any, Any]]:
    """Yield the places; the tree may be deep, and may hold itself."""
    if depth == 0:
        return
    if isinstance(content, dict):
        keys: Any = list(content)
    elif isinstance(content, list):
        keys = range(min(len(content), 200))
    else:
        return
    for key in keys:
        yield content, key
        yield from _places(content[key], depth - 1)


def mutate_tree(
    content: Any, rng: random.Random, value: Callable[[random.Random], Any] = any_value
) -> None:
    """Replace, remove, rename, copy or add one part of a tree, in place."""
    places = places_of(content)
    if not places:
        return
    container, key = rng.choice(places)
    kind = rng.randrange(14)
    if kind < 4:
        container[key] = value(rng)
    elif kind < 9:
        container[key] = well_typed(container[key], rng)
    elif kind == 9:
        container[key] = _near(container[key], rng)
    elif kind == 10:
        del container[key]
    elif isinstance(container, list):
        container.append(rng.choice((value(rng), rng.choice(container))))
    elif kind == 11:
        container[_renamed(str(key), rng)] = container.pop(key)
    elif kind == 12:
        container[rng.choice(("x", "", "base", "seed", 7, "\0", "a.b"))] = value(rng)
    else:
        other, name = rng.choice(places)
        container[key] = other[name]  # a part in another's place, sometimes within itself


def well_typed(value: Any, rng: random.Random) -> Any:
    """Return another value that may be allowed in the place of this one."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        whole = [int(n) for n in NUMBERS if n == n and abs(n) != float("inf")]
        return rng.choice((*whole, value + 1, value * 2, value * 1000))
    if isinstance(value, float):
        return rng.choice((*NUMBERS, value / 10, value * 10, 1.0, 0.999999))
    return value if isinstance(value, dict | list) else any_scalar(rng)


def _near(value: Any, rng: random.Random) -> Any:
    """Return a value of the same type, most often, but another one."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        huge = isinstance(value, int) and value.bit_length() > 1000  # no float
        tenth = value // 10 if huge else value * 0.1
        return rng.choice((-value, value * 10, tenth, value + 1, value * 10**6, str(value)))
    if isinstance(value, str):
        return rng.choice((value.upper(), value + " ", value * 2, [value], value[:-1]))
    return rng.choice(([value], {"value": value}, str(value)[:1000]))


def _renamed(name: str, rng: random.Random) -> str:
    return rng.choice((name + "s", name.upper(), name[1:], name.replace("_", "-"), " " + name))


def mutate_bytes(data: bytes, rng: random.Random) -> bytes:
    """Return bytes that were cut, flipped, overwritten, doubled, spliced or encoded anew."""
    kind, n = rng.randrange(9), max(1, len(data))
    at = rng.randrange(n)
    if kind == 0:
        return data[:at]
    if kind == 1:
        return (
            data[:at]
            + bytes([data[at] ^ (1 << rng.randrange(8))] if data else [1])
            + data[at + 1 :]
        )
    if kind == 2:
        noise = bytes(rng.randrange(256) for _ in range(rng.choice((1, 4, 64))))
        return data[:at] + noise + data[at + len(noise) :]
    if kind == 3:
        other = rng.randrange(n)
        length = rng.choice((1, 30, 400))
        return data[:at] + data[other : other + length] + data[at:]
    if kind == 4:
        return data[at:] + data[:at]
    if kind == 5:
        return data + rng.choice((data, b"\0" * 100, b"PK\x05\x06" + b"\0" * 18, b"\n"))
    if kind == 6:
        return rng.choice((b"\xef\xbb\xbf", b"\xff\xfe", b"%YAML 9.9\n---\n", b"\t")) + data
    if kind == 7:
        return rng.choice((b"", b"\0", b"\n", b"\xff", b"PK\x05\x06" + b"\0" * 18, b"\x80\x02."))
    return data[:at] + data[at + rng.choice((1, 8, 100)) :]


def strange_path(folder: Path, data: bytes, suffix: str, rng: random.Random) -> Path:
    """Return a path that is special: no file, or a strange name for a file with these bytes."""
    unusual = (
        Path("/dev/zero"),
        Path("/dev/full"),
        Path("/dev/null"),
        Path("/proc/self/mem"),
        Path("/proc/self/environ"),
        folder,
        folder / "nothing",
        folder / ("n" * 5000),
        Path(),
        Path("a\0b"),
        Path("/"),
        _fifo(folder / f"fifo{suffix}"),
        _link(folder / f"loop{suffix}", "loop" + suffix),
        _link(folder / f"nowhere{suffix}", "/no/such/file"),
        _link(folder / f"zero{suffix}", "/dev/zero"),
    )
    names = (
        "a b",
        "a\nb",
        "'\"$(x)",
        "%s",
        "-",
        "\u00e9\u4e2d",
        os.fsdecode(b"\xff\xfe"),
        "n" * 200,
    )
    if rng.random() < 0.6:
        return rng.choice(unusual)
    path = folder / f"{rng.choice(names)}{suffix}"
    path.write_bytes(data)
    return path


def _fifo(path: Path) -> Path:
    if not path.exists():
        os.mkfifo(path)
    return path


def _link(path: Path, target: str) -> Path:
    if not path.is_symlink():
        path.symlink_to(target)
    return path
