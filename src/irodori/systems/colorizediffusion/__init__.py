"""ColorizeDiffusion v1, v1.5 and v2: latent diffusion prompted by the local tokens of a reference (Yan 2025)."""
