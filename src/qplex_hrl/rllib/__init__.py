"""Training with Ray: remote rollouts, the learner, clusters, Tune."""
