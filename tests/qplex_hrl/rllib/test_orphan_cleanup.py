"""What a killed process started is ended, and nothing else."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from qplex_hrl.rllib.orphan_cleanup import descendants

PARENT = """
import os, subprocess, sys, time
cleanup = subprocess.Popen(
    [sys.executable, "-m", "qplex_hrl.rllib.orphan_cleanup", str(os.getpid()), sys.argv[1]],
    stdin=subprocess.PIPE, start_new_session=True)
child = subprocess.Popen(
    ["sh", "-c", "trap '' TERM HUP; sleep 300 & wait; sleep 300"], start_new_session=True)
time.sleep(2)
if sys.argv[2:] == ["late"]:  # after the cleanup's last look, as it is when Ray starts
    with open(sys.argv[1] + "/raylet.out", "w") as out:
        child = subprocess.Popen(["sh", "-c", "sleep 300 >/dev/null & echo $!; wait"], stdout=out,
                                 stderr=out, start_new_session=True)
    while not (grandchild := open(sys.argv[1] + "/raylet.out").read().strip()):
        pass
    print(child.pid, cleanup.pid, grandchild, flush=True)
    os.kill(os.getpid(), 9)
print(child.pid, cleanup.pid, flush=True)
time.sleep(300)
"""


def is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_descendants_of_a_killed_process_end_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "session"
    folder.mkdir()
    (folder / "socket").write_text("")
    other = subprocess.Popen(["sleep", "300"])
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child, cleanup = map(int, parent.stdout.readline().split())
    grandchildren = {pid for pid, _ in descendants(child)}
    assert grandchildren
    assert grandchildren | {child, cleanup} == {pid for pid, _ in descendants(parent.pid)}
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    end = time.monotonic() + 20
    while time.monotonic() < end and any(map(is_alive, (child, cleanup, *grandchildren))):
        time.sleep(0.1)
    assert not any(map(is_alive, (child, cleanup, *grandchildren)))
    assert not folder.exists()
    assert is_alive(other.pid)
    os.kill(other.pid, signal.SIGKILL)
    other.wait()


def test_what_was_started_just_before_ends_too(tmp_path: Path) -> None:
    """Nobody has seen it as a descendant: its output is in the folder, its child's is not."""
    folder = tmp_path / "session"
    folder.mkdir()
    arguments = [sys.executable, "-c", PARENT, str(folder), "late"]
    parent = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    started = [int(word) for word in parent.stdout.readline().split()]
    assert len(started) == 3
    parent.wait()
    end = time.monotonic() + 20
    while time.monotonic() < end and any(map(is_alive, started)):
        time.sleep(0.1)
    assert not any(map(is_alive, started))
    assert not folder.exists()
