"""Averages the weights of two runs of one system: ``python tools/average_weights.py RUN OTHER OUT.safetensors``.

A model trained further from another one and that other one can be averaged (Wortsman et al. 2022, "Robust
fine-tuning"): the mean keeps more of what the first one knew.
"""

import sys
from pathlib import Path

import torch

from irodori.checkpoint import load, save

run, other, out = (Path(argument) for argument in sys.argv[1:4])
header, tensors = load(run / "model.safetensors")
_, others = load(other / "model.safetensors")
save(out, header, {name: (tensors[name].float() + others[name].float()) / 2 for name in tensors}, torch.float32)
