"""The interfaces of Gymnasium and PettingZoo."""
