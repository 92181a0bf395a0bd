"""Score files to tables."""
