"""CNF: face sketch colorization with conditional normalizing flows (Pi 2023, MSc thesis, chapter 3)."""
