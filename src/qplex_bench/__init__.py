"""Evidence: speed, tables, ablations, agreement with upstream, didactic games."""
