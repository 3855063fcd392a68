"""Rooms of a region: what a gap in a line joins and an artist means as two.

A room is what a ball a little wider than such gaps can roll through (the trapped balls of Zhang et al. 2009,
"Vectorizing cartoon animations").
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from irodori.image import Pixels
from irodori.inference.regions import Regions, grow_labels, nearest
from irodori.inference.votes import Ballot, Evidence, count_votes

WORK_SIDE = 1024
"""Longest side, in pixels, at which rooms are looked for."""
GAP = 0.01
"""Radius of the ball as a share of the longest side: gaps of up to twice that do not join rooms."""
WIDER_GAPS = (0.04, 0.02)
"""Radii of balls that find rooms behind wider openings, as of a bust whose outline ends before the page does."""
LEAST_PIXELS = 24
"""A room of fewer network pixels says nothing clear."""
CLEAR = 0.6
"""Share of a room's votes from which on its own color is clear."""
ANOTHER = 20.0
"""Distance in L*a*b* from which on a room's color is another than that of its region, and no shade of it."""


def split_leaks(regions: Regions, choices: Pixels, evidence: Evidence) -> Regions:
    """The regions ``(H, W)``, with rooms of clearly another color than the rest of theirs as regions of their own.

    choices: ``(K, 3)``, the colors to choose from.
    Large balls first: what they part, smaller ones part further.
    """
    for gap in (*WIDER_GAPS, GAP):
        regions = _split(regions, choices, evidence, gap)
    return regions


def _split(regions: Regions, choices: Pixels, evidence: Evidence, gap: float) -> Regions:
    rooms, owner = find_rooms(regions, gap)
    if not len(choices) or np.unique(owner).size == owner.size:  # every region is a single room
        return regions
    step = max(1, int(evidence.pixel_area**0.5 / 4))  # a room has many pixels: some for each of the network's will do
    fewer = evidence.every(step)
    ballot = count_votes(np.ascontiguousarray(rooms[::step, ::step]), choices, fewer, len(owner))
    apart = _clearly_another(ballot, owner, fewer.pixel_area)
    if not apart.any():
        return regions
    numbers = owner.copy()
    numbers[apart] = int(regions.max()) + 1 + np.arange(int(apart.sum()))
    return numbers[rooms]


def find_rooms(regions: Regions, gap: float = GAP) -> tuple[Regions, NDArray[np.int32]]:
    """The rooms of all regions, ``(H, W)``, numbered from 1, 0 = ink; and the region of each room, ``(rooms + 1,)``.

    What is too narrow for the ball belongs to the room that it opens to; a region without any is one room.
    """
    small = _shrink(regions)
    labels, owner = _ball_rooms(small, max(2.0, gap * max(small.shape)))
    areas = np.bincount(labels.reshape(-1), minlength=len(owner))
    areas[0] = 0
    largest = np.zeros(int(regions.max()) + 1, np.int32)
    for room in np.argsort(areas, kind="stable"):
        if areas[room]:
            largest[owner[room]] = room
    without = np.flatnonzero(largest[1:] == 0) + 1
    largest[without] = len(owner) + np.arange(len(without))
    owner = np.concatenate([owner, without.astype(np.int32)])
    full = cv2.resize(labels.astype(np.uint16), regions.shape[::-1], interpolation=cv2.INTER_NEAREST)
    full[owner[full] != regions] = 0
    grow_labels(full, regions > 0)  # along the lines, where shrinking left too little paper, on to the next ink
    rooms: Regions = np.where(full > 0, full, largest[regions]).astype(np.int32)
    rooms[regions == 0] = 0
    return rooms, owner


def _shrink(regions: Regions) -> Regions:
    scale = WORK_SIDE / max(regions.shape)
    if scale >= 1:
        return regions
    size = max(1, round(regions.shape[1] * scale)), max(1, round(regions.shape[0] * scale))
    small = np.asarray(cv2.resize(regions, size, interpolation=cv2.INTER_NEAREST), np.int32)
    ink = cv2.resize((regions == 0).view(np.uint8), size, interpolation=cv2.INTER_AREA)
    return np.where(ink > 0, np.int32(0), small)  # of thin lines nothing may be lost: rooms would join


def _ball_rooms(regions: Regions, radius: float) -> tuple[Regions, NDArray[np.int32]]:
    """Rooms, from 1, and the region of each: what the ball covers, grown into what is too narrow for it."""
    edge = np.pad(regions > 0, 1, mode="edge")
    distance = cv2.distanceTransform(edge.view(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    centers = distance >= radius
    count, found = cv2.connectedComponents(centers.view(np.uint8), connectivity=4, ltype=cv2.CV_32S)
    if not 1 < count <= np.iinfo(np.uint16).max:
        return np.zeros_like(regions), np.zeros(1, np.int32)
    owner = np.zeros(count, np.int32)
    owner[found[centers]] = regions[centers]
    index, away = nearest(centers)
    labels = np.where((away < radius) & (regions > 0), found.reshape(-1)[index], 0).astype(np.uint16)
    grow_labels(labels, regions > 0)
    return np.where(owner[labels] == regions, labels, 0).astype(np.int32), owner


def _clearly_another(ballot: Ballot, owner: NDArray[np.int32], pixel_area: float) -> NDArray[np.bool_]:
    """Which rooms ``(rooms + 1,)`` have a clear color of their own, far from the one of their whole region."""
    votes = np.zeros((int(owner.max()) + 1, ballot.votes.shape[1]), np.int64)
    np.add.at(votes, owner, ballot.votes)
    common = votes.argmax(axis=1)[owner]
    winner, decided = ballot.winners()
    share = ballot.votes.max(axis=1) / np.maximum(ballot.areas, 1)
    other = np.linalg.norm(ballot.lab[winner] - ballot.lab[common], axis=1) >= ANOTHER
    large = ballot.areas >= LEAST_PIXELS * pixel_area
    return np.asarray(decided & other & large & (share >= CLEAR))
