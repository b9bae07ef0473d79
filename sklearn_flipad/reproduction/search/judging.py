"""Results of a search: reconstructions, distances and outcomes."""

from functools import partial

import numpy as np
import torch

from sklearn_flipad.base.gray_levels import to_gray_levels
from sklearn_flipad.base.lanes import in_lanes
from sklearn_flipad.base.sample_lists import as_objects
from sklearn_flipad.reproduction.result import ReconstructionResult
from sklearn_flipad.reproduction.search.objective import Objective
from sklearn_flipad.reproduction.search.records import REPRODUCED, UNDECIDED

__all__ = ["judged"]

#: Samples that are fitted at a time.
_N_FITTED = 64


def judged(X, found, process, distance=None):
    """The :class:`ReconstructionResult` of samples and the latents found for them.

    `distance` judges a sample and its reconstruction; None is the root mean square difference.
    """
    latents, conditions, distances, outcomes, n_iter = found
    n_features = process.space.n_features
    has_noise = latents.shape[1] > process.n_features
    objective = Objective.of(process, searches_noise=has_noise)
    processing = process.processing
    if processing.geometry is not None:
        return _judged_sizes(X, found, process, objective.framed_as(process.framing(X)), distance)
    suspects, X = X, np.stack(X) if X.dtype == object else X
    levels = X.dtype == np.uint8
    x = X.reshape(-1, *process.sample_shape)
    resizings, least = None, 1.0
    if processing.unknown is not None:
        conditions, resizings = objective.split(conditions)
    reconstructions = process.raw(latents, conditions)
    if resizings is not None:
        fitted = _fitted(suspects, x, reconstructions, resizings, process, objective)
        reconstructions, squares, least = fitted
    elif levels:
        reconstructions = processing.apply(reconstructions, suspects)
        squares = np.square(x.astype(np.float64) - reconstructions).reshape(len(x), -1).mean(axis=1)
    if distance is not None:
        distances = _distances(x, reconstructions, process, distance)
        outcomes = np.where(outcomes == REPRODUCED, UNDECIDED, outcomes)
    elif not processing.exact:
        penalty = objective.penalty(latents, process.targets(X)).double().cpu().numpy()
        distances = np.sqrt(squares + penalty)
        floors = objective.floor(process.targets(X)).cpu().numpy()
        outcomes = np.where(distances <= floors, REPRODUCED, outcomes)
        distances = distances / least
    equal = np.full(len(x), np.nan)
    if levels:
        equal = (x == reconstructions).reshape(len(x), -1).mean(axis=1)
    return ReconstructionResult(
        latents=latents[:, :n_features].float().cpu().numpy().reshape(-1, *process.space.shape),
        conditions=conditions.cpu().numpy(),
        reconstructions=reconstructions,
        distances=distances,
        reproduced=outcomes == REPRODUCED,
        outcomes=outcomes,
        equal=equal,
        n_iter=n_iter,
        boxes=np.full((len(x), 4), np.nan),
    )


def _judged_sizes(X, found, process, objective, distance):
    """The result for gray levels of several sizes, a sequence of images."""
    latents, conditions, _, outcomes, n_iter = found
    conditions, numbers = objective.split(conditions)
    values, boxes = process.split(latents)
    raw, targets = process.raw(latents, conditions), process.targets(X)
    squares, least, reconstructions = [], [], []
    for begin in range(0, len(X), _N_FITTED):
        rows = slice(begin, begin + _N_FITTED)
        parts = (part[rows] for part in (X, raw, targets, boxes, numbers))
        of_batch = _fitted_sizes(*parts, process, objective)
        for column, part in zip((squares, least, reconstructions), of_batch, strict=True):
            column.extend(part)
    beyond = objective.excess(latents, targets).square().sum(dim=1) / targets[0].numel()
    penalty = (objective.penalty(latents, targets) + beyond).double().cpu().numpy()
    distances = np.sqrt(np.array(squares) + penalty)
    floors = objective.floor(targets).cpu().numpy()
    outcomes = np.where(distances <= floors, REPRODUCED, outcomes)
    distances = distances / np.array(least)
    if distance is not None:
        made = process.framed(reconstructions, objective.framing)
        distances = _judge(targets, made, distance)
        outcomes = np.where(outcomes == REPRODUCED, UNDECIDED, outcomes)
    values = values[:, : process.space.n_features].float().cpu().numpy()
    return ReconstructionResult(
        latents=values.reshape(-1, *process.space.shape),
        conditions=conditions.cpu().numpy(),
        reconstructions=as_objects(reconstructions),
        distances=distances,
        reproduced=outcomes == REPRODUCED,
        outcomes=outcomes,
        equal=np.array([(x == y).mean() for x, y in zip(X, reconstructions, strict=True)]),
        n_iter=n_iter,
        boxes=objective.framing.pixels(boxes.double().cpu().numpy()),
    )


def _fitted_sizes(X, raw, targets, boxes, numbers, process, objective):
    """Mean squared errors (n,) of fitted reconstructions, those of the format, and the images."""
    processing, unknown, framing, n = (
        process.processing,
        objective.unknown,
        objective.framing,
        len(X),
    )
    made = process.plain(processing.apply_before(raw))
    seen = framing.apply(made, boxes, numbers)
    fitted = in_lanes(unknown.fit, n, seen, targets)
    squares = _squares(seen, fitted, targets, objective)[0]
    # Before the resizing here, where the suspect's size is not the generator's; nearly the same.
    toned = in_lanes(unknown.apply, n, made, fitted)
    before = [
        to_gray_levels(image.double().cpu().numpy(), process.output_range)
        for image in framing.images(toned, boxes, numbers, [x.shape[1:] for x in X])
    ]
    images = processing.apply_after(before, X)
    if not processing.ends_in_format:
        return squares, np.ones(n), images
    with_format, without = (process.framed(part, framing).double() for part in (images, before))
    errors = ((with_format - without) / process.unit).flatten(1).cpu().numpy()
    return squares, _of_format(errors, unknown), images


def _squares(made, fitted, targets, objective):
    """Mean squared errors (n,) of images with the fitted processing, and these images."""
    seen = in_lanes(objective.unknown.apply, len(made), made, fitted)
    penalties = objective.unknown.penalties(fitted)
    errors = torch.cat([objective.differences(seen, targets), penalties], dim=1)
    return errors.double().square().sum(dim=1).cpu().numpy() / targets[0].numel(), seen


def _of_format(errors, unknown):
    """Root mean square errors (n,) that a file format makes, at least those the fit leaves."""
    return np.sqrt(np.square(errors).mean(axis=1).clip(unknown.ridge))


def _fitted(suspects, x, raw, resizings, process, objective):
    """Reconstructions with the processing that brings them nearest to samples.

    Beside these gray levels, mean squared errors, and the root mean square errors (n,) that the
    file format at the end makes of the reconstruction, 1 if there is none.
    """
    parts = []
    for begin in range(0, len(x), _N_FITTED):
        rows = slice(begin, begin + _N_FITTED)
        of_rows = (part[rows] for part in (suspects, x, raw, resizings))
        parts.append(_fitted_batch(*of_rows, process, objective))
    return (np.concatenate(column) for column in zip(*parts, strict=True))


def _fitted_batch(suspects, x, raw, resizings, process, objective):
    processing, unknown, n = process.processing, objective.unknown, len(x)
    targets = process.targets(x)
    made = process.targets(processing.apply_before(raw))
    made = in_lanes(unknown.resized, n, made, resizings)
    numbers = in_lanes(unknown.fit, n, made, targets)
    squares, seen = _squares(made, numbers, targets, objective)
    before = in_lanes(partial(unknown.apply, through=False), n, made, numbers)
    before, seen = (part.double().cpu().numpy() for part in (before, seen))
    before = to_gray_levels(before, process.output_range)
    reconstructions = processing.apply_after(before, suspects)
    if not processing.ends_in_format:
        return reconstructions, squares, np.ones(n)
    low, high = process.output_range
    levels = (seen.clip(low, high) - low) / process.unit
    return reconstructions, squares, _of_format((reconstructions - levels).reshape(n, -1), unknown)


def _distances(x, reconstructions, process, distance):
    """The user's distances, shape (n,), on the generator's scale."""
    return _judge(*(process.targets(part) for part in (x, reconstructions)), distance)


def _judge(x, reconstructions, distance):
    def judge(x, reconstruction):
        return distance(x, reconstruction).reshape(len(x))

    with torch.no_grad():
        return in_lanes(judge, len(x), x, reconstructions).double().cpu().numpy()
