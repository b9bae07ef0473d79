"""Checks of PNG and JPEG files that Pillow lacks, and removal of metadata that stops it.

Pillow refuses a PNG for a damaged or large comment, and a JPEG for a short application segment,
although the pixels are sound; and it warns of odd EXIF. It does not look at the checksums of a
PNG's pixels, nor for stray markers among those of a JPEG, and takes time for each of a JPEG's
scans. WebP files need no such care.
"""

import re
import struct
import zlib

__all__ = ["lossy_webp_size", "separate_jpeg", "separate_png"]

_N_SIGNATURE = 8
_PNG_PIXEL_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}

#: A marker; entropy-coded data holds 0xFF only before 0x00 and within restart markers.
_JPEG_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_SOI, _EOI, _SOS, _APP1, _COM = 0xD8, 0xD9, 0xDA, 0xE1, 0xFE
#: Between two scans: tables, the number of lines, application data and comments.
_BETWEEN_SCANS = {0xC4, 0xCC, _SOS, 0xDB, 0xDC, 0xDD, _COM, *range(0xE0, 0xF0)}
#: Application segments that decide the colors (JFIF, Adobe), from this length on.
_JPEG_COLOR_SEGMENTS = {0xE0: 14, 0xEE: 12}
#: Each scan of a progressive JPEG takes time for the whole image, however short it is.
_MAX_SCANS = 100


def separate_png(data):
    """The parts of a PNG file that decide its pixels, and its EXIF block, which may be empty."""
    kept, exif, n_frames, animated = [data[:_N_SIGNATURE]], b"", 0, False
    position, kind = _N_SIGNATURE, None
    while kind != b"IEND":
        length, kind = _unpack(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            raise ValueError(f"truncated in chunk {kind!r}")
        (checksum,) = struct.unpack_from(">I", data, end - 4)
        is_whole = zlib.crc32(memoryview(data)[position + 4 : end - 4]) == checksum
        if kind in _PNG_PIXEL_CHUNKS or kind[:1].isupper():
            if not is_whole:
                raise ValueError(f"damaged: the checksum of chunk {kind!r} is wrong")
            if kind not in _PNG_PIXEL_CHUNKS:
                raise ValueError(f"an unknown chunk {kind!r} that decides the pixels")
            kept.append(data[position:end])
        elif kind == b"eXIf" and is_whole:
            exif = data[position + 8 : end - 4]
        n_frames += kind == b"fcTL"
        animated |= kind == b"fdAT"
        position = end
    if animated:
        raise ValueError(f"an animation of {n_frames} frames")
    return b"".join(kept), exif


def separate_jpeg(data):
    """The parts of a JPEG file that decide its pixels, and its EXIF block, which may be empty."""
    kept, exif, n_scans = [], [], 0
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
        n_scans += marker == _SOS
        if marker == _APP1 and segment.startswith(b"Exif\0\0"):
            exif.append(segment[6:])
        if _is_jpeg_metadata(marker, len(segment)):
            kept.append(data[start : match.start()])
            start = position
    if n_scans > _MAX_SCANS:
        raise ValueError(f"{n_scans} scans, more than {_MAX_SCANS}")
    # What follows belongs to other images, as in an MPO file.
    kept.append(data[start:position])
    return b"".join(kept), b"".join(exif)


def _is_jpeg_metadata(marker, length):
    if marker in _JPEG_COLOR_SEGMENTS:
        return length < _JPEG_COLOR_SEGMENTS[marker]
    return marker == _COM or 0xE0 <= marker <= 0xEF


def _unpack(layout, data, position):
    try:
        return struct.unpack_from(layout, data, position)
    except struct.error:
        raise ValueError("truncated in its header") from None


def lossy_webp_size(data):
    """Bytes of the pixels of a lossy WebP file; None if it is lossless."""
    position, size = 12, 0
    while position + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, position)
        if kind == b"VP8L":
            return None
        size += length if kind == b"VP8 " else 0
        position += 8 + length + length % 2
    return size
