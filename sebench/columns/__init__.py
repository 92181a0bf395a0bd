"""Kinds of columns of tables, one a file."""
