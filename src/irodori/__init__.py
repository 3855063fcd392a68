"""Colour line art from a reference image."""
