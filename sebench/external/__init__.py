"""Models that others trained and published as files: rows of a table that no run stands behind."""
