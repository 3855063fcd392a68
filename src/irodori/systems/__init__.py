"""The registry of colorization systems."""
