"""Synthesis: how mixtures are drawn from a corpus, rendered, checked and read back."""
