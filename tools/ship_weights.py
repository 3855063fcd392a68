"""Turns a training run into shipped weights, float16: ``python tools/ship_weights.py RUN NAME``."""

import dataclasses
import sys
from pathlib import Path

import torch

from irodori.checkpoint import load, save

run, name = Path(sys.argv[1]), sys.argv[2]
header, tensors = load(run / "model.safetensors")
header = dataclasses.replace(header, provenance={**header.provenance, "license": "Apache-2.0", "name": name})
target = Path(__file__).parents[1] / "weights" / f"{name}.safetensors"
save(target, header, tensors, torch.float16)
print(f"{target}: {target.stat().st_size / 1e6:.1f} MB, step {header.provenance['step']}")
