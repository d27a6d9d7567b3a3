"""The commands `qplex-hrl benchmark …`."""
