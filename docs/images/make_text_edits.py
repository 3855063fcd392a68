"""What words do, for docs/systems/colorizediffusion.md: ``python docs/images/make_text_edits.py``.

A row for each drawing: drawing, reference, result, and two edits, each with its region on the reference.
"""

from pathlib import Path

import cv2
import numpy as np

from irodori import Colorizer
from irodori.data.prepare import square
from irodori.image import Pixels
from irodori.image_io import over_paper, read_image, write_image
from irodori.systems.text import TextEdit

SIDE, GAP = 192, 8
EDITS = {
    "side-look": (
        TextEdit(target="blue hair", control="hair"),
        TextEdit(target="yellow background", control="background"),
    ),
    "portrait": (TextEdit(target="green clothes", control="clothes"), TextEdit(target="purple hair", control="hair")),
}
root = Path(__file__).parents[2]
colorizer = Colorizer.from_pretrained("colorizediffusion-small")


def row(name: str) -> Pixels:
    """One drawing, its pictures side by side."""
    sketch, reference = (root / "examples" / kind / f"{name}.png" for kind in ("sketches", "references"))
    pictures = [over_paper(read_image(file)) for file in (sketch, reference)] + [colorizer(sketch, reference).pixels]
    colorizer.set_sketch(sketch)
    colorizer.set_reference(reference)
    for edit in EDITS[name]:
        result = colorizer.run(text=[edit])
        pictures += [np.asarray(colorizer.heatmap([edit]).convert("RGB")), result.pixels]
    border = (GAP // 2,) * 4
    return np.hstack(
        [cv2.copyMakeBorder(square(p, SIDE), *border, cv2.BORDER_CONSTANT, value=(255,) * 3) for p in pictures]
    )


write_image(Path(__file__).parent / "colorizediffusion-text.png", np.vstack([row(name) for name in EDITS]))
