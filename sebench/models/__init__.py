"""Enhancement models: one system a file."""
