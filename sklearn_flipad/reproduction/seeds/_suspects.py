"""Suspects, with the processing and the files that are known of them."""

import numpy as np

from sklearn_flipad.base.file_images import FileImage
from sklearn_flipad.base.gray_levels import from_gray_levels, to_gray_levels
from sklearn_flipad.base.sample_lists import as_objects, is_ragged
from sklearn_flipad.generators.process.processing import Processing
from sklearn_flipad.reproduction._earlier_compression import warn_if_compressed_before
from sklearn_flipad.reproduction.seeds._checks import FOUND

#: In place of a suspect, an image whose file has no loss.
LOSSLESS = FileImage(np.zeros((1, 1, 1), np.uint8))
#: Share of the range by which scaled gray levels differ from these: float32 rounds by 6e-8 of it.
_ROUNDING = 1e-6


def known_processing(steps, sample_shape):
    """Processing that can be repeated; ValueError if it is another one."""
    processing = Processing(steps, sample_shape)
    for step in processing.steps:
        if getattr(step, "noise_variance", None) is not None:
            raise ValueError(
                "What the model makes of a seed is compared in every value, and the noise of "
                f"{type(step).__name__} is another one each time. Leave it out of processing=: "
                "the seed may be found all the same, but nothing tells the model from its copies "
                "then."
            )
        if not getattr(step, "is_known", True) or step is processing.unknown:
            raise ValueError(
                "What the model makes of a seed is compared after known processing, the same for "
                "all suspects but for the format of their files, FileFormat(). Pass the steps "
                f"themselves in place of {type(step).__name__}, or compare noise that was found "
                "elsewhere by match_seeds."
            )
    if processing.steps:
        black = np.zeros((1, *sample_shape), np.uint8)
        shape = processing.apply(black, [LOSSLESS]).shape[1:]
        if shape != sample_shape:
            raise ValueError(
                f"Processing makes samples of shape {shape} of those of {sample_shape}: put crops "
                "back in their place, suspects too."
            )
    return processing


def files_of(X, array, processing):
    """The suspects as images that know their files, where a step asks for it, else None of each."""
    if processing.file_format is None:
        return np.full(len(array), None)
    images = processing.of_files(list(array), X)
    for number, image in enumerate(images):
        if not image.is_repeatable:
            raise ValueError(
                f"The file of sample {number} does not tell all of its compression: of lossy WebP "
                "it is the quality, of JPEG how it was turned, or other colors or subsampling. "
                "Take another file of the image if there is one."
            )
    return as_objects(images)


def warn_of_files(found, files, processing):
    """Warn of samples whose seed is found and that were compressed before they were saved."""
    file_format, known = processing.file_format, processing.steps[:-1]
    # A compression that is known is not missing.
    if file_format is None or any(hasattr(step, "quality") for step in known):
        return
    others = files[(found.log_p_values <= np.log(FOUND)) & ~found.identical]
    steps = "".join(f"{type(step).__name__}(...), " for step in known)
    advice = f"[{steps}JPEGCompression({{}}), FileFormat()]"
    warn_if_compressed_before(file_format, others, len(files), advice, stacklevel=4)


def check_one_shape(X, sample_shape):
    """Raise ValueError for a list of samples of several shapes."""
    if is_ragged(X):
        raise ValueError(
            f"The samples have several shapes, and those of the model have {sample_shape}: leave "
            "out the others."
        )


def checked_values(array, processing, output_range):
    """Samples; ValueError for floats that are processed, or are gray levels on another scale."""
    if array.dtype == np.uint8:
        return array
    if processing.steps:
        raise ValueError("Processing is that of gray levels: pass uint8 samples.")
    if output_range is not None:
        low, high = output_range
        levels = from_gray_levels(to_gray_levels(array, output_range), output_range)
        is_level = np.abs(array - levels) <= _ROUNDING * (high - low)
        is_inside = (array > low) & (array < high)
        is_level, is_inside = (part.reshape(len(array), -1) for part in (is_level, is_inside))
        scaled = np.flatnonzero(is_level.all(axis=1) & is_inside.any(axis=1))
        if len(scaled):
            raise ValueError(
                f"All values of sample {scaled[0]} are gray levels that were scaled to floats from "
                f"{low:g} to {high:g}. What the model makes of a seed is compared in every value: "
                "pass the gray levels themselves, as uint8."
            )
    return array
