"""Measuring colourings against exact truth."""
