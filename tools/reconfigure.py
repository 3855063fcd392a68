"""The same weights under another configuration: ``python tools/reconfigure.py FILE OUT.safetensors KEY=VALUE...``.

For what does not belong to the weights, such as ``sampling.num_steps=4``, so that figures of both can be compared.
"""

import dataclasses
import sys
from pathlib import Path

from irodori.checkpoint import load, save
from irodori.config import from_dict, override, parse_assignments, to_dict
from irodori.systems import load_system, system_type

file, out = Path(sys.argv[1]), Path(sys.argv[2])
header, tensors = load(file)
config = from_dict(system_type(header.system).config_type, header.config, header.system)
changed = override(config, parse_assignments(sys.argv[3:]))
save(out, dataclasses.replace(header, config=to_dict(changed)), tensors)
load_system(out)  # says so if the weights do not fit any more
