"""Kinds of training stages, one a file: each is an item, which the planner knows by its class attributes alone."""
