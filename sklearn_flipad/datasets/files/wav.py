"""Samples of one WAV file, by scipy."""

import io
import struct
import warnings

import numpy as np
from scipy.io import wavfile

from sklearn_flipad.datasets.files.loading import check_count

__all__ = ["check_wav_options", "decode_wav", "max_wav_size"]

_ORDERS = {b"RIFF": "<", b"RIFX": ">"}
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
#: Valid bits per sample, of integers and of floats.
_BITS = {False: (8, 16, 24, 32), True: (32, 64)}


def check_wav_options(rate, length):
    """Raise ValueError if a rate or a length is out of range."""
    check_count("rate", rate, "samples", optional=False)
    check_count("length", length, "samples")


def max_wav_size(length):
    """Bytes of the largest file that is read, with room for metadata."""
    return 2**30 if length is None else 64 * length + 2**24


def decode_wav(data, *, rate, length=None):
    """Samples of a WAV file's content, float32 of shape (n_channels, length), and what the file is.

    The message of a ValueError is the reason alone.
    """
    is_float, n_channels, found_rate, bits = _header(data)
    channels = {1: "mono", 2: "stereo"}.get(n_channels, f"{n_channels} channels")
    kind = f"{bits}-bit{' float' if is_float else ''}"
    if found_rate != rate:
        raise ValueError(f"{found_rate} samples a second, not {rate}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", wavfile.WavFileWarning)  # chunks of metadata
        _, values = wavfile.read(io.BytesIO(data))
    samples = _scaled(np.asarray(values)).reshape(len(values), -1).T
    if length is not None and samples.shape[1] != length:
        raise ValueError(f"{samples.shape[1]} samples long, not {length}")
    return np.ascontiguousarray(samples), (f"WAV {found_rate} Hz {kind} {channels}",)


def _header(data):
    """Whether samples are floats, channels, rate and bits, of a file that is complete."""
    order = _ORDERS.get(data[:4])
    if not data:
        raise ValueError("an empty file")
    if order is None or data[8:12] != b"WAVE":
        raise ValueError("not a WAV file")
    found, at = None, 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], struct.unpack_from(f"{order}I", data, at + 4)[0]
        if at + 8 + size > len(data):
            raise ValueError(f"truncated: {name!r:.20} announces {size} bytes")
        if name == b"fmt ":
            found = _format(data[at + 8 : at + 8 + size], order)
        elif name == b"data":
            if found is None:
                raise ValueError("damaged: samples before their format")
            if not size:
                raise ValueError("no samples")
            _, n_channels, _, bits = found
            if size % (n_channels * bits // 8):
                raise ValueError("damaged: its last sample is not complete")
            return found
        at += 8 + size + size % 2
    raise ValueError("damaged: no samples")


def _format(chunk, order):
    if len(chunk) < 16:
        raise ValueError("damaged: its format is not complete")
    tag, n_channels, rate, _, n_bytes, bits = struct.unpack_from(f"{order}HHIIHH", chunk)
    if tag == _EXTENSIBLE and len(chunk) >= 26:
        (tag,) = struct.unpack_from(f"{order}H", chunk, 24)
    if tag not in (_PCM, _FLOAT):
        raise ValueError(f"a WAV file of format {tag}, neither integers (1) nor floats (3)")
    is_float = tag == _FLOAT
    if bits not in _BITS[is_float] or not n_channels:
        raise ValueError(f"{n_channels} channels of {bits} bits")
    if n_bytes != n_channels * bits // 8:
        raise ValueError(f"damaged: {n_channels} channels of {bits} bits in {n_bytes} bytes")
    return is_float, n_channels, rate, bits


def _scaled(values):
    """Floats as they are, integers divided by their largest magnitude.

    Samples of 24 bits are the high bits of 32.
    """
    if values.dtype.kind == "f":
        return values.astype(np.float32)
    if values.dtype == np.uint8:
        return (values.astype(np.float32) - 128) / 128
    return (values / 2.0 ** (8 * values.dtype.itemsize - 1)).astype(np.float32)
