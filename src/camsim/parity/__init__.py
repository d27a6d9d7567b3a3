"""Agreement with upstream MATE: recorded traces, replayed frame by frame."""
