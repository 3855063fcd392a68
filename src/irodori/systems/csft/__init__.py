"""CSFT: exemplar-based sketch colorization with cross-domain dense semantic correspondence (Mathematics 2022)."""
