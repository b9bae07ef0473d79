"""What decides the pixels of a PNG, JPEG or WebP file, without its metadata.

Files in the wild carry metadata that is odd, damaged or hostile, and a decoder that reads
it may refuse an image whose pixels are sound. Here the structure of a file is checked, and
the decoder is then given what decides the pixels.
"""

import re
import struct
import zlib
from typing import NamedTuple

__all__ = ["Encoded", "separate"]

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_PIXEL_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}

#: A marker; entropy-coded data holds 0xFF only before 0x00 and within restart markers.
_JPEG_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_SOI, _EOI, _SOS, _APP1, _COM = 0xD8, 0xD9, 0xDA, 0xE1, 0xFE
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
#: Between two scans: tables, the number of lines, application data and comments.
_BETWEEN_SCANS = {0xC4, 0xCC, _SOS, 0xDB, 0xDC, 0xDD, _COM, *range(0xE0, 0xF0)}
#: Application segments that decide the colors (JFIF, Adobe), from this length on.
_JPEG_COLOR_SEGMENTS = {0xE0: 14, 0xEE: 12}
#: Each scan of a progressive JPEG takes time for the whole image, however short it is.
_MAX_SCANS = 100


class Encoded(NamedTuple):
    """An encoded image.

    Attributes
    ----------
    format : {"PNG", "JPEG", "WEBP"}
        The format.
    size : tuple of int
        Width and height, as the header states them.
    data : bytes
        What the decoder needs.
    exif : bytes
        The EXIF block, unparsed; empty where there is none.
    """

    format: str
    size: tuple
    data: bytes
    exif: bytes


def separate(data):
    """Separate pixels and EXIF of an image file, which is recognized by its content.

    Parameters
    ----------
    data : bytes
        The file.

    Returns
    -------
    Encoded

    Raises
    ------
    ValueError
        If the file is of another format, truncated, damaged or an animation.
    """
    if data.startswith(_PNG_SIGNATURE):
        return _separate_png(data)
    if data.startswith(b"\xff\xd8\xff"):
        return _separate_jpeg(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _separate_webp(data)
    empty = "" if data else "an empty file, "
    raise ValueError(f"{empty}not a PNG, JPEG or WebP file")


def _separate_png(data):
    kept, exif, n_frames, animated = [_PNG_SIGNATURE], b"", 0, False
    position, kind = len(_PNG_SIGNATURE), None
    while kind != b"IEND":
        length, kind = _unpack(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            raise ValueError(f"truncated in chunk {kind!r}")
        (checksum,) = struct.unpack_from(">I", data, end - 4)
        is_whole = zlib.crc32(memoryview(data)[position + 4 : end - 4]) == checksum
        # Metadata that is damaged is no reason to refuse pixels that are not.
        if not is_whole and (kind[:1].isupper() or kind in _PNG_PIXEL_CHUNKS):
            raise ValueError(f"damaged: the checksum of chunk {kind!r} is wrong")
        if kind in _PNG_PIXEL_CHUNKS:
            kept.append(data[position:end])
        elif kind == b"eXIf" and is_whole:
            exif = data[position + 8 : end - 4]
        elif kind[:1].isupper():
            raise ValueError(f"an unknown chunk {kind!r} that decides the pixels")
        n_frames += kind == b"fcTL"
        animated |= kind == b"fdAT"
        position = end
    if animated:
        raise ValueError(f"an animation of {n_frames} frames")
    if kept[1][4:8] != b"IHDR" or len(kept[1]) != 25:
        raise ValueError("damaged: no header chunk")
    return Encoded("PNG", struct.unpack_from(">II", kept[1], 8), b"".join(kept), exif)


def _separate_jpeg(data):
    kept, exif, size, n_scans = [], [], None, 0
    start = position = 0
    while True:
        match = _JPEG_MARKER.search(data, position)
        if match is None:
            raise ValueError("truncated: no end-of-image marker")
        marker, position = data[match.start() + 1], match.end()
        if marker == _EOI:
            break
        if n_scans and marker not in _BETWEEN_SCANS:
            raise ValueError(f"damaged: marker 0xFF{marker:02X} among the pixels")
        if marker in (0x01, _SOI):
            continue
        (length,) = _unpack(">H", data, position)
        segment = data[position + 2 : position + length]
        position += length
        if length < 2 or position > len(data):
            raise ValueError(f"truncated or damaged in segment 0xFF{marker:02X}")
        if marker in _FRAMES:
            height, width = _unpack(">xHH", segment, 0)
            size = width, height
        n_scans += marker == _SOS
        if marker == _APP1 and segment.startswith(b"Exif\0\0"):
            exif.append(segment[6:])
        if _is_jpeg_metadata(marker, len(segment)):
            kept.append(data[start : match.start()])
            start = position
    if size is None:
        raise ValueError("damaged: no frame header")
    if n_scans > _MAX_SCANS:
        raise ValueError(f"{n_scans} scans, more than {_MAX_SCANS}")
    # What follows belongs to other images, as in an MPO file.
    kept.append(data[start:position])
    return Encoded("JPEG", size, b"".join(kept), b"".join(exif))


def _is_jpeg_metadata(marker, length):
    if marker in _JPEG_COLOR_SEGMENTS:
        return length < _JPEG_COLOR_SEGMENTS[marker]
    return marker == _COM or 0xE0 <= marker <= 0xEF


def _separate_webp(data):
    (length,) = struct.unpack_from("<I", data, 4)
    if 8 + length > len(data):
        raise ValueError("truncated: shorter than its header states")
    exif, position = b"", 12
    while position + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, position)
        if kind == b"EXIF":
            exif = data[position + 8 : position + 8 + length]
            break
        position += 8 + length + length % 2
    return Encoded("WEBP", _webp_size(data), data, exif)


def _webp_size(data):
    kind = data[12:16]
    if kind == b"VP8X":
        (width, height) = (data[k : k + 3] + b"\0" for k in (24, 27))
        return _unpack("<I", width, 0)[0] + 1, _unpack("<I", height, 0)[0] + 1
    if kind == b"VP8L":
        (bits,) = _unpack("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = _unpack("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise ValueError(f"damaged: a WebP file cannot begin with chunk {kind!r}")


def _unpack(layout, data, position):
    try:
        return struct.unpack_from(layout, data, position)
    except struct.error:
        raise ValueError("truncated in its header") from None
