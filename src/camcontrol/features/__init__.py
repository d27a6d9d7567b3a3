"""What the learner sees of a camera's knowledge."""
