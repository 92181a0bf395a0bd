"""Training: one stage of a recipe, from a rendered set to a checkpoint."""
