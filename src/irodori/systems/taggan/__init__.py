"""TagGAN: two-step training, adjustable sketch colorization via reference image and text tag (CGF 2023)."""
