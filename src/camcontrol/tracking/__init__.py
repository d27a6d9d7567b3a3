"""What a camera knows of targets: tracks, particles, motion models, negative information."""
