"""The kinds of faults, by name."""

from faults import signals
from faults.harness import Inject

KINDS: dict[str, Inject] = {
    "kill-and-resume": signals.kill_and_resume,
    "signal-in-training": signals.signal_in_training,
    "kill-in-saving": signals.kill_in_saving,
    "pause-in-training": signals.pause_in_training,
    "signal-in-command": signals.signal_in_command,
}
