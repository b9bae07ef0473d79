"""Pixels of one image file, by Pillow, with nothing of Pillow's global state."""

import io
import struct
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from sklearn_flipad.datasets.files.containers import separate
from sklearn_flipad.storage.files import file_kind, read_regular

__all__ = ["Decoded", "decode_image", "max_file_size", "read_image", "read_orientation"]

#: By the plugin rather than by ``Image.open``, which warns and refuses by a global limit.
_PLUGINS = {"PNG": PngImageFile, "JPEG": JpegImageFile, "WEBP": WebPImageFile}

#: What undoes each EXIF orientation.
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112
_UNSIGNED = {1: "B", 3: "H", 4: "I"}

#: Pillow keeps the high byte of 16-bit samples. These raw modes give it all of them: both
#: bytes of gray with alpha as four channels, and of colors the high and then the low bytes.
_RAW_MODES = {
    "LA;16B": ("RGBA",),
    "RGB;16B": ("RGB;16B", "RGB;16L"),
    "RGBA;16B": ("RGBA;16B", "RGBA;16L"),
}
#: Pillow scales gray of 2 and 4 bits, but not the level that is transparent.
_KEY_SCALE = {"L;2": 85, "L;4": 17}

#: 16-bit samples as 8 bits: round(v / 257).
_LEVELS = ((np.arange(2**16) + 128) // 257).astype(np.uint8)
_BAND = 2**16


class Decoded(NamedTuple):
    """The pixels of an image file, and what was done to get them.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (channels, height, width)
        The image.
    steps : tuple of str
        The format, size and mode of the file, then each change in its order.
    """

    pixels: np.ndarray
    steps: tuple


def read_image(path, *, size, mode, max_pixels):
    """Read one image file.

    Parameters
    ----------
    path : path-like
        The file; anything but a regular file is refused unopened.
    size, mode, max_pixels
        See :func:`~sklearn_flipad.datasets.load_images`.

    Returns
    -------
    ndarray of uint8, shape (channels, height, width)

    Raises
    ------
    ValueError
        If it is not an image that can be taken; the message is the reason alone.
    Exception
        Whatever Pillow raises on a damaged file.
    """
    if file_kind(path) == "folder":
        raise ValueError("a folder or a link to one, which is read only when given alone")
    data = read_regular(path, max_file_size(max_pixels))
    return decode_image(data, size=size, mode=mode, max_pixels=max_pixels).pixels


def max_file_size(max_pixels):
    """Bytes of the largest file that may hold an image of so many pixels.

    Parameters
    ----------
    max_pixels : int
        See :func:`~sklearn_flipad.datasets.load_images`.

    Returns
    -------
    int
    """
    return 8 * max_pixels + 2**26


def decode_image(data, *, size, mode, max_pixels):
    """Decode the content of one image file.

    Parameters
    ----------
    data : bytes
        All of the file.
    size, mode, max_pixels
        See :func:`~sklearn_flipad.datasets.load_images`.

    Returns
    -------
    Decoded

    Raises
    ------
    ValueError
        If it is not an image that can be taken; the message is the reason alone.
    Exception
        Whatever Pillow raises on a damaged file.
    """
    encoded = separate(data)
    width, height = encoded.size
    if width * height > max_pixels:
        raise ValueError(f"{width}x{height} pixels, more than max_pixels={max_pixels}")
    image, steps = _decode(encoded)
    orientation = read_orientation(encoded.exif)
    if orientation != 1:
        image = image.transpose(_TRANSPOSE[orientation])
        steps.append(f"EXIF orientation {orientation} applied")
    if image.mode != mode and (image.mode, mode) != ("RGBA", "RGB"):  # it is opaque by now
        steps.append(f"{image.mode} converted to {mode}")
    image = image.convert(mode)
    if size is not None and image.size != (size, size):
        width, height = image.size
        steps.append(f"{width}x{height} resized and cropped to {size}x{size}")
        image = ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)
    pixels = np.asarray(image)
    pixels = pixels[None] if mode == "L" else np.ascontiguousarray(np.moveaxis(pixels, 2, 0))
    return Decoded(pixels, tuple(steps))


def read_orientation(exif):
    """Read the orientation from an EXIF block, and nothing else of it.

    Parameters
    ----------
    exif : bytes
        A TIFF structure, possibly behind an ``Exif`` prefix, possibly damaged or empty.

    Returns
    -------
    int
        1 to 8; 1, which is upright, where there is no valid one.

    References
    ----------
    CIPA DC-008, Exif 2.32, sections 4.5.2 and 4.6.4.
    """
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        (offset,) = struct.unpack_from(f"{order}I", exif, 4)
        (n_entries,) = struct.unpack_from(f"{order}H", exif, offset)
        for k in range(n_entries):
            entry = offset + 2 + 12 * k
            tag, kind, count = struct.unpack_from(f"{order}HHI", exif, entry)
            if tag == _ORIENTATION and kind in _UNSIGNED and count == 1:
                (value,) = struct.unpack_from(order + _UNSIGNED[kind], exif, entry + 8)
                return value if value in _TRANSPOSE else 1
    except struct.error:  # the block ends before
        pass
    return 1


def _open(encoded):
    image = _PLUGINS[encoded.format](io.BytesIO(encoded.data))
    if image.size != encoded.size:
        raise ValueError("damaged: its header states two sizes")
    if encoded.format == "WEBP" and image.n_frames > 1:
        raise ValueError(f"an animation of {image.n_frames} frames")
    return image


def _decode(encoded):
    """The image in 8 bits and without transparency, and what was done for that."""
    image = _open(encoded)
    width, height = encoded.size
    if encoded.format != "PNG":
        image.load()
        return _on_white(image, [f"{encoded.format} {width}x{height} {image.mode}"])
    if not image.tile:
        raise ValueError("damaged: no pixels")
    raw_mode = image.tile[0][3]
    image.load()
    steps = [f"PNG {width}x{height} {raw_mode}"]
    key = None if image.mode == "P" else image.info.get("transparency")
    if raw_mode in _RAW_MODES:
        samples = _deep_samples(encoded, _RAW_MODES[raw_mode])
    elif image.mode.startswith("I"):
        samples = np.asarray(image)
    elif key is not None:
        samples = np.asarray(image.convert("L") if image.mode == "1" else image)
        key = np.multiply(key, _KEY_SCALE.get(raw_mode, 1))
    else:
        return _on_white(image, steps)
    levels = samples
    if samples.dtype != np.uint8:
        levels = _to_8_bits(samples)
        steps.append("16 bits rounded to 8")
    if key is not None:
        transparent = samples == np.asarray(key)
        transparent = transparent if transparent.ndim == 2 else transparent.all(axis=2)
        levels = np.where(transparent if levels.ndim == 2 else transparent[..., None], 255, levels)
        steps.append("the transparent color made white")
    return _on_white(Image.fromarray(levels.astype(np.uint8, copy=False)), steps)


def _deep_samples(encoded, raw_modes):
    """All 16 bits of a PNG's samples, channels last."""
    parts = []
    for raw_mode in raw_modes:
        image = _open(encoded)
        codec, box, offset, _ = image.tile[0]
        image.tile = [(codec, box, offset, raw_mode)]
        image.load()
        parts.append(np.asarray(image))
    if len(parts) == 1:
        return parts[0].view(">u2")
    high, low = parts
    samples = high.astype(np.uint16)
    samples <<= 8
    samples |= low
    return samples


def _to_8_bits(samples):
    levels = np.empty(samples.shape, np.uint8)
    flat, flat_levels = samples.reshape(-1), levels.reshape(-1)
    # By bands, since numpy makes 64-bit indices of them.
    for start in range(0, len(flat), _BAND):
        band = slice(start, start + _BAND)
        flat_levels[band] = _LEVELS[flat[band]]
    return levels


def _on_white(image, steps):
    if not image.has_transparency_data:
        return image, steps
    white = Image.new("RGBA", image.size, "white")
    image = Image.alpha_composite(white, image.convert("RGBA"))
    return image, [*steps, "laid on white"]
