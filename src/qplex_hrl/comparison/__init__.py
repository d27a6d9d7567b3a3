"""Which of several camera teams is better on the same episodes, and how sure that is."""
