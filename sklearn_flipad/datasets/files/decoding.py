"""Pixels of one image file, by Pillow, with nothing of Pillow's global state."""

import hashlib
import io
import struct
from functools import cache

import numpy as np
from PIL import Image, ImageOps
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from sklearn_flipad.base.file_images import FileImage
from sklearn_flipad.datasets.files.compressions import compression_of, repeats
from sklearn_flipad.datasets.files.containers import (
    lossy_webp_size,
    separate_jpeg,
    separate_png,
)
from sklearn_flipad.datasets.files.facts import has_few_colors
from sklearn_flipad.datasets.files.loading import check_count
from sklearn_flipad.storage.files import file_kind, read_regular

__all__ = [
    "check_image_options",
    "decode_image",
    "max_file_size",
    "read_image",
    "read_orientation",
]

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


def check_image_options(size, mode, max_pixels):
    """Raise ValueError if an option of decoding is out of range."""
    if mode not in ("RGB", "L"):
        raise ValueError(f"mode must be 'RGB' or 'L', got {mode!r}.")
    check_count("size", size, "pixels")
    check_count("max_pixels", max_pixels, "pixels", optional=False)


def read_image(path, *, size, mode, max_pixels):
    """Gray levels and steps of the image in a file, as :func:`decode_image` returns them."""
    if file_kind(path) == "folder":
        raise ValueError("a folder or a link to one, which is read only when given alone")
    data = read_regular(path, max_file_size(max_pixels))
    return decode_image(data, size=size, mode=mode, max_pixels=max_pixels)


def max_file_size(max_pixels):
    """Bytes of the largest file that may hold an image of so many pixels."""
    return 8 * max_pixels + 2**26


def decode_image(data, *, size, mode, max_pixels):
    """Pixels of an image file's content, shape (channels, height, width), and the steps to them.

    The message of a ValueError is the reason alone; damaged files raise whatever Pillow raises.
    """
    image, data, exif = _opened(data)
    width, height = image.size
    if width * height > max_pixels:
        raise ValueError(f"{width}x{height} pixels, more than max_pixels={max_pixels}")
    compression, is_repeatable = compression_of(image, data), repeats(image, data)
    image, steps = _flattened(image, data)
    orientation = read_orientation(exif)
    is_repeatable &= compression is None or orientation == 1
    if orientation != 1:
        image = image.transpose(_TRANSPOSE[orientation])
        steps.append(f"EXIF orientation {orientation} applied")
    if mode == "L" and image.mode in ("RGB", "RGBA") and _is_gray(image):
        steps.append("equal channels taken as one")
    elif image.mode != mode and (image.mode, mode) != ("RGBA", "RGB"):  # it is opaque by now
        is_repeatable &= compression is None
        steps.append(f"{image.mode} converted to {mode}")
    image = image.convert(mode)
    is_resized = size is not None and image.size != (size, size)
    if is_resized:
        width, height = image.size
        steps.append(f"{width}x{height} resized and cropped to {size}x{size}")
        image = ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)
    pixels = np.asarray(image)
    pixels = pixels[None] if mode == "L" else np.ascontiguousarray(np.moveaxis(pixels, 2, 0))
    # Of a resized image, or of few colors, nothing says what another would look like in that file.
    is_known = not is_resized and not has_few_colors(steps[0].split()[2])
    if is_known:
        pixels = FileImage(pixels, compression, is_repeatable)
    return pixels, tuple(steps)


def read_orientation(exif):
    """Orientation that an EXIF block names, 1 to 8; 1, upright, where there is no valid one.

    Pillow would read all entries, warn of odd ones, and stop at the first that leads nowhere.
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


def _opened(data):
    """The image, not yet decoded, what Pillow is given of its file, and its EXIF block."""
    # By the plugin rather than by ``Image.open``, which warns and refuses by a global limit.
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        data, exif = separate_png(data)
        return PngImageFile(io.BytesIO(data)), data, exif
    if data.startswith(b"\xff\xd8\xff"):
        data, exif = separate_jpeg(data)
        return JpegImageFile(io.BytesIO(data)), data, exif
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        try:
            image = WebPImageFile(io.BytesIO(data))
        except OSError as error:
            raise ValueError("truncated or damaged") from error
        if image.n_frames > 1:
            raise ValueError(f"an animation of {image.n_frames} frames")
        return image, data, image.info.get("exif", b"")
    empty = "" if data else "an empty file, "
    raise ValueError(f"{empty}not a PNG, JPEG or WebP file")


def _flattened(image, data):
    """The opened image in 8 bits and without transparency, and what was done for that."""
    width, height = image.size
    if image.format != "PNG":
        image.load()
        if image.format == "JPEG":
            kind = _jpeg_tables(image)
        else:
            kind = "lossless" if lossy_webp_size(data) is None else "lossy"
        return _on_white(image, [f"{image.format} {width}x{height} {image.mode} {kind}"])
    if not image.tile:
        raise ValueError("damaged: no pixels")
    raw_mode = image.tile[0][3]
    image.load()
    steps = [f"PNG {width}x{height} {raw_mode}"]
    key = None if image.mode == "P" else image.info.get("transparency")
    if raw_mode in _RAW_MODES:
        samples = _deep_samples(data, _RAW_MODES[raw_mode])
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


def _deep_samples(data, raw_modes):
    """All 16 bits of a PNG's samples, shape (height, width, channels)."""
    parts = []
    for raw_mode in raw_modes:
        image = PngImageFile(io.BytesIO(data))
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
    image = image.convert("RGBA")
    if image.getchannel("A").getextrema()[0] == 255:
        return image, steps
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image), [*steps, "laid on white"]


def _is_gray(image):
    """Return whether the channels of an image in color are equal."""
    red, green, blue = image.split()[:3]
    return red == green == blue


def _jpeg_tables(image):
    """The quality of Pillow's and libjpeg's tables, or a digest of others, and the subsampling."""
    tables = tuple(tuple(table) for _, table in sorted(image.quantization.items()))
    quality = _qualities().get(tables[0] if image.mode == "L" else tables[:2])
    kind = f"of quality {quality}"
    if quality is None:
        kind = f"of tables {hashlib.sha256(repr(tables).encode()).hexdigest()[:8]}"
    if len(image.layer) == 1:
        return kind
    factors = [tuple(component[1:3]) for component in image.layer]
    names = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0"}
    alike = set(factors[1:3]) == {(1, 1)}
    return f"{kind} {names.get(factors[0] if alike else None, '{}x{}'.format(*factors[0]))}"


@cache
def _qualities():
    """Qualities of libjpeg by its tables of gray images, and of images in color."""
    found = {}
    for mode in ("L", "RGB"):
        for quality in range(1, 101):
            file = io.BytesIO()
            Image.new(mode, (8, 8)).save(file, "JPEG", quality=quality)
            quantization = JpegImageFile(io.BytesIO(file.getvalue())).quantization
            tables = tuple(tuple(table) for _, table in sorted(quantization.items()))
            found[tables[0] if mode == "L" else tables] = quality
    return found
