"""Experience: environments, rollouts, collectors, the replay."""
