"""What any command needs: checkpoints, logs, seeds, devices, signals, provenance."""
