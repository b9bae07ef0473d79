"""Decoders: the content of a file as one sample."""

from dataclasses import dataclass

from sklearn_flipad.datasets.files.decoding import (
    check_image_options,
    decode_image,
    max_file_size,
)
from sklearn_flipad.datasets.files.wav import check_wav_options, decode_wav, max_wav_size

__all__ = ["ImageDecoder", "WavDecoder"]


@dataclass(frozen=True)
class ImageDecoder:
    """Decode PNG, JPEG and WebP files, as :func:`~sklearn_flipad.datasets.load_images` does.

    A decoder is called with the content of a file. It returns the sample and the steps to it, a
    sequence of str that begins with the format of the file, or raises an exception whose message is
    the reason. A decoder for other files is any such callable that can be pickled. Its attribute
    ``max_bytes``, if it has one, is the size of the largest file that is read.

    Parameters
    ----------
    size : int, default=None
        The shorter side is resized to this many pixels and the middle square is cut out. By
        default images stay as they are.
    mode : {"RGB", "L"}, default="RGB"
        Color or gray.
    max_pixels : int, default=2**26
        Larger images are refused before they are decoded.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> from sklearn_flipad.scoring import ImageDecoder
    >>> file = io.BytesIO()
    >>> Image.new("L", (6, 4)).save(file, "PNG")
    >>> image, steps = ImageDecoder(size=4)(file.getvalue())
    >>> image.shape
    (3, 4, 4)
    >>> steps
    ('PNG 6x4 L', 'L converted to RGB', '6x4 resized and cropped to 4x4')
    """

    size: int | None = None
    mode: str = "RGB"
    max_pixels: int = 2**26

    def __post_init__(self):
        check_image_options(self.size, self.mode, self.max_pixels)

    @property
    def max_bytes(self):
        """Size of the largest file that is read."""
        return max_file_size(self.max_pixels)

    def __call__(self, data):
        """Image, uint8 of shape (channels, height, width), and the steps from a file's content.

        If it was not resized, and the file has no palette and all gray levels, the array's
        attribute ``compression`` is a perturbation that compresses other images as the file does,
        None without loss.
        """
        return decode_image(data, size=self.size, mode=self.mode, max_pixels=self.max_pixels)


@dataclass(frozen=True)
class WavDecoder:
    """Decode WAV files, as :func:`~sklearn_flipad.datasets.load_audio` does.

    Parameters
    ----------
    rate : int
        Samples per second. Files of another rate are refused.
    length : int, default=None
        Samples per channel. Files of another length are refused; by default, all lengths are taken.
    n_channels : int, default=None
        Channels. Files with another number are refused; by default, all numbers are taken.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Examples
    --------
    >>> import io
    >>> import numpy as np
    >>> from scipy.io import wavfile
    >>> from sklearn_flipad.scoring import WavDecoder
    >>> file = io.BytesIO()
    >>> wavfile.write(file, 16000, np.array([[0, 16384], [-32768, 0]], np.int16))
    >>> WavDecoder(rate=16000)(file.getvalue())
    (array([[ 0. , -1. ],
           [ 0.5,  0. ]], dtype=float32), ('WAV 16000 Hz 16-bit stereo',))
    """

    rate: int
    length: int | None = None
    n_channels: int | None = None

    def __post_init__(self):
        check_wav_options(self.rate, self.length, self.n_channels)

    @property
    def max_bytes(self):
        """Size of the largest file that is read."""
        return max_wav_size(None if self.length is None else self.length * (self.n_channels or 1))

    def __call__(self, data):
        """Signal, float32 of shape (n_channels, length), and the steps from a file's content."""
        return decode_wav(data, rate=self.rate, length=self.length, n_channels=self.n_channels)
