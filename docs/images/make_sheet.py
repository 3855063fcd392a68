"""What a shipped model does with some examples, for docs/systems: ``python docs/images/make_sheet.py csft-small``.

Columns: drawing, reference, result and, where the system tells it, the colors before refinement.
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from irodori import Colorizer
from irodori.data.prepare import square
from irodori.image import Pixels
from irodori.image_io import over_paper, read_image, write_image

SIDE, GAP = 192, 8
EXAMPLES = ("curls", "portrait", "side-look", "swept-hair", "mohawk", "ponytail")
root = Path(__file__).parents[2]
colorizer = Colorizer.from_pretrained(sys.argv[1])


def row(name: str) -> Pixels:
    """One example, its pictures side by side."""
    sketch, reference = (root / "examples" / kind / f"{name}.png" for kind in ("sketches", "references"))
    result = colorizer(sketch, reference)
    pictures = [over_paper(read_image(sketch)), over_paper(read_image(reference)), result.pixels]
    if result.warped_reference is not None:
        pictures.append(np.asarray(result.warped_reference.convert("RGB")))
    border = (GAP // 2,) * 4
    tiles = [cv2.copyMakeBorder(square(p, SIDE), *border, cv2.BORDER_CONSTANT, value=(255,) * 3) for p in pictures]
    return np.hstack(tiles)


rows = [row(name) for name in EXAMPLES]
half = len(rows) // 2
write_image(Path(__file__).parent / f"{sys.argv[1]}.png", np.hstack([np.vstack(rows[:half]), np.vstack(rows[half:])]))
