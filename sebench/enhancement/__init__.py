"""Enhancement: a checkpoint and a condition give enhanced audio."""
