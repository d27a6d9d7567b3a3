"""What plans would cover: sampled trajectories, rollouts, joint plans."""
