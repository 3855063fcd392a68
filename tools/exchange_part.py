"""A weight file with one part from another: ``python tools/exchange_part.py FILE PART OTHER OUT.safetensors``.

For systems that are trained in stages: with a better encoder, say, what was trained on the old one goes on from there.
The configuration is that of OTHER.
"""

import dataclasses
import sys
from pathlib import Path

from irodori.checkpoint import load, save
from irodori.systems import load_system

file, part, other, out = Path(sys.argv[1]), sys.argv[2] + ".", Path(sys.argv[3]), Path(sys.argv[4])
header, tensors = load(file)
other_header, others = load(other)
kept = {name: tensor for name, tensor in tensors.items() if not name.startswith(part)}
taken = {name: tensor for name, tensor in others.items() if name.startswith(part)}
save(out, dataclasses.replace(header, config=other_header.config), kept | taken)
load_system(out)  # says so if they do not belong together
