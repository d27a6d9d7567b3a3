"""Configurations: mutated mappings, mutated text, strange files, `--set` texts."""

import json
import os
import random
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from paths import ROOT
from values import any_scalar, mutate_bytes, mutate_tree, strange_path

from qplex_hrl.config import RunConfig, dump_config, load_config, parse_override

SHIPPED = tuple(path.read_bytes() for path in sorted((ROOT / "configs").glob("*.yaml")))
WHOLE = dump_config(RunConfig()).encode()
_BOMBS = (
    b"a: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(
        b"%c: &%c [%s]\n" % (k + 1, k + 1, b",".join([b"*%c" % k] * 9)) for k in range(97, 107)
    ),
    b"env: &e {a: *e}\n",
    b"x: &x [*x]\n",
    b"training: {<<: [&t {seed: 1}, *t, *t]}\n",
    b"env: !!python/object/apply:os.system [id]\n",
    b"env: !!binary aGVsbG8=\n",
    b"env: !!set {a, b}\n",
    b"env: !!omap [a: 1]\n",
    b"env: !!timestamp 9999-99-99\n",
    b"env: !!int x\n",
    b"env: !!float .\n",
    b"? [a, b]\n: 1\n",
    b"? {a: b}\n: 1\n",
    b"<<: 1\n",
    b"<<: [1, 2]\n",
    b"=: 1\n",
    b"[" * 2000,
    b"{a: " * 2000,
    b"- " * 5000,
    b"---\na: 1\n---\nb: 2\n",
    b"training: {seed: 0x" + b"f" * 5000 + b"}\n",
    b"training: {seed: " + b"9" * 5000 + b"}\n",
    b"training: {seed: 1" + b":59" * 4000 + b"}\n",
    b"training: {seed: 0b" + b"1" * 9000 + b"}\n",
    b"training: {seed: 1e" + b"9" * 300 + b"}\n",
    b"base: .\n",
    b"base: /dev/zero\n",
    b"base: fifo.yaml\n",
    b"base: config.yaml\n",
    b'base: "a\\0b"\n',
    b"base: ''\n",
    b"base: " + b"n" * 3000 + b"\n",
    b'env: {scenario: "a\\0b"}\n',
    b"env: {scenario: " + b"n" * 3000 + b"}\n",
    b"env: {scenario: /dev/zero}\n",
    b"env: {scenario: /dev/stdin}\n",
    b"env: {scenario: fifo.yaml}\n",
    b"env: {scenario: .}\n",
    b"env: {scenario: config.yaml}\n",
    b"env: {opponent: '" + b"greedy=1," * 20000 + b"'}\n",
    b'logging: {log_dir: "a\\0b"}\n',
    b'env: "\\uD800"\n',
    b"k" * 200_000 + b": 1\n",
    b"".join(b"k%d: 1\n" % k for k in range(5000)),
    b"env: {" + b"".join(b"k%d: 1, " % k for k in range(5000)) + b"}\n",
    b"x: '" + b"y" * 3_000_000 + b"'\n",
    b"#" * 30_000_000,
)


class Made(NamedTuple):
    """A file, and what the command line says beside it."""

    path: Path
    sets: list[str]


class ConfigurationKind:
    """Reads each input as `qplex-hrl train --config` does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trees = [yaml.safe_load(text) for text in (*SHIPPED, WHOLE, WHOLE, WHOLE)]
        self.keys = [f"{s}.{k}" for s, section in self.trees[-1].items() for k in section]

    def make(self, rng: random.Random) -> Made:
        path = self.folder / rng.choice(
            ("config.yaml", "config.yaml", "config.yaml", "config.json")
        )
        kind = rng.random()
        sets: list[str] = []
        if kind < 0.6:
            path.write_bytes(self.mutated_tree(path.suffix, rng))
        elif kind < 0.8:
            data = rng.choice((*SHIPPED, WHOLE))
            for _ in range(rng.randrange(1, 4)):
                data = mutate_bytes(data, rng)
            path.write_bytes(data)
        elif kind < 0.84:
            path.write_bytes(rng.choice(_BOMBS))
        elif kind < 0.9:
            path = strange_path(self.folder, rng.choice(SHIPPED), path.suffix, rng)
        else:
            path.write_bytes(WHOLE)
            sets = [self.setting(rng) for _ in range(rng.randrange(1, 4))]
        return Made(path, sets)

    def mutated_tree(self, suffix: str, rng: random.Random) -> bytes:
        tree = yaml.safe_load(yaml.safe_dump(rng.choice(self.trees)))
        if "base" in tree and rng.random() < 0.8:
            tree["base"] = str(ROOT / "configs" / tree["base"])
        for _ in range(rng.choice((1, 1, 2, 3))):
            mutate_tree(tree, rng)
        return written(tree, suffix)

    def setting(self, rng: random.Random) -> str:
        key = rng.choice(
            (*self.keys, *self.keys, "env", "base", "x.y", "", ".", "env..x", "a" * 500)
        )
        value: Any = any_scalar(rng)
        text = rng.choice((str(value), repr(value), f"[{value}]", f"{{a: {value}}}", "&a [*a]"))
        return rng.choice((f"{key}={text}",) * 5 + (key, f"={text}", f"{key}=={text}", text))

    def attempt(self, made: Made) -> bool:
        config = load_config(made.path, [parse_override(text) for text in made.sets])
        dump_config(config)
        return False


def written(tree: Any, suffix: str = ".yaml") -> bytes:
    """Return a tree as YAML or JSON, also if parts of it stand within themselves."""
    try:
        if suffix == ".json":
            return json.dumps(tree, default=str, skipkeys=True).encode()
        return yaml.dump(tree, allow_unicode=True, sort_keys=False).encode("utf-8", "surrogatepass")
    except (RecursionError, ValueError):
        return b"a: [" * 900


def make_kind(folder: Path) -> ConfigurationKind:
    """Return the kind; its folder also has a pipe that nobody writes to."""
    os.mkfifo(folder / "fifo.yaml")
    return ConfigurationKind(folder)
