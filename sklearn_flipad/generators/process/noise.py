"""Normal noise that a generator draws while it runs, found by watching it and then supplied."""

from math import prod

import torch
from torch.overrides import TorchFunctionMode

from sklearn_flipad.base.randomness import seeded

__all__ = ["DrawnNoise", "find_noise"]

#: Latents, in two batches of other sizes, by which the axis of the batch is known.
_SIZES = (2, 3)
#: Largest number of values per sample that a search can hold in memory for many samples.
_MAX_VALUES = 2**16
#: Accepted relative error between a sample made in a batch and alone.
_TOL = 1e-4


class DrawnNoise:
    """The normal numbers that a generator draws for each sample, as further latents.

    `shapes` lists the shapes of the draws, without the batch, in the order in which they are
    made; ``n_values`` counts the numbers of one sample.
    """

    def __init__(self, shapes):
        self.shapes = [tuple(shape) for shape in shapes]
        self.sizes = [prod(shape) for shape in self.shapes]
        self.n_values = sum(self.sizes)

    def supplied(self, values):
        """Context in which a generator draws the given values, shape (n, n_values)."""
        pieces = values.split(self.sizes, dim=1)
        shaped = (
            piece.reshape(-1, *shape) for piece, shape in zip(pieces, self.shapes, strict=True)
        )
        return _Supply(shaped)


def find_noise(generate, latents, conditions):
    """The :class:`DrawnNoise` of a generator, or a str, the reason why it cannot be supplied.

    `generate` maps latents (n, n_features) and conditions (n,) to samples, and draws anew each
    time; all of its noise is supplied if two calls with other seeds then agree.
    """
    drawn = []
    for n in _SIZES:
        with _Record() as record:
            generate(latents[:n], conditions[:n])
        drawn.append(record.shapes)
    if not drawn[0]:
        return "it is not drawn by torch.randn, torch.randn_like, torch.normal or Tensor.normal_"
    per_sample = len(drawn[0]) == len(drawn[1]) and all(
        a[:1] == (_SIZES[0],) and b[:1] == (_SIZES[1],) and a[1:] == b[1:]
        for a, b in zip(*drawn, strict=True)
    )
    if not per_sample:
        return "samples of one batch share it, or it is drawn otherwise for batches of other sizes"
    noise = DrawnNoise([shape[1:] for shape in drawn[0]])
    if noise.n_values > _MAX_VALUES:
        return f"it has {noise.n_values} numbers per sample, more than {_MAX_VALUES}"
    n = _SIZES[-1]
    rng = torch.Generator("cpu").manual_seed(0)
    values = torch.randn(n, noise.n_values, generator=rng, dtype=torch.float32, device="cpu")
    values = values.to(latents)
    made = []
    try:
        for seed in (0, 1):
            with seeded(seed, latents.device), noise.supplied(values):
                made.append(generate(latents[:n], conditions[:n]))
        with noise.supplied(values[-1:]):
            alone = generate(latents[n - 1 : n], conditions[n - 1 : n])
    except RuntimeError:
        return "it is drawn otherwise in other calls"
    if not torch.equal(*made):
        return "it also draws random numbers of another kind, such as dropout"
    if (alone - made[0][-1:]).abs().max() > _TOL * made[0].abs().max():
        return "a sample depends on the noise of others in its batch"
    return noise


class _Normal(TorchFunctionMode):
    """Handles each draw of normal numbers by :meth:`standard`."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        law = _LAWS.get(function)
        return result if law is None else law(self.standard, result, args, kwargs or {})

    def standard(self, drawn):
        """Standard normal numbers in place of those `drawn`, or None for the drawn ones."""
        raise NotImplementedError


class _Record(_Normal):
    def __init__(self):
        super().__init__()
        self.shapes = []

    def standard(self, drawn):
        self.shapes.append(tuple(drawn.shape))


class _Supply(_Normal):
    def __init__(self, pieces):
        super().__init__()
        self.pieces = pieces

    def standard(self, drawn):
        piece = next(self.pieces, None)
        return None if piece is None else piece.to(drawn)


def _plain(standard, drawn, args, kwargs):
    values = standard(drawn)
    return drawn if values is None else values


def _normal(standard, drawn, args, kwargs):
    values = standard(drawn)
    if values is None:
        return drawn
    mean, std = (_argument(args, kwargs, *which) for which in ((0, "mean", 0.0), (1, "std", 1.0)))
    return mean + std * values


def _normal_in_place(standard, drawn, args, kwargs):
    values = standard(drawn)
    if values is None:
        return drawn
    mean, std = (_argument(args, kwargs, *which) for which in ((1, "mean", 0.0), (2, "std", 1.0)))
    return drawn.copy_(mean + std * values)


def _argument(args, kwargs, position, name, default):
    return args[position] if len(args) > position else kwargs.get(name, default)


_LAWS = {
    torch.randn: _plain,
    torch.randn_like: _plain,
    torch.normal: _normal,
    torch.Tensor.normal_: _normal_in_place,
}
