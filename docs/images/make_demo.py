"""Makes README's picture from the examples: ``python docs/images/make_demo.py``."""

from pathlib import Path

import cv2
import numpy as np

from irodori import Colorizer
from irodori.data.prepare import square
from irodori.image_io import over_paper, read_image, write_image
from irodori.weights import DEFAULT

SIDE, GAP = 256, 8
root = Path(__file__).parents[2]
colorizer = Colorizer.from_pretrained(DEFAULT)
rows = []
for sketch in sorted((root / "examples" / "sketches").glob("*.png")):
    reference = root / "examples" / "references" / sketch.name
    pictures = [over_paper(read_image(sketch)), over_paper(read_image(reference)), colorizer(sketch, reference).pixels]
    tiles = [
        cv2.copyMakeBorder(square(p, SIDE), *(GAP // 2,) * 4, cv2.BORDER_CONSTANT, value=(255,) * 3) for p in pictures
    ]
    rows.append(np.hstack(tiles))
half = len(rows) // 2
write_image(Path(__file__).parent / "demo.png", np.hstack([np.vstack(rows[:half]), np.vstack(rows[half : 2 * half])]))
