"""The kinds of faults, by name."""

from faults import damage, disks, insides, ray_faults, signals, two_runs
from faults.harness import Inject

KINDS: dict[str, Inject] = {
    "killed-and-resumed": signals.kill_and_resume,
    "kill-in-saving": signals.kill_in_saving,
    "signal-in-training": signals.signal_in_training,
    "pause-in-training": signals.pause_in_training,
    "signal-in-command": signals.signal_in_command,
    "full-disk": disks.full_disk,
    "read-only-folder": disks.read_only,
    "vanished-folder": disks.vanished,
    "damaged-run": damage.damaged_run,
    "damaged-checkpoint": damage.damaged_checkpoint,
    "crafted-checkpoint": damage.crafted_checkpoint,
    "exchanged-file": damage.exchanged_file,
    "clock-jumps": insides.clock_jumps,
    "nan-inside": insides.nan_inside,
    "two-runs": two_runs.two_runs,
}

ALL_KINDS = KINDS | ray_faults.RAY_KINDS
"""With those that start a cluster each time."""


def possible() -> list[str]:
    """Return the kinds without a cluster that this machine permits."""
    return [kind for kind in KINDS if kind != "full-disk" or disks.mounts_are_permitted()]
