"""Processing of images of which only the kind is known, and which also changes their size."""

from numbers import Real

import numpy as np
from PIL import Image
from sklearn.utils._param_validation import Interval

from sklearn_flipad.evaluation.unknown_processing import UnknownProcessing
from sklearn_flipad.generators.process.framing import Way, boxes_of

__all__ = ["UnknownGeometry"]

_KERNELS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
#: The kernel that a search begins with, in between of the others.
_FIRST = "bicubic"
#: Images that are larger by this factor are searched as if they had the generator's size at first:
#: a trial takes two thirds of the time.
_LARGE = 2


class UnknownGeometry(UnknownProcessing):
    """Cropping, resizing to any size and changes of tone that nobody knows.

    It is an :class:`UnknownProcessing` for suspects of any size. As ``processing=`` of a latent
    search, the box that was cut out of the generator's image is searched along with the latents:
    what the generator makes is cut, resized to the suspect's size, and compared with it, both
    brought to the generator's size. The filter and the tone are fitted as before. Suspects, and
    own samples that calibrate, are lists of images of several sizes, or arrays.

    As a transformer it draws such processing for each image, and returns a list: a share `framed`
    of the images is cropped and resized, each to a size of its own, and the others keep the
    generator's size and are resized back and forth as by :class:`UnknownProcessing`; then comes
    the tone.

    Parameters
    ----------
    crop : float, default=0.85
        Smallest share of each side that is kept, in [0.5, 1].
    sizes : pair of float, default=(0.75, 4.0)
        Smallest and largest length of the longer side that is drawn, as multiples of the
        generator's. Suspects larger than that are judged as if they had the generator's size.
    framed : float, default=0.7
        Share of the images that are cropped and resized to another size, in [0, 1].
    smallest, gain, offset, gamma, ridge
        See :class:`UnknownProcessing`.
    random_state : int, default=0
        Seed.
    output_range : pair of float, default=(-1, 1)
        Values of float images that stand for the gray levels 0 and 255.

    See Also
    --------
    UnknownProcessing : For suspects of the generator's own size that were not cropped.

    Notes
    -----
    A search refuses suspects of fewer values than four for each latent, and of fewer than 176
    pixels: almost anything would be reproduced. Sides count up to those of the generator.

    The kernels are those of Pillow, which grow where an image shrinks. An image is cut before or
    after it is resized; both are tried.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_flipad.evaluation import UnknownGeometry
    >>> X = np.random.default_rng(0).integers(0, 256, (3, 1, 16, 16), dtype=np.uint8)
    >>> [x.shape for x in UnknownGeometry(framed=1).fit_transform(X)]
    [(1, 51, 51), (1, 45, 39), (1, 48, 48)]
    """

    _parameter_constraints: dict = {
        **UnknownProcessing._parameter_constraints,
        "crop": [Interval(Real, 0.5, 1, closed="both")],
        "sizes": [tuple, list],
        "framed": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self,
        *,
        crop=0.85,
        sizes=(0.75, 4.0),
        framed=0.7,
        smallest=0.55,
        gain=0.12,
        offset=10.0,
        gamma=0.07,
        ridge=1.0,
        random_state=0,
        output_range=(-1.0, 1.0),
    ):
        super().__init__(
            smallest=smallest,
            gain=gain,
            offset=offset,
            gamma=gamma,
            ridge=ridge,
            random_state=random_state,
            output_range=output_range,
        )
        self.crop = crop
        self.sizes = sizes
        self.framed = framed

    def transform(self, X):
        """Cut, resize and perturb images.

        Parameters
        ----------
        X : array-like, shape (n, channels, height, width)
            Images: uint8 gray levels, or floats in `output_range`.

        Returns
        -------
        list of ndarray, shape (channels, height, width)
            Images of the same type as X, each of a size of its own.

        Raises
        ------
        ValueError
            If X is empty, not finite, out of range or has another shape.
        """
        self._validate_params()
        X = self._checked(X)
        rngs = (np.random.RandomState(self._rng(x).integers(2**32)) for x in self._values(X))
        boxes = [self.draw_boxes(1, X.shape[2:], rng)[0] for rng in rngs]
        return self.cut(X, boxes)

    def cut(self, X, boxes):
        """Perturb images of which the parts that are cut out are given.

        Parameters
        ----------
        X : array-like, shape (n, channels, height, width)
            Images.
        boxes : ndarray of shape (n, 4)
            Boxes, as :meth:`draw_boxes` draws them. Images of the whole box keep their size.

        Returns
        -------
        list of ndarray, shape (channels, height, width)
        """
        self._validate_params()
        X = self._checked(X)
        found = [
            self._framed(image, box) for image, box in zip(self._values(X), boxes, strict=True)
        ]
        return [self._finished(image, X.dtype) for image in found]

    def draw_boxes(self, n, sides, random_state):
        """Draw boxes of whole pixels.

        Parameters
        ----------
        n : int
            Number of boxes.
        sides : tuple of int
            Height and width of the images.
        random_state : RandomState
            Source of randomness.

        Returns
        -------
        ndarray of float64, shape (n, 4)
            For the rows and for the columns: the middle, as the distance from the middle of the
            image, and the length, as the difference from the side, both as parts of the side.
        """
        is_framed = random_state.uniform(size=(n, 1)) < self.framed
        shares = random_state.uniform(self.crop, 1, (n, 2))
        lengths = np.where(is_framed, np.rint(shares * sides).clip(1), sides)
        begins = np.rint(random_state.uniform(size=(n, 2)) * (sides - lengths))
        return boxes_of(begins, begins + lengths, sides)

    def ways(self, size, sides):
        """List the ways in which images were brought to a size.

        Parameters
        ----------
        size : tuple of int
            Height and width of an image.
        sides : tuple of int
            Those of the generator's images.

        Returns
        -------
        list of Way
            The likeliest comes first.
        """
        sides = tuple(sides)
        kernels = sorted(_KERNELS, key=lambda name: name != _FIRST)
        found = [Way(size, size, name, is_cut) for is_cut in (False, True) for name in kernels]
        # How it was made so large is hardly seen in the generator's size, and takes time.
        plain = [Way(sides, sides, name, is_cut) for *_, name, is_cut in found]
        if max(size) > self.sizes[1] * max(sides):
            return plain
        if min(size) > _LARGE * max(sides):
            found.insert(0, plain[0])
        if size == sides:
            between = self._sizes_between(*sides)
            found += [Way(size, sides, name, True) for sides in between for name in kernels]
        return found

    def _validate_params(self):
        super()._validate_params()
        if len(self.sizes) != 2 or not 0 < self.sizes[0] <= self.sizes[1]:
            raise ValueError(
                "sizes must be the smallest and the largest multiple of the generator's size, "
                f"both positive, got {self.sizes!r}."
            )

    def _framed(self, image, box):
        """Gray levels of an image, cut and resized, or resized back and forth, and toned."""
        rng, sides = self._rng(image), np.array(image.shape[1:])
        longest, kernel = rng.uniform(*self.sizes), list(_KERNELS)[rng.integers(len(_KERNELS))]
        if not box.any():
            return self._toned(self._resized(image, rng), rng)
        middles, lengths = 0.5 + box[0::2], 1 + box[1::2]
        begins = np.rint((middles - lengths / 2) * sides).astype(int)
        lengths = np.rint(lengths * sides).astype(int)
        ends = begins + lengths
        image = image[:, begins[0] : ends[0], begins[1] : ends[1]]
        scale = longest * sides.max() / lengths.max()
        size = np.rint(scale * lengths).astype(int).clip(1).tolist()
        planes = [Image.fromarray(plane.astype(np.float32)) for plane in image]
        resized = [np.asarray(plane.resize(size[::-1], _KERNELS[kernel])) for plane in planes]
        return self._toned(np.stack(resized).astype(float), rng)
