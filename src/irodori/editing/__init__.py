"""Edits as data: what made a coloring, read from its file, changed, and done again on this or another sketch."""
