"""The commands `qplex-hrl …`."""
