"""The learning rate over a run."""

from __future__ import annotations

import math

from irodori.systems.recipe import TrainingOptions


def learning_rate_factor(step: int, options: TrainingOptions) -> float:
    """Factor on the base rate before step `step` (counted from 0): warm-up, plateau, then linear or cosine decay to 0,
    or, from the start, a constant factor at fixed intervals.

    A pure function of the step, so that a resumed run needs no scheduler state.  SCFT (A.3): plateau for the first
    half, linear decay in the second.  CNF (3.5): 0.9 after every fifth epoch.
    """
    warmup = options.warmup_images / options.batch_size
    rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
    start = options.decay_start * options.steps
    if options.decay == "steps":
        return rise * options.decay_factor ** (step * options.batch_size // options.decay_images)
    progress = min(1.0, max(0.0, (step - start) / max(1.0, options.steps - start)))
    fall = {"linear": 1 - progress, "cosine": (1 + math.cos(math.pi * progress)) / 2, "none": 1.0}
    return rise * fall[options.decay]
