"""Scores: of a test set as a step, and of any files."""
