"""Blind pairwise preference studies: a page for human judges, and what their answers say."""
