"""The inputs of a generator, as rows of numbers and the number of a condition."""

from math import prod

import numpy as np
import torch

from sklearn_flipad.base.modules import device_of
from sklearn_flipad.generators.latents import latent_batches

__all__ = ["LatentSpace"]

#: Draws that tell conditions from latents: they are doubled until no new condition turns up.
_N_TRIED, _MAX_TRIED = 256, 2**14
_MAX_CONDITIONS = 1024


class LatentSpace:
    """The inputs of a generator: numbers that can be searched, and one of finitely many conditions.

    Integers and one-hot rows are conditions, such as a class; all other inputs are latents.
    `n_features` counts the elements of all latents of a sample, and `conditions` lists tuples of
    tensors, one row of each discrete input, or one empty tuple. ValueError if no input can be
    searched, or there are more than 1,024 conditions.
    """

    def __init__(self, generator, *, latent_shape=None, sampler=None):
        self._options = {"latent_shape": latent_shape, "sampler": sampler}
        n_tried, conditions = _N_TRIED, None
        while True:
            (inputs,) = latent_batches(
                generator, n_tried, batch_size=n_tried, random_state=0, **self._options
            )
            if any(part.is_complex() for part in inputs):
                raise ValueError(
                    "The generator's latents are complex numbers, which are not searched. Wrap it "
                    "in a module that takes their real and imaginary parts, as torch.complex does."
                )
            discrete = [_is_discrete(part) for part in inputs]
            found = _distinct(inputs, discrete)
            if len(found) > _MAX_CONDITIONS or n_tried > _MAX_TRIED:
                raise ValueError(
                    "The generator's discrete inputs take too many values to search them all. Hold "
                    "them fixed in a module around the generator."
                )
            # As many draws again brought nothing new: these are all.
            if not any(discrete) or (conditions is not None and len(found) == len(conditions)):
                break
            conditions, n_tried = found, 2 * n_tried
        self._discrete = discrete
        self._shapes = [
            tuple(part.shape[1:]) for part, is_ in zip(inputs, discrete, strict=True) if not is_
        ]
        self._dtype = next((p.dtype for p, is_ in zip(inputs, discrete, strict=True) if not is_), 0)
        if not self._shapes:
            raise ValueError("The generator has no continuous input: there is nothing to search.")
        self.n_features = sum(map(prod, self._shapes))
        self.conditions = [found[key] for key in sorted(found)]
        self._index = {key: index for index, key in enumerate(sorted(found))}

    @property
    def shape(self):
        """Shape of the one latent; ``(n_features,)`` where there are several."""
        return self._shapes[0] if len(self._shapes) == 1 else (self.n_features,)

    def draw(self, generator, n, random_state, batch_size=None):
        """Batches of latents ``(n_batch, n_features)`` and numbers of conditions ``(n_batch,)``."""
        batches = latent_batches(
            generator,
            n,
            batch_size=n if batch_size is None else batch_size,
            device=device_of(generator),
            random_state=random_state,
            **self._options,
        )
        for inputs in batches:
            parts = zip(inputs, self._discrete, strict=True)
            rows = torch.cat([part.flatten(1) for part, is_ in parts if not is_], dim=1)
            keys = _keys(inputs, self._discrete)
            unknown = [key for key in keys if key not in self._index]
            if unknown:
                raise ValueError("The sampler drew a condition that it had not drawn before.")
            index = torch.tensor([self._index[key] for key in keys], device=rows.device)
            yield rows, index

    def inputs(self, latents, conditions):
        """Arguments of the generator, for latents (n, n_features) and conditions (n,)."""
        parts = torch.split(latents, [prod(shape) for shape in self._shapes], dim=1)
        shaped = (
            part.reshape(-1, *shape).to(self._dtype)
            for part, shape in zip(parts, self._shapes, strict=True)
        )
        chosen = iter(
            torch.stack(column).to(latents.device)[conditions]
            for column in zip(*self.conditions, strict=True)
        )
        return tuple(next(chosen) if is_ else next(shaped) for is_ in self._discrete)


def _is_discrete(part):
    if not part.is_floating_point():
        return True
    if part.ndim != 2 or part.shape[1] < 2:
        return False
    return bool(((part == 0) | (part == 1)).all() and (part.sum(dim=1) == 1).all())


def _keys(inputs, discrete):
    parts = [p.reshape(len(p), -1) for p, is_ in zip(inputs, discrete, strict=True) if is_]
    columns = [part.cpu().double().numpy() for part in parts]
    rows = np.concatenate(columns, axis=1) if columns else np.empty((len(inputs[0]), 0))
    return [tuple(row) for row in rows.tolist()]


def _distinct(inputs, discrete):
    """One example of each condition."""
    found = {}
    for row, key in enumerate(_keys(inputs, discrete)):
        if key not in found:
            parts = zip(inputs, discrete, strict=True)
            found[key] = tuple(part[row].cpu() for part, is_ in parts if is_)
    return found
