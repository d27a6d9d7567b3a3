"""How fast the simulator, training, the learner and Ray are."""
