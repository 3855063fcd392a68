"""irodori: color transport. The project's own system, trained on art whose colors are parameters."""
