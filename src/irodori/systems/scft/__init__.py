"""SCFT: reference-based sketch colorization with augmented-self reference and dense correspondence (CVPR 2020)."""
