"""sRGB, CIE Lab and CIEDE2000 on tensors, and colors as text.

Images are sRGB-encoded in [-1, 1], Lab has L in 0…100 and a, b around 0; the channels are axis 1, what follows is free:
``(B, 3)``, ``(B, 3, H, W)``, ….  White is the D65 white of sRGB itself, so that grays have no chroma (to rounding).
"""

from __future__ import annotations

import math
import re

import torch
from torch import Tensor

from irodori.errors import InputError

# IEC 61966-2-1: linear sRGB to CIE XYZ, 2° observer.
_XYZ_FROM_RGB = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
_DELTA = 6.0 / 29.0  # CIE 15: where the cube root of Lab becomes a straight line
_TINY = 1e-12  # keeps the slope of a square root finite at 0


def rgb_to_lab(image: Tensor) -> Tensor:
    """``(B, 3, …)`` sRGB in [-1, 1] to ``(B, 3, …)`` CIE L*a*b* (D65, 2°)."""
    matrix = _matrix(image)
    xyz = _apply(matrix / matrix.sum(dim=1, keepdim=True), _linear((image + 1.0) / 2.0))
    fx, fy, fz = _lab_curve(xyz).unbind(1)
    return torch.stack([116.0 * fy - 16.0, 500.0 * (fx - fy), 200.0 * (fy - fz)], dim=1)


def lab_to_rgb(lab: Tensor) -> Tensor:
    """``(B, 3, …)`` L*a*b* to sRGB in [-1, 1]; colors that sRGB lacks are clipped."""
    lightness, a, b = lab.unbind(1)
    fy = (lightness + 16.0) / 116.0
    xyz = _lab_curve_inverse(torch.stack([fy + a / 500.0, fy, fy - b / 200.0], dim=1))
    matrix = _matrix(lab)
    rgb = _apply(torch.linalg.inv(matrix / matrix.sum(dim=1, keepdim=True)), xyz)
    return _encoded(rgb.clamp(0.0, 1.0)) * 2.0 - 1.0


def _matrix(like: Tensor) -> Tensor:
    return torch.tensor(_XYZ_FROM_RGB, dtype=like.dtype, device=like.device)


def _apply(matrix: Tensor, image: Tensor) -> Tensor:
    return torch.einsum("dc,bc...->bd...", matrix, image)


def _linear(encoded: Tensor) -> Tensor:
    """sRGB [0, 1] to linear light (IEC 61966-2-1)."""
    curved = ((encoded.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(encoded <= 0.04045, encoded / 12.92, curved)


def _encoded(linear: Tensor) -> Tensor:
    """Linear light [0, 1] to sRGB: the inverse of `_linear`."""
    curved = 1.055 * linear.clamp(min=0.0031308) ** (1.0 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, linear * 12.92, curved)


def _lab_curve(ratio: Tensor) -> Tensor:
    """f(t) of CIE 15, equation 8.6."""
    curved = ratio.clamp(min=_DELTA**3) ** (1.0 / 3.0)
    return torch.where(ratio <= _DELTA**3, ratio / (3.0 * _DELTA**2) + 4.0 / 29.0, curved)


def _lab_curve_inverse(value: Tensor) -> Tensor:
    return torch.where(value <= _DELTA, 3.0 * _DELTA**2 * (value - 4.0 / 29.0), value**3)


def lab_histogram(image: Tensor, bins: int = 8) -> Tensor:
    """Shares of the colors of ``(B, 3, H, W)`` images in a grid over L, a, b: ``(B, bins^3)``, each row sums to 1.

    The grid spans 0…100 in L and -128…128 in a and b; 8 bins, as Cui et al. 2022, section 3.3.2.
    """
    lab = rgb_to_lab(image).flatten(2)
    span = lab.new_tensor([[100.0], [256.0], [256.0]])
    place = ((lab + lab.new_tensor([[0.0], [128.0], [128.0]])) / span * bins).long().clamp(0, bins - 1)
    bin_number = (place[:, 0] * bins + place[:, 1]) * bins + place[:, 2]
    counts = lab.new_zeros(len(lab), bins**3)
    return counts.scatter_add_(1, bin_number, torch.ones_like(lab[:, 0])) / lab.shape[2]


def delta_e(image: Tensor, color: Tensor) -> Tensor:
    """CIEDE2000 between two ``(B, 3, …)`` images in [-1, 1]: ``(B, …)``, 0 = same, about 1 = just visible."""
    return delta_e_lab(rgb_to_lab(image), rgb_to_lab(color))


def delta_e_lab(lab1: Tensor, lab2: Tensor) -> Tensor:
    """CIEDE2000 of ``(B, 3, …)`` L*a*b* colors, kL = kC = kH = 1: ``(B, …)``.

    Sharma, Wu and Dalal, "The CIEDE2000 color-difference formula: implementation notes", 2005, equations 2-22.
    """
    lightness1, chroma1, hue1 = _adjusted(lab1, lab2)
    lightness2, chroma2, hue2 = _adjusted(lab2, lab1)
    lightness, chroma = (lightness1 + lightness2) / 2.0, (chroma1 + chroma2) / 2.0
    hue_step = _hue_step(hue1, hue2, chroma1 * chroma2)
    hue = _mean_hue(hue1, hue2, chroma1 * chroma2)
    d_lightness = (lightness2 - lightness1) / _lightness_weight(lightness)
    d_chroma = (chroma2 - chroma1) / (1.0 + 0.045 * chroma)
    d_hue = 2.0 * _root(chroma1 * chroma2) * torch.sin(hue_step / 2.0) / _hue_weight(chroma, hue)
    return _root(d_lightness**2 + d_chroma**2 + d_hue**2 + _rotation(chroma, hue) * d_chroma * d_hue)


def _root(square: Tensor) -> Tensor:
    """Square root, exactly 0 at 0 and with a finite slope there."""
    return torch.where(square <= _TINY, square.clamp(min=0.0), square.clamp(min=_TINY).sqrt())


def _adjusted(lab: Tensor, other: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """L, C', h' of `lab`, h' in radians 0…2π (equations 2-7)."""
    chroma = (_root(lab[:, 1] ** 2 + lab[:, 2] ** 2) + _root(other[:, 1] ** 2 + other[:, 2] ** 2)) / 2.0
    a, b = lab[:, 1] * (1.5 - 0.5 * _saturation(chroma)), lab[:, 2]
    gray = (a == 0.0) & (b == 0.0)
    hue = torch.atan2(b, torch.where(gray, torch.ones_like(a), a))  # atan2(0, 0) has no gradient
    return lab[:, 0], _root(a**2 + b**2), hue % (2.0 * math.pi)


def _saturation(chroma: Tensor) -> Tensor:
    """sqrt(C^7 / (C^7 + 25^7)), of equations 4 and 17."""
    power = (chroma / 25.0) ** 7
    return _root(power / (power + 1.0))


def _hue_step(hue1: Tensor, hue2: Tensor, chroma_product: Tensor) -> Tensor:
    """Δh' in -π…π (equation 10)."""
    step = hue2 - hue1
    step = torch.where(step > math.pi, step - 2.0 * math.pi, step)
    step = torch.where(step < -math.pi, step + 2.0 * math.pi, step)
    return torch.where(chroma_product == 0.0, torch.zeros_like(step), step)


def _mean_hue(hue1: Tensor, hue2: Tensor, chroma_product: Tensor) -> Tensor:
    """The mean of h', going the short way round; the sum when one color is gray (equation 14)."""
    total = hue1 + hue2
    turned = torch.where(total < 2.0 * math.pi, total + 2.0 * math.pi, total - 2.0 * math.pi)
    mean = torch.where((hue1 - hue2).abs() <= math.pi, total, turned) / 2.0
    return torch.where(chroma_product == 0.0, total, mean)


def _lightness_weight(lightness: Tensor) -> Tensor:
    """S_L (equation 18)."""
    square = (lightness - 50.0) ** 2
    return 1.0 + 0.015 * square / (20.0 + square).sqrt()


def _hue_weight(chroma: Tensor, hue: Tensor) -> Tensor:
    """S_H (equations 15 and 20)."""
    weight = 1.0 - 0.17 * torch.cos(hue - math.radians(30.0)) + 0.24 * torch.cos(2.0 * hue)
    weight = weight + 0.32 * torch.cos(3.0 * hue + math.radians(6.0))
    weight = weight - 0.20 * torch.cos(4.0 * hue - math.radians(63.0))
    return 1.0 + 0.015 * chroma * weight


def _rotation(chroma: Tensor, hue: Tensor) -> Tensor:
    """R_T (equations 16, 17 and 21)."""
    angle = math.radians(30.0) * torch.exp(-(((torch.rad2deg(hue) - 275.0) / 25.0) ** 2))
    return -2.0 * _saturation(chroma) * torch.sin(2.0 * angle)


def parse_hex(text: str) -> tuple[int, int, int]:
    """``"#rrggbb"`` to red, green, blue in 0…255.

    >>> parse_hex("#ff8000")
    (255, 128, 0)
    """
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise InputError(f"{text!r} is not a color: write it as #rrggbb, such as #ff8000")
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue


def to_hex(rgb: tuple[int, int, int]) -> str:
    """Red, green, blue in 0…255 to ``"#rrggbb"``.

    >>> to_hex((255, 128, 0))
    '#ff8000'
    """
    if not all(0 <= level <= 255 for level in rgb):
        raise InputError(f"{rgb} is not a color: red, green and blue go from 0 to 255")
    return "#{:02x}{:02x}{:02x}".format(*rgb)
