"""Reasons why own samples are not reproduced, of which those that can be tested are tested."""

import copy
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from sklearn_flipad.base.messages import Message, Term
from sklearn_flipad.base.modules import evaluating
from sklearn_flipad.base.randomness import Purpose, separate_stream
from sklearn_flipad.reproduction.search.records import REPRODUCED

__all__ = ["found_reason"]

#: Samples that are searched again for each reason, and further starts of each.
_N_TRIED, _N_RESTARTS = 8, 2
#: Share of them that must be reproduced for the reason to count.
_MOSTLY = 0.5
#: Samples, and those in a batch, from which statistics of batch normalization are taken.
_N_DRAWN, _N_BATCH = 2048, 256


def found_reason(search, X, distances):
    """A sentence with the reason and what to do, or None; and the reasons that were tested.

    `distances` are those of the samples X, which were not reproduced.
    """
    X, distances, tested = X[:_N_TRIED], distances[:_N_TRIED], []
    if search.process.output_range is not None:
        tested.append("cut off instead of rounded")
        if reason := _by_rounding(search, X):
            return reason, tested
    if any(map(_is_batch_norm, search.process.generator.modules())):
        tested.append("made by batch normalization in train mode")
        return _by_batch_statistics(search, X, np.median(distances)), tested
    return None, tested


def _by_rounding(search, X):
    """Whether gray levels were cut off instead of rounded, or the range has 256 parts."""
    low, high = search.process.output_range
    half, half_part = (high - low) / 510, (high - low) / 512
    written = {
        "cut off instead of rounded, as by (x * 255).astype(uint8)": (low + half, high + half),
        "cut off after x * 256": (low + half_part, high - half_part),
        "rounded up": (low - half, high - half),
    }
    for how, (low, high) in written.items():
        process = copy.copy(search.process)
        process.output_range = low, high
        outcomes = search.again(process, X, _N_RESTARTS).outcomes
        share = np.mean(outcomes == REPRODUCED)
        if share > _MOSTLY:
            moved = Term(f"output_range=({low:.6g}, {high:.6g})", "moved output_range")
            return Message(
                f"Their gray levels were {how}: {share:.0%} of {len(X)} of them are "
                "reproduced as such. Round when files are written, or pass ",
                moved,
                ", which reads them so.",
            )
    return None


def _by_batch_statistics(search, X, median):
    """Whether batch normalization ran in train mode, by statistics of a batch."""
    process = _with_batch_statistics(search.process)
    distance = np.median(search.again(process, X, _N_RESTARTS).distances)
    if distance > median / 2:
        return None
    return (
        "The generator ran in train mode when they were made: with batch normalization by the "
        f"statistics of a batch, the median distance is {distance:.3g} instead of {median:.3g}. "
        "Draw own samples again after generator.eval(), as sample() does."
    )


def _is_batch_norm(module):
    return isinstance(module, nn.modules.batchnorm._BatchNorm) and module.track_running_stats


def _with_batch_statistics(process):
    """The process with statistics of batch normalization that are those of many of its samples."""
    generator = copy.deepcopy(process.generator)
    parts = [module for module in generator.modules() if _is_batch_norm(module)]
    for part in parts:
        part.reset_running_stats()
        part.momentum = None  # the mean of all batches
    rng = separate_stream(0, Purpose.BATCH_STATISTICS)
    with torch.inference_mode(False), evaluating(generator):
        for part in parts:
            part.train()
        for latents, conditions in process.draw_latents(_N_DRAWN, rng, _N_BATCH):
            generator(*process.space.inputs(latents, conditions))
    changed = copy.copy(process)
    changed.generator = generator
    changed.generate = lambda latents, conditions: generator(
        *process.space.inputs(latents, conditions)
    )

    @contextmanager
    def running():
        with torch.inference_mode(False), evaluating(generator):
            yield

    changed.running = running
    return changed
