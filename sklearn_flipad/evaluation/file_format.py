"""The format of each suspect's own file, as a step of processing."""

import io
from functools import cache
from numbers import Integral, Real

import numpy as np
from PIL import Image
from sklearn.utils._param_validation import Interval

from sklearn_flipad.base.file_images import FileImage
from sklearn_flipad.evaluation._bases import ImagePerturbation, rng_of
from sklearn_flipad.evaluation._earlier_jpeg import earlier_quality
from sklearn_flipad.evaluation.perturbations import JPEGCompression

__all__ = ["FileFormat"]

_BEST = 100
#: Mean step of the tables of an earlier compression, as a part of that of the last, at least: what
#: is nearer to the last cannot be told from it.
_STRONGER = 1.25


@cache
def _luma_table(quality):
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "JPEG", quality=quality)
    with Image.open(file) as image:
        return image.quantization[0]


class FileFormat(ImagePerturbation):
    """The file format of each image, which its file tells: JPEG with its tables, WebP, or no loss.

    As the last step of ``processing=`` it compresses the reconstruction of a suspect as the
    suspect's own file is compressed. After :class:`UnknownProcessing` or :class:`UnknownGeometry`,
    distances are multiples of the error that this makes, so that files of all formats and qualities
    are judged by one threshold. Suspects come as the images that
    :class:`~sklearn_flipad.scoring.ImageDecoder` returns, in a list; arrays do not say how their
    files are compressed, and are refused; so are files that are compressed more strongly than JPEG
    of the smallest of `qualities`, since the error of a file that is bad enough hides everything,
    and files with a palette or fewer than 8 bits, of which nothing tells what was lost.

    As a transformer it draws a format for each image: JPEG of a quality of `qualities`, or none,
    and returns a list of images that know it. Own samples that calibrate are made so.

    Parameters
    ----------
    qualities : pair of int, default=(60, 95)
        Smallest and largest JPEG quality that is drawn, 1 to 100. In a search, suspects are refused
        whose luma table has a larger mean than that of the smallest, or whose WebP
        quality is lower.
    lossless : float, default=0.25
        Share of the images that are not compressed, in [0, 1].
    random_state : int, default=0
        Seed. The draw of an image depends on its pixels and on the seed alone.
    output_range : pair of float, default=(-1, 1)
        Values of float images that stand for the gray levels 0 and 255.

    See Also
    --------
    sklearn_flipad.evaluation.perturbations.JPEGCompression : One format for all images.
    sklearn_flipad.reproduction.SeedSearch : Compares what a model makes in the format of each file.

    Notes
    -----
    A WebP file does not tell its quality. It is taken to be that at which the decoded image takes
    as many bytes again, which is near it from 75 on, and too high for small ones: distances are
    somewhat too large there, and a search for seeds refuses such files. JPEG files are taken to be
    written by libjpeg, as Pillow does; other encoders may round otherwise.

    A file tells its last compression alone. Of an image that was compressed more strongly before,
    the error is larger than what its file tells, and own samples are called foreign;
    :meth:`earlier_quality` looks for it, and a search warns of what it sees.

    References
    ----------
    Farid, "Exposing digital forgeries from JPEG ghosts", IEEE Transactions on Information Forensics
    and Security 4, 2009.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_flipad.evaluation import FileFormat
    >>> X = np.random.default_rng(0).integers(0, 256, (3, 1, 16, 16), dtype=np.uint8)
    >>> images = FileFormat(qualities=(80, 80)).fit_transform(X)
    >>> [image.compression for image in images]
    [JPEGCompression(quality=80), JPEGCompression(quality=80), JPEGCompression(quality=80)]
    """

    is_file_format = True

    _parameter_constraints: dict = {
        **ImagePerturbation._parameter_constraints,
        "qualities": [tuple, list],
        "lossless": [Interval(Real, 0, 1, closed="both")],
        "random_state": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self, *, qualities=(60, 95), lossless=0.25, random_state=0, output_range=(-1.0, 1.0)
    ):
        self.qualities = qualities
        self.lossless = lossless
        self.random_state = random_state
        self.output_range = output_range

    def transform(self, X):
        """Compress each image in a format of its own.

        Parameters
        ----------
        X : array-like, shape (n, channels, height, width), or list of array-like
            Images of 1 or 3 channels: uint8 gray levels, or floats in `output_range`.

        Returns
        -------
        list of ndarray, shape (channels, height, width)
            Images of the same type as X, whose attribute ``compression`` is the perturbation that
            was drawn, None for those that are not compressed.

        Raises
        ------
        ValueError
            If X is empty, not finite, out of range or has another shape.
        """
        self._validate_params()
        return [self._drawn(self._checked(np.asarray(x)[None], reset=True)) for x in X]

    def alike(self, images, suspects):
        """Compress images as the files of suspects are.

        Parameters
        ----------
        images : sequence of ndarray of uint8, shape (channels, height, width)
            Gray levels.
        suspects : sequence of ndarray
            Images that know their files, one for each of the former.

        Returns
        -------
        list of ndarray of uint8, shape (channels, height, width)
        """
        return [
            image
            if suspect.compression is None
            else suspect.compression.fit_transform(image[None])[0]
            for image, suspect in zip(images, suspects, strict=True)
        ]

    def covers(self, suspect):
        """Return whether a suspect's file is compressed no more strongly than `qualities`.

        Parameters
        ----------
        suspect : ndarray, shape (channels, height, width)
            An image that knows its file.

        Returns
        -------
        bool
        """
        compression, least = suspect.compression, self.qualities[0]
        if compression is None:
            return True
        if getattr(compression, "tables", None) is None:
            return compression.quality >= least
        return np.mean(compression.tables[0]) <= np.mean(_luma_table(least))

    def earlier_quality(self, suspect):
        """Return the JPEG quality by which a suspect was compressed before its file was saved.

        Parameters
        ----------
        suspect : ndarray of uint8, shape (channels, height, width)
            An image that knows its file.

        Returns
        -------
        int or None
            None if no compression is seen that was stronger than the file's own. It is seen only
            if the image was neither cropped nor resized in between.
        """
        compression, largest = suspect.compression, _BEST
        if compression is not None:
            tables = getattr(compression, "tables", None)
            last = _luma_table(compression.quality) if tables is None else tables[0]
            weaker = (
                quality
                for quality in range(1, _BEST + 1)
                if np.mean(_luma_table(quality)) < _STRONGER * np.mean(last)
            )
            largest = min(weaker, default=_BEST + 1) - 1
        return earlier_quality(np.asarray(suspect), largest)

    def _drawn(self, X):
        rng = rng_of(self._values(X)[0].round(3) + 0.0, self.random_state)
        if rng.uniform() < self.lossless:
            return FileImage(X[0])
        quality = int(rng.integers(*self.qualities, endpoint=True))
        compression = JPEGCompression(quality, output_range=self.output_range)
        return FileImage(compression.fit_transform(X)[0], compression)

    def _validate_params(self):
        super()._validate_params()
        low, high = (*self.qualities, None, None)[:2]
        whole = all(isinstance(quality, Integral) for quality in (low, high))
        if len(self.qualities) != 2 or not whole or not 1 <= low <= high <= _BEST:
            raise ValueError(
                "qualities must be the smallest and the largest JPEG quality, whole numbers from 1 "
                f"to {_BEST}, got {self.qualities!r}."
            )
