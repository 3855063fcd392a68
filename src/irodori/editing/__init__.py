"""Edits as data, and what they do to embeddings and masks: pure functions."""
