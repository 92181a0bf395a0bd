"""Training losses: one family a file, one value per utterance, padding excluded."""
