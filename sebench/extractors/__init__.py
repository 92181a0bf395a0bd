"""Feature extractors that are not trained here: one system a file."""
