"""Did the right color land in the right part?  Figures for images whose parts are known per pixel."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from irodori.color import delta_e_lab, rgb_to_lab

ACCURATE_DELTA_E = 10.0


@dataclass(frozen=True)
class PartScore:
    """One part of one image: its number, its share of the pixels, the mean ΔE2000 over its pixels, and the ΔE2000
    between the median colors of image and truth."""

    part: int
    share: float
    mean_delta_e: float
    median_delta_e: float

    @property
    def is_accurate(self) -> bool:
        """True when the part's median color lies within ΔE 10 of the truth."""
        return self.median_delta_e <= ACCURATE_DELTA_E


def part_scores(
    image: Tensor, color: Tensor, parts: Tensor, valid: Tensor, least_share: float = 0.002
) -> list[PartScore]:
    """Scores every known part of one image.

    image, color: ``(3, H, W)`` sRGB in [-1, 1].  parts: ``(H, W)`` part numbers, -1 = none.  valid: ``(H, W)``, 1 where
    the truth is known.  Parts smaller than `least_share` of the image are left out.
    """
    lab, wanted = rgb_to_lab(image[None])[0], rgb_to_lab(color[None])[0]
    per_pixel = delta_e_lab(lab[None], wanted[None])[0]
    scores = []
    for number in parts.unique().tolist():
        inside = (parts == number) & (valid > 0.5)
        share = inside.float().mean().item()
        if number < 0 or share < least_share:
            continue
        medians = [values[:, inside].median(dim=1).values.view(1, 3, 1, 1) for values in (lab, wanted)]
        difference = delta_e_lab(*medians).item()
        scores.append(PartScore(number, share, per_pixel[inside].mean().item(), difference))
    return scores
