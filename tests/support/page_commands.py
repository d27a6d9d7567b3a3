"""Commands and examples of the pages: read from their code blocks, made short, run.

Blocks of `bash` and of `python` are run by a test. A comment on the line before one says otherwise:

    <!-- long -->            run by `make docs-commands`
    <!-- shown: reason -->   not run, for this reason
    <!-- needs: package -->  run where this package is installed
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from paths import CONFIGS, DATA, DOCS, PRETRAINED, ROOT

from qplex_hrl.cli import main as cli

PAGES = [ROOT / "README.md", PRETRAINED / "README.md", *sorted(DOCS.rglob("*.md"))]
RUN, LONG, SHOWN, NEEDS = "run", "long", "shown", "needs"

_BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>long|shown|needs)(?:: (?P<reason>[^\n]*?))? -->\n)?"
    r"```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_SET = "--set training.learning_starts=1000 --set evaluation.episodes=1"
_TRAINING = f"--total-timesteps 2000 {_SET} --set evaluation.final_episodes=1"
_TABLE = f"--seeds 1 --timesteps 2000 --episodes 1 {_SET} --set evaluation.final_episodes=1"
SHORT = {
    "evaluate": "--episodes 1",
    "render": "--max-frames 2 --size 64",
    "replay": "--max-frames 60",
    "compare": "--episodes 2",
    "train": _TRAINING,
    "train-ray": f"{_TRAINING} --num-workers 1",
    "benchmark table": f"{_TABLE} --milestones 2000",
    "benchmark ablation": f"{_TABLE} --parts mixer_vdn",
    "benchmark robustness": "--episodes 2 --max-episode-steps 50",
    "benchmark evader": "--generations 1 --population 4 --episodes 2",
    "benchmark gate": "--episodes 1",
    "benchmark reaction": "--episodes 1",
    "benchmark decision": "--repeats 1",
    "benchmark torchrl": "--repeats 1",
    "benchmark training": "--repeats 1 --timesteps 0",
    "benchmark didactic": "--seeds 1 --mixers vdn qplex",
}
"""Flags that keep the work of a command small. They replace what the page says."""

_SMALL = [(r"range\(\d\d+\)", "range(3)"), (r"\b(256|64)\b", "2"), (r"size=\d+", "size=64")]
"""What is made smaller in examples of Python: loops, numbers of worlds, pictures."""

_RUNNERS = {
    "python runners/train_qplex_hrl.py": "train",
    "python runners/train_qplex_hrl_ray.py": "train-ray",
}


_TOOL = """#!{python}
if __name__ == "__main__":  # processes that it starts import it
    import page_commands
    page_commands.main("{name}")
"""


class Block(NamedTuple):
    """A block of code in a page."""

    page: Path
    line: int
    language: str
    text: str
    mark: str  # run, long, shown or needs
    reason: str  # or the package

    @property
    def place(self) -> str:
        """Page and line, for messages."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page in order."""
    text = page.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        mark, reason = found["mark"] or RUN, found["reason"] or ""
        yield Block(page, line, found["language"], found["text"], mark, reason)


def shortened(words: Sequence[str]) -> list[str]:
    """Return the arguments of `qplex-hrl` with little work to do."""
    name = next((n for n in (" ".join(words[:2]), words[0]) if n in SHORT), "")
    short = SHORT.get(name, "").split()
    replaced = {word for word in short if word.startswith("--")} - {"--set"}
    dropping, kept = False, []
    for word in words:
        dropping = word in replaced or (dropping and not word.startswith("--"))
        kept += [] if dropping else [word]
    return kept + short


def prepare(folder: Path) -> None:
    """Put into an empty folder what the pages' commands find in a checkout after a training."""
    for path in (CONFIGS, PRETRAINED, ROOT / "runners", ROOT / "docs"):
        (folder / path.name).symlink_to(path)
    models = folder / "models" / "qplex_hrl"
    models.mkdir(parents=True)
    for name in ("best", "final"):
        (models / f"qplex_hrl_{name}.pth").symlink_to(PRETRAINED / "qplex_hrl_4v4_9.pth")
    (folder / "TRACE.npz").symlink_to(DATA / "trace_MATE-4v4-9_greedy_s4100.npz")


def run_here(block: Block) -> str:
    """Run a block in this process and return what it printed.

    Raises:
        ValueError: a line is no command of this project.
    """
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        if block.language == "python":
            exec(compile(_smaller(block.text), block.place, "exec"), {"__name__": "__main__"})
        else:
            for words in _commands(block.text):
                _run_command(words, block.place)
    return printed.getvalue()


def _smaller(example: str) -> str:
    for pattern, small in _SMALL:
        example = re.sub(pattern, small, example)
    return example


def _commands(text: str) -> list[list[str]]:
    lines = text.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def _run_command(words: list[str], place: str) -> None:
    """Run one command; `> FILE` at its end writes there what it prints."""
    output = Path(words[-1]) if words[-2:-1] == [">"] else None
    words = _arguments(words if output is None else words[:-2], place)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed) if output else contextlib.nullcontext():
        code = cli.main(shortened(words))
    if output is not None:
        output.write_text(printed.getvalue(), encoding="utf-8")
    assert code == 0, f"{place}: {shlex.join(words)} ended with {code}"


def _arguments(words: list[str], place: str) -> list[str]:
    if words[0] == "qplex-hrl":
        return words[1:]
    runner = _RUNNERS.get(" ".join(words[:2]))
    if runner is None:
        raise ValueError(f"{place}: `{words[0]}` is not run here: mark the block long or shown")
    return [runner, *words[2:]]


def run_in_shell(block: Block, folder: Path) -> None:
    """Run a block by bash in a folder, its commands shortened; fails where the block fails."""
    tools = folder / "bin"
    tools.mkdir(exist_ok=True)
    for name in ("qplex-hrl", "python"):
        tool = tools / name
        tool.write_text(_TOOL.format(python=sys.executable, name=name), encoding="utf-8")
        tool.chmod(0o755)
    paths = [*map(str, (ROOT / "src", ROOT / "tests" / "support")), *sys.path]
    environment = os.environ | {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "PYTHONPATH": ":".join(paths),
    }
    command = ["bash", "-euo", "pipefail", "-c", block.text]
    subprocess.run(command, cwd=folder, env=environment, check=True)


def main(name: str) -> None:
    """Be `qplex-hrl` or `python` in a block that bash runs."""
    words = _arguments([name, *sys.argv[1:]], "command")
    code = cli.main(shortened(words))
    # Bars of a benchmark stand for its whole work: missed with little work, they say nothing.
    sys.exit(0 if code == 1 and words[0] == "benchmark" else code)
