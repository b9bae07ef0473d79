"""Reasons why own samples are not reproduced, of which those that can be tested are tested."""

import copy
import warnings
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from sklearn_flipad.base.messages import Message, Term
from sklearn_flipad.base.modules import evaluating
from sklearn_flipad.base.randomness import Purpose, separate_stream
from sklearn_flipad.reproduction._earlier_compression import warn_if_compressed_before
from sklearn_flipad.reproduction.search.records import REPRODUCED

__all__ = ["N_TRIED", "found_reason", "warn_if_written_otherwise", "warn_of_earlier_compression"]

#: Samples that are searched again for each reason.
N_TRIED = 8
#: Root mean square error of levels that were cut off: half a level, and that of rounding.
_CUT_OFF = (1 / 4 + 1 / 12) ** 0.5
#: Share of them that must be reproduced for the reason to count.
_MOSTLY = 0.5
#: Own samples end within this multiple of the error of their file: 48 of dcgan-0, as JPEG of 75 to
#: 95 after UnknownProcessing, at 1.08 or less (``python -m benchmarks constants``).
_OF_FILE = 1.2
#: Samples, and those in a batch, from which statistics of batch normalization are taken.
_N_DRAWN, _N_BATCH = 2048, 256


def found_reason(search, X, latents, conditions, distances):
    """Sentences with the reason and what to do, or with the usual reasons that may be it.

    Latents, conditions and distances are those found for the samples X, which are not reproduced.
    """
    found = X, latents, conditions
    has_levels = search.process.output_range is not None
    has_batch_norm = any(map(_is_batch_norm, search.process.generator.modules()))
    if has_levels and (reason := _by_rounding(search, *found)):
        return reason
    if has_batch_norm and (reason := _by_batch_statistics(search, *found, np.median(distances))):
        return reason
    in_train_mode = " in train mode, where batch normalization depends on the batch,"
    tested = " Their gray levels were not just cut off instead of rounded: that was tested."
    return (
        "Either they were processed after they were generated (pass processing=; if it is not "
        "known, UnknownProcessing()), or were made"
        f"{in_train_mode if has_batch_norm else ''} by another version of the generator or in "
        "another precision; or the generator has too many latents for its size, or the encoder "
        f"was trained too briefly.{tested if has_levels else ''}"
    )


def _written_otherwise(search, X, latents, conditions):
    """Words for how gray levels were written other than rounded, and the range that reads them so.

    None if most of the samples X are not reproduced as any of these.
    """
    low, high = search.process.output_range
    half, half_part = (high - low) / 510, (high - low) / 512
    ways = {
        "cut off instead of rounded, as by (x * 255).astype(uint8)": (low + half, high + half),
        "cut off after x * 256": (low + half_part, high - half_part),
        "rounded up": (low - half, high - half),
    }
    for how, output_range in ways.items():
        process = copy.copy(search.process)
        process.output_range = output_range
        records = search.again(process, X, latents, conditions)
        if np.mean([record.outcome == REPRODUCED for record in records]) > _MOSTLY:
            text = "output_range=({:.8g}, {:.8g})".format(*output_range)
            return how, Term(text, "moved output_range")
    return None


def _by_rounding(search, X, latents, conditions):
    found = _written_otherwise(search, X, latents, conditions)
    if found is None:
        return None
    how, output_range = found
    return Message(
        f"Their gray levels were {how}: most of {len(X)} that were tried are reproduced as such. "
        "Round when files are written, or pass ",
        output_range,
        ", which reads them so.",
    )


def warn_if_written_otherwise(search, X, found):
    """Warn of samples that are nearly reproduced, and fully if their levels were cut off.

    Near are those that are no farther than wrong rounding alone explains.
    """
    process = search.process
    if process.output_range is None or not process.processing.exact or not search.plan.max_iter:
        return
    near = np.flatnonzero(~found.reproduced & (found.distances <= _CUT_OFF))
    if not len(near):
        return
    tried = near[:N_TRIED]
    latents, conditions = (
        torch.from_numpy(part[tried]) for part in (found.latents, found.conditions)
    )
    written = _written_otherwise(search, X[tried], latents.flatten(1), conditions)
    if written is None:
        return
    how, output_range = written
    warnings.warn(
        Message(
            f"{len(near)} of {len(X)} samples are nearly reproduced; most of those that were tried "
            f"are fully, if their gray levels were {how}. They may be the model's, whatever the "
            "verdict. Judge them by an attributor that is made with ",
            output_range,
            " and fitted to own samples that were written in the same way.",
        ),
        UserWarning,
        stacklevel=5,
    )


def _by_batch_statistics(search, X, latents, conditions, median):
    """Whether batch normalization ran in train mode, by statistics of a batch."""
    process = _with_batch_statistics(search.process)
    records = search.again(process, X, latents, conditions)
    distance = np.median([record.distance for record in records])
    if distance > median / 2:
        return None
    return (
        "The generator ran in train mode when they were made: with batch normalization by the "
        f"statistics of a batch, the median distance is {distance:.3g} instead of {median:.3g}. "
        "Draw own samples again after generator.eval(), as sample() does."
    )


def warn_of_earlier_compression(search, X, found):
    """Warn of samples that are far, and were compressed before their files were saved."""
    processing = search.process.processing
    file_format, unknown = processing.file_format, processing.unknown
    if file_format is None:
        return
    far = [X[k] for k in np.flatnonzero(found.distances > _OF_FILE)]
    first = "" if unknown is None else f"{type(unknown).__name__}(), "
    advice = (
        f"[{first}JPEGCompression({{}}), JPEGCompression(90)] for a file of quality 90, and fit it "
        "to own samples that were compressed so"
    )
    warn_if_compressed_before(file_format, far, len(X), advice, stacklevel=6)


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
