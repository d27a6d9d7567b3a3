"""The learning rule as pure functions: returns, reward shaping, schedules."""
