"""The processing of samples after they were generated, as far as a search can follow it.

Blur, cropping, resizing and all other maps that are linear in each axis of an image can be
differentiated; a lossy file format cannot, and is applied to the finished reconstruction. Unknown
processing is fitted to each sample.
"""

import numpy as np
import torch

from sklearn_flipad.base.file_images import FileImage
from sklearn_flipad.generators.process.filter_and_tone import FilterAndTone
from sklearn_flipad.generators.process.framing import Framing

__all__ = ["Processing", "takes_lists"]


class Processing:
    """A chain of perturbations of images, split by what a search can do with each.

    `steps` lists the perturbations in the order in which they were applied, `variance` is the mean
    variance, in squared gray levels, of the noise and of all roundings but the last, and `exact`
    tells whether the differentiable part is all. Of `unknown`, a step of which the search knows
    only that it is about a filter and a tone curve, or None, there is at most one. TypeError if a
    step is no perturbation, ValueError if samples are not images.
    """

    def __init__(self, steps, sample_shape):
        if steps is None:
            steps = []
        elif not isinstance(steps, list | tuple):
            steps = [steps]
        for step in steps:
            if isinstance(step, type) or not hasattr(step, "transform"):
                raise TypeError(
                    f"processing has {step!r} instead of a perturbation, such as GaussianBlur(3) "
                    "of sklearn_flipad.evaluation.perturbations."
                )
        self.steps = list(steps)
        if self.steps and len(sample_shape) != 3:
            raise ValueError(
                f"processing is for images (channels, height, width), not for {sample_shape}."
            )
        matrices = [_matrices(step, sample_shape) for step in self.steps if _is_separable(step)]
        self.variance = self._variance(sample_shape, matrices)
        known = [step for step in self.steps if _variance_of(step) is None]
        #: The step that compresses as each suspect's own file, or None.
        self.file_format = self._found_file_format()
        n_before, self.unknown = _find_unknown(known, sample_shape)
        if self.unknown is None and self.file_format is not None:
            n_before -= 1
        self._before, self._after = known[:n_before], known[n_before:]
        self._noisy_after = self.steps[self.steps.index(self.unknown) + 1 :] if self.unknown else []
        self._resizings, self._sample_shape = (), sample_shape
        #: The unknown step if it also changes the size of images, or None.
        self.geometry = self.unknown if hasattr(self.unknown, "ways") else None
        if self.unknown is not None:
            del self._after[0]
            if self.geometry is None:
                self._resizings = self.unknown.resizings(*sample_shape[1:])
            elif any(map(_is_separable, self._after)):
                raise ValueError(
                    f"{type(self.geometry).__name__} makes images of several sizes, after which "
                    "processing= takes file formats and noise alone; it stands for blur and "
                    "resizing itself."
                )
        n_before = sum(map(_is_separable, self._before))
        self._matrices, self._matrices_after = matrices[:n_before], matrices[n_before:]
        self.exact = self.unknown is None and all(map(_is_separable, known))
        #: Whether the last steps are in a file format, whose errors are the least there can be.
        self.ends_in_format = not all(map(_is_separable, self._after))

    def _found_file_format(self):
        """The last step, if it is the format of each suspect's own file."""
        found = [step for step in self.steps if getattr(step, "is_file_format", False)]
        if found and found != self.steps[-1:]:
            raise ValueError(
                f"processing has {type(found[0]).__name__}, the format of a suspect's own file, "
                "before other steps: it comes once, and last."
            )
        if not found:
            return None
        found[0]._validate_params()
        return found[0]

    def check_known(self):
        """ValueError if a step differs from sample to sample, which no search can repeat."""
        for step in self.steps:
            if not getattr(step, "is_known", True):
                raise ValueError(
                    "The search needs a known processing, the same for all suspects; "
                    f"{type(step).__name__} draws another one for each sample. Pass the "
                    "perturbations themselves, in order, or UnknownProcessing(), which is fitted "
                    "to each suspect. An encoder can be trained on random ones: "
                    "LatentEncoder(processing=...)."
                )

    def of_files(self, images, files):
        """Images that know the compressions of their files, if a step asks for them.

        ValueError if that of one is not known, or is too strong.
        """
        if self.file_format is None:
            return images
        for number, file in enumerate(files):
            if not isinstance(file, FileImage):
                raise ValueError(
                    f"Sample {number} does not say how its file is compressed. Of a file with a "
                    "palette, or of fewer than 8 bits, it is not known what was lost: take the "
                    "file from which it was made, if there is one. Elsewhere FileFormat() asks for "
                    "a list of images as ImageDecoder(mode=...)(data)[0] returns them, gray ones "
                    "with mode='L' and without size=, or as FileFormat().transform does; or name "
                    "the format, as in processing=[..., JPEGCompression(90)]."
                )
            if not self.file_format.covers(file):
                raise ValueError(
                    f"The file of sample {number} is compressed more strongly than JPEG of quality "
                    f"{self.file_format.qualities[0]}, the least of FileFormat(qualities=...): "
                    "what that hides cannot be told. Take a better copy of the image if there is "
                    "one."
                )
        return [file.alike(x) for x, file in zip(images, files, strict=True)]

    def _variance(self, sample_shape, matrices):
        """Mean variance of the errors made on the way that reach the last step."""
        if not self.steps:
            return 0.0
        matrices = iter(matrices)
        rows, columns = (np.eye(side) for side in sample_shape[1:])
        passed = [(1 / 12, rows, columns)]  # gray levels were rounded before the first step
        for step in self.steps:
            if (variance := _variance_of(step)) is not None:
                passed.append((variance, rows, columns))
            elif _is_separable(step):
                r, c = next(matrices)
                passed = [(v, r @ before, c @ after) for v, before, after in passed]
            passed.append((1 / 12, rows, columns))
        passed.pop()  # the last rounding is that of every sample
        parts = (
            v * np.square(r).sum(axis=1).mean() * np.square(c).sum(axis=1).mean()
            for v, r, c in passed
        )
        return float(sum(parts))

    def differentiable(self):
        """The differentiable part, a function of images (n, channels, height, width), or None.

        It ends before the unknown step, if there is one.
        """
        if not self._matrices:
            return None

        def process(x):
            for rows, columns in self._matrices:
                rows = torch.from_numpy(rows).to(x)
                columns = torch.from_numpy(columns).to(x)
                x = rows @ x @ columns.T
            return x

        return process

    def fitted(self, ends):
        """The :class:`FilterAndTone` of the unknown step, for gray levels that end there, or None.

        The linear maps after it are a part of the fit.
        """
        if self.unknown is None:
            return None
        if ends is None:
            raise ValueError("UnknownProcessing takes gray levels: pass uint8 samples.")
        return FilterAndTone(
            self.unknown.ridge,
            ends,
            self._matrices_after,
            self._resizings,
            clips=self.ends_in_format,
        )

    def framing(self, sizes):
        """The :class:`Framing` of images of these sizes, or None if all have the generator's."""
        if self.geometry is None:
            return None
        sides, geometry = self._sample_shape[1:], self.geometry
        ways = {size: geometry.ways(size, sides) for size in sorted(set(sizes))}
        return Framing(self._sample_shape, ways, smallest=geometry.crop)

    def processed(self, X, boxes):
        """Processed gray levels with noise, a list; the unknown step cuts out these boxes."""
        X = self.geometry.fit(X).cut(_applied(self._before, X), boxes)
        return _applied(self._noisy_after, X)

    def draw(self, X):
        """Processed gray levels, with noise and whatever else is drawn."""
        return _applied(self.steps, X)

    def apply(self, X, suspects):
        """Gray levels with all steps but the unknown one and noise, in the formats of suspects."""
        return self.apply_after(self.apply_before(X), suspects)

    def apply_before(self, X):
        """Gray levels with the steps before the unknown one, without noise."""
        return _applied(self._before, X)

    def apply_after(self, X, suspects):
        """Gray levels with the steps after the unknown one, in the formats of suspects."""
        for step in self._after:
            if step is self.file_format:
                images = step.alike(X, suspects)
                X = np.stack(images) if isinstance(X, np.ndarray) else images
            else:
                X = _applied([step], X)
        return X


def takes_lists(steps):
    """Whether a step of processing stands for images of any size, or of files of any format."""
    steps = steps if isinstance(steps, list | tuple) else [steps]
    return any(hasattr(step, "ways") or hasattr(step, "is_file_format") for step in steps)


def _applied(steps, X):
    for step in steps:
        if isinstance(X, list):
            X = [step.fit(x[None]).transform(x[None])[0] for x in X]
        else:
            X = step.fit(X).transform(X)
    return X


def _find_unknown(steps, sample_shape):
    """Position of the unknown step, and that step; the number of steps and None without one."""
    found = [number for number, step in enumerate(steps) if getattr(step, "is_unknown", False)]
    if not found:
        return len(steps), None
    if len(found) > 1:
        raise ValueError("processing has more than one UnknownProcessing: one stands for all.")
    FilterAndTone.check_n_pixels(sample_shape)
    return found[0], steps[found[0]]


def _is_separable(step):
    """Whether a perturbation is linear in the rows and in the columns of each channel."""
    return getattr(step, "is_separable", False)


def _variance_of(step):
    """Variance of the noise that a perturbation adds, in squared gray levels, or None."""
    return getattr(step, "noise_variance", None)


def _matrices(step, sample_shape):
    """The matrices by which a perturbation acts on the rows and on the columns of an image."""
    return tuple(_matrix(step, *sample_shape[1:], axis=axis) for axis in (0, 1))


def _matrix(step, height, width, axis):
    """The matrix by which a perturbation acts along one axis of an image.

    It is read off images that vary along that axis alone, so that whatever the perturbation
    does is what the matrix has.
    """
    side = (height, width)[axis]
    basis = np.eye(side).reshape((side, 1, side, 1) if axis == 0 else (side, 1, 1, side))
    images = np.broadcast_to(basis, (side, 1, height, width))
    # Floats in the range of gray levels pass without rounding.
    step = type(step)(**{**step.get_params(), "output_range": (0.0, 255.0)})
    processed = step.fit(images).transform(images)[:, 0]
    column = processed[:, :, 0] if axis == 0 else processed[:, 0, :]
    return np.ascontiguousarray(column.T)
