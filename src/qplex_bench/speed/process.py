"""A program of ours in a process of its own, beside other packages, that works on request."""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from typing_extensions import Self

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)

SINGLE_THREAD = dict.fromkeys(THREAD_VARIABLES, "1")
"""Environment variables of a process that computes in one thread."""


class Client:
    """A program of the folder `clients`: it says when it is ready, then answers line by line."""

    def __init__(
        self,
        name: str,
        program: str,
        arguments: Sequence[str],
        *,
        python: Path,
        path: Path,
        option: str = "python",
        n_threads: int = 1,
    ) -> None:
        """Start the process and wait until it is ready.

        Args:
            name: in errors.
            program: file in the folder `clients`.
            arguments: of the program.
            python: its interpreter.
            path: folder that it imports from.
            option: of the command line that names the interpreter, in errors.
            n_threads: that it computes in.

        Raises:
            ValueError: it cannot be started, or stops.
        """
        self._name = name
        source = (Path(__file__).parent / "clients" / program).read_text(encoding="utf-8")
        threads = dict.fromkeys(THREAD_VARIABLES, str(n_threads))
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  # read when it stops
        try:
            self._process = subprocess.Popen(
                [str(python), "-c", source, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=os.environ | threads | {"PYTHONPATH": str(path.resolve())},
                text=True,
            )
        except OSError as error:
            raise ValueError(f"{option} {python}: {error.strerror}") from error
        try:
            self._answer()
        except BaseException:
            self.close()
            raise

    def ask(self) -> str:
        """Let it do its work once; return its answer, one line.

        Raises:
            ValueError: it has stopped.
        """
        _pipe(self._process.stdin).write("go\n")
        _pipe(self._process.stdin).flush()
        return self._answer()

    def close(self) -> None:
        """Let the process end."""
        _pipe(self._process.stdin).close()
        self._process.wait()

    def __enter__(self) -> Self:
        """Return the client; leaving the block ends its process."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self.close()

    def _answer(self) -> str:
        line = _pipe(self._process.stdout).readline()
        if not line:
            self._process.wait()
            self._errors.seek(0)
            reason = self._errors.read().strip().splitlines()
            raise ValueError(f"{self._name} stopped: {reason[-1] if reason else 'no message'}")
        return line.strip()


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream
