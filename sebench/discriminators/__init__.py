"""Discriminators of adversarial training: one system a file."""
