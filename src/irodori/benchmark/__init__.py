"""Measuring colorings against exact truth."""
