"""Which two methods are compared on which case, and how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

import numpy as np

from irodori.benchmark.cases import Case
from irodori.errors import InputError

Member = TypeVar("Member")


@dataclass(frozen=True)
class Pair:
    """Two methods' answers to one case."""

    case: Case
    methods: tuple[str, str]


def spread(cases: Sequence[Case], generator: np.random.Generator) -> list[Case]:
    """The cases in random order, but so that every stretch of it has tracks and conditions in the same proportions.

    The k-th of n cases of a condition stands at ``(k + ½) / n`` of the way.
    """
    shuffled = [cases[number] for number in generator.permutation(len(cases))]
    totals = Counter((case.track, case.condition) for case in shuffled)
    seen = Counter[tuple[str, str]]()
    place = {}
    for case in shuffled:
        group = (case.track, case.condition)
        place[case.id] = (seen[group] + 0.5) / totals[group]
        seen[group] += 1
    return sorted(shuffled, key=lambda case: place[case.id])


def rounds(num_methods: int, pairs: int) -> int:
    """How often each two methods meet when there are at most `pairs` pairs: all equally often."""
    meetings = num_methods * (num_methods - 1) // 2
    if pairs < meetings:
        raise InputError(f"{pairs} pairs for {num_methods} methods: give --pairs at least {meetings}, one for each two")
    return pairs // meetings


def design_pairs(cases: Sequence[Case], methods: Sequence[str], pairs: int) -> list[Pair]:
    """At most `pairs` pairs: every two methods meet equally often and on different cases; no case is used more than
    once more often than another.

    `cases` in the order of `spread`: each two methods take the next stretch of it, round and round.
    """
    length = min(rounds(len(methods), pairs), len(cases))
    return [
        Pair(cases[(number * length + k) % len(cases)], meeting)
        for number, meeting in enumerate(combinations(methods, 2))
        for k in range(length)
    ]


def deal(members: Sequence[Member], parts: int) -> list[Sequence[Member]]:
    """Like cards, one to each part in turn: neighbors, such as the pairs of two methods, are spread evenly."""
    return [members[part::parts] for part in range(parts)]
