"""Processing of images of which only the kind is known."""

from numbers import Integral, Real

import numpy as np
from PIL import Image
from sklearn.utils._param_validation import Interval

from sklearn_flipad.evaluation._bases import ImagePerturbation, rng_of

__all__ = ["UnknownProcessing"]

#: Share of the images that are resized.
_RESIZED = 0.7
#: Widths that a search tries, at most.
_N_SIZES = 32
_KERNELS = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)


class UnknownProcessing(ImagePerturbation):
    """Resizing and changes of tone that differ from image to image, and that nobody knows.

    As ``processing=`` of a latent search it stands for steps that are *fitted*: in each trial, a
    filter of 3x3 pixels, the square of the pixel and an offset, eleven numbers for each channel,
    bring the reproduction nearest to the suspect. Resizing back and forth, blur, sharpening,
    brightness, contrast, gamma and casts of color are about that. For suspects that the fit does
    not reproduce, the search goes on with the resizings that are likeliest then, of all sizes and
    three kernels. Known steps may come before and after it.

    As a transformer it draws such processing for each image: seven of ten images are made smaller
    and enlarged again, by a bilinear, bicubic or Lanczos kernel; then come gamma, gain and offset.
    Encoders are trained on such draws, and own samples that calibrate are to be processed so where
    it is not known better. An image is processed by its content and `random_state`, whatever other
    images there are.

    Parameters
    ----------
    smallest : float, default=0.55
        Smallest factor to which the sides are resized, in (0, 1].
    gain : float, default=0.12
        Largest relative change of the contrast, in [0, 0.5].
    offset : float, default=10.0
        Largest change of the brightness, in gray levels.
    gamma : float, default=0.07
        Largest change of the exponent, in [0, 0.5].
    ridge : float, default=1.0
        Variance of the errors that the fit leaves, in squared gray levels, >= 0.01. The larger it
        is, the nearer the fit stays to an image to which nothing was done. Where a file format
        follows, it is also the least squared error that distances are multiples of.
    random_state : int, default=0
        Seed.
    output_range : pair of float, default=(-1, 1)
        Values of float images that stand for the gray levels 0 and 255.

    See Also
    --------
    sklearn_flipad.ReproductionDetector : Takes it as ``processing=``.
    RandomProcessing : Other draws, which no search fits, to train, calibrate and test with.

    Notes
    -----
    The fit is bounded: the taps sum to at least a half and at most two, and the square, of pixels
    in [-1, 1], weighs at most 0.2, and the offset is at most 32 gray levels, so that a flat image
    is not the picture of everything. Images of fewer than 176 pixels, sixteen for each number, are
    refused. The fit takes up 1.1 % of the squares of errors that have nothing to do with the
    picture in an image of 32x32, 0.3 % in one of 64x64.

    References
    ----------
    Golub and Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares problems
    whose variables separate", SIAM Journal on Numerical Analysis 10, 1973.

    Examples
    --------
    >>> from sklearn_flipad import LatentEncoder, make_reproduction
    >>> from sklearn_flipad.evaluation import UnknownProcessing
    >>> from sklearn_flipad.evaluation.perturbations import JPEGCompression
    >>> from sklearn_flipad.zoo import load_pretrained
    >>> generator = load_pretrained("fashion/dcgan-0")
    >>> steps = [UnknownProcessing(), JPEGCompression(90)]
    >>> attributor = make_reproduction(
    ...     generator, encoder=LatentEncoder(max_steps=500), processing=steps
    ... )
    """

    is_unknown = True

    _parameter_constraints: dict = {
        **ImagePerturbation._parameter_constraints,
        "smallest": [Interval(Real, 0, 1, closed="right")],
        "gain": [Interval(Real, 0, 0.5, closed="both")],
        "offset": [Interval(Real, 0, 255, closed="both")],
        "gamma": [Interval(Real, 0, 0.5, closed="both")],
        "ridge": [Interval(Real, 0.01, None, closed="left")],
        "random_state": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        smallest=0.55,
        gain=0.12,
        offset=10.0,
        gamma=0.07,
        ridge=1.0,
        random_state=0,
        output_range=(-1.0, 1.0),
    ):
        self.smallest = smallest
        self.gain = gain
        self.offset = offset
        self.gamma = gamma
        self.ridge = ridge
        self.random_state = random_state
        self.output_range = output_range

    def resizings(self, height, width):
        """List the ways in which images may have been resized, the first of which is none.

        Parameters
        ----------
        height, width : int
            Size of the images.

        Returns
        -------
        list of pair of ndarray
            Matrices of shapes (height, height) and (width, width), for the rows and the columns
            of a channel.
        """
        found = [(np.eye(height), np.eye(width))]
        for sides in self._sizes_between(height, width):
            found += [
                (_matrix(height, sides[0], kernel), _matrix(width, sides[1], kernel))
                for kernel in _KERNELS
            ]
        return found

    def _sizes_between(self, height, width):
        """Sizes to which images may have been resized, and back."""
        least = max(round(self.smallest * width), 1)
        n_sizes = min(width - least, _N_SIZES)
        sizes = np.linspace(least, width - 1, n_sizes).round().astype(int)
        return [(max(round(size / width * height), 1), int(size)) for size in sizes]

    def _perturb(self, levels):
        return np.stack([self._processed(image) for image in levels])

    def _processed(self, image):
        rng = self._rng(image)
        return self._toned(self._resized(image, rng), rng)

    def _rng(self, image):
        # Rounded, so that floats are processed as the gray levels that they stand for.
        return rng_of(image.round(3) + 0.0, self.random_state)

    def _resized(self, image, rng):
        is_resized, factor = rng.uniform() < _RESIZED, rng.uniform(self.smallest, 1)
        kernel = _KERNELS[rng.integers(len(_KERNELS))]
        if not is_resized:
            return image
        return np.stack([_back_and_forth(plane, factor, kernel) for plane in image])

    def _toned(self, image, rng):
        gamma, gain, offset = rng.uniform(-1, 1, 3) * (self.gamma, self.gain, self.offset)
        image = 255 * (image.clip(0, 255) / 255) ** (1 + gamma)
        return (image - 127.5) * (1 + gain) + 127.5 + offset


def _matrix(n, side, kernel):
    """The matrix (n, n) by which a row of pixels is resized to a side and back."""
    image = Image.fromarray(np.eye(n, dtype=np.float32))
    return np.asarray(image.resize((side, n), kernel).resize((n, n), kernel), np.float64).T


def _back_and_forth(plane, factor, kernel):
    """A channel, made smaller by a factor and enlarged again."""
    height, width = plane.shape
    size = max(round(factor * width), 1), max(round(factor * height), 1)
    image = Image.fromarray(plane.astype(np.float32))
    return np.asarray(image.resize(size, kernel).resize((width, height), kernel), np.float64)
