"""Running a study: the driver, its display, steps, failures, what is restored and cleared away."""
