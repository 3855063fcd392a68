"""How fast training pairs are made: ``python benchmarks/loader.py DATASET [SIZE]``, one process, images per second."""

import sys
import time
from pathlib import Path

from irodori.data.dataset import PairDataset
from irodori.data.index import read_index
from irodori.systems import preset

index = read_index(Path(sys.argv[1]))
size = int(sys.argv[2]) if len(sys.argv) > 2 else index.image_size
for share in (0.0, 1.0):
    options = preset("scft/small").data
    pairs = PairDataset(index, "train", type(options)(recolor_share=share, sketches=options.sketches), size, 0, 400)
    _ = pairs[0]
    start = time.perf_counter()
    for number in range(1, 201):
        _ = pairs[number]
    rate = 200 / (time.perf_counter() - start)
    print(f"{'recolor' if share else 'self':8} pairs at {size} px: {rate:.0f} images/s in one process")
