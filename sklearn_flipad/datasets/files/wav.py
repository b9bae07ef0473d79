"""Samples of one WAV file."""

import struct
from typing import NamedTuple

import numpy as np

from sklearn_flipad.datasets.files.loading import check_count

__all__ = ["check_wav_options", "decode_wav", "max_wav_size"]

_ORDERS = {b"RIFF": "<", b"RIFX": ">", b"RF64": "<", b"BW64": "<"}
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
#: Valid bits per sample, of integers and of floats.
_BITS = {False: (8, 16, 24, 32), True: (32, 64)}
#: Sizes that writers to a pipe announce, since they cannot go back to the header: of many
#: programs, SoX and ffmpeg. RF64 has the last one too, and its size elsewhere.
_ANY_SIZE = (0, 0x7FFFF000, 0xFFFFFFFF)
#: Other formats, by how files begin.
_OTHERS = {
    b"fLaC": "FLAC",
    b"OggS": "OGG",
    b"ID3": "MP3",
    b"\xff\xfb": "MP3",
    b"FORM": "AIFF",
    b"caff": "CAF",
    b"riff": "Wave64",
    b".snd": "AU",
}
_CODECS = {2: "ADPCM", 6: "A-law", 7: "mu-law", 17: "ADPCM", 49: "GSM", 85: "MP3"}


class _Header(NamedTuple):
    order: str
    is_float: bool
    n_channels: int
    rate: int
    bits: int


def check_wav_options(rate, length, n_channels=None):
    """Raise ValueError if a rate, a length or a number of channels is out of range."""
    check_count("rate", rate, "samples", optional=False)
    check_count("length", length, "samples")
    check_count("n_channels", n_channels, "channels")


def max_wav_size(length):
    """Bytes of the largest file that is read, with room for metadata."""
    return 2**30 if length is None else 64 * length + 2**24


def decode_wav(data, *, rate, length=None, n_channels=None):
    """Samples of a WAV file's content, float32 of shape (n_channels, length), and what the file is.

    The message of a ValueError is the reason alone.
    """
    header, samples, is_stream = _parts(data)
    channels = _shown_channels(header.n_channels)
    kind = f"{header.bits}-bit{' float' if header.is_float else ''}"
    if header.rate != rate:
        raise ValueError(
            f"{header.rate} samples a second, not {rate}: resample it, if it was resampled since "
            "the generator made it"
        )
    if n_channels is not None and header.n_channels != n_channels:
        raise ValueError(
            f"{channels}, not {_shown_channels(n_channels)}: save the channels as files of their "
            "own, or one of them if they are equal"
        )
    samples = _scaled(samples, header).reshape(-1, header.n_channels).T
    if length is not None and samples.shape[1] != length:
        raise ValueError(
            f"{samples.shape[1]} samples long, not {length}: cut it to that length, or use an "
            "attributor with windows"
        )
    steps = (f"WAV {header.rate} Hz {kind} {channels}",)
    steps += ("length from the end of the file",) if is_stream else ()
    return np.ascontiguousarray(samples), steps


def _shown_channels(n_channels):
    return {1: "mono", 2: "stereo"}.get(n_channels, f"{n_channels} channels")


def _parts(data):
    """Header of a complete file, the bytes of its samples, and whether it announces no length."""
    if not data:
        raise ValueError("an empty file")
    order = _ORDERS.get(data[:4])
    if order is None or data[8:12] != b"WAVE":
        found = [name for start, name in _OTHERS.items() if data.startswith(start)]
        known = f", but {found[0]}: convert it to WAV" if found else ""
        raise ValueError(f"not a WAV file{known}")
    found, long_size, at = None, None, 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], struct.unpack_from(f"{order}I", data, at + 4)[0]
        is_stream = False
        if name == b"data":
            if size == 0xFFFFFFFF and long_size is not None:
                size = long_size
            elif size in _ANY_SIZE and not (size == 0 and _are_chunks(data, at + 8, order)):
                is_stream, size = True, len(data) - at - 8
        if at + 8 + size > len(data):
            raise ValueError(
                f"truncated: {name!r:.20} announces {size} bytes, more than there are: get the "
                "whole file"
            )
        chunk = data[at + 8 : at + 8 + size]
        if name == b"ds64" and size >= 16:
            (long_size,) = struct.unpack_from("<Q", chunk, 8)
        elif name == b"fmt ":
            found = _format(chunk, order)
        elif name == b"data":
            if found is None:
                raise ValueError("damaged: samples before their format")
            if not size:
                raise ValueError("no samples")
            if size % (found.n_channels * found.bits // 8):
                raise ValueError("damaged: its last sample is not complete")
            return found, chunk, is_stream
        at += 8 + size + size % 2
    raise ValueError("damaged: no samples")


def _are_chunks(data, at, order):
    """Whether what follows are whole chunks, or nothing: then a size of 0 means no samples."""
    while at + 8 <= len(data):
        size = struct.unpack_from(f"{order}I", data, at + 4)[0]
        if not data[at : at + 4].isascii() or not data[at : at + 4].decode().isprintable():
            return False
        at += 8 + size + size % 2
    return at in (len(data), len(data) + 1)


def _format(chunk, order):
    if len(chunk) < 16:
        raise ValueError("damaged: its format is not complete")
    tag, n_channels, rate, _, n_bytes, bits = struct.unpack_from(f"{order}HHIIHH", chunk)
    if tag == _EXTENSIBLE and len(chunk) >= 26:
        (tag,) = struct.unpack_from(f"{order}H", chunk, 24)
    if tag not in (_PCM, _FLOAT):
        codec = f": {_CODECS[tag]}, convert it to 16 bits" if tag in _CODECS else ""
        raise ValueError(f"a WAV file of format {tag}, neither integers (1) nor floats (3){codec}")
    is_float = tag == _FLOAT
    if bits not in _BITS[is_float] or not n_channels:
        raise ValueError(f"{n_channels} channels of {bits} bits")
    if n_bytes != n_channels * bits // 8:
        raise ValueError(f"damaged: {n_channels} channels of {bits} bits in {n_bytes} bytes")
    return _Header(order, is_float, n_channels, rate, bits)


def _scaled(data, header):
    """Floats as they are, integers divided by their largest magnitude, shape (n,)."""
    order, n_bytes = header.order, header.bits // 8
    if header.is_float:
        with np.errstate(over="ignore"):
            return np.frombuffer(data, f"{order}f{n_bytes}").astype(np.float32)
    if n_bytes == 1:
        return (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / 128
    if n_bytes == 3:  # the high bytes of 32 bits
        wide = np.zeros((len(data) // 3, 4), dtype=np.uint8)
        wide[:, slice(1, 4) if order == "<" else slice(0, 3)] = np.frombuffer(
            data, np.uint8
        ).reshape(-1, 3)
        data, n_bytes = wide.tobytes(), 4
    values = np.frombuffer(data, f"{order}i{n_bytes}")
    return (values / 2.0 ** (8 * n_bytes - 1)).astype(np.float32)
