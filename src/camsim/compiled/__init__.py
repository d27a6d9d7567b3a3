"""What all compiled code shares: compiler settings, random streams, plane geometry."""
