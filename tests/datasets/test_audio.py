"""WAV files: exact values of every format, and a reason for what is refused."""

import io
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile
from sklearn.svm import OneClassSVM

from sklearn_flipad import FNRThresholdCalibrator
from sklearn_flipad.datasets import load_audio, quantize_audio
from sklearn_flipad.scoring import WavDecoder, score_files
from tests.fuzz import damaged

RATE = 8000


def wav(values, rate=RATE):
    file = io.BytesIO()
    wavfile.write(file, rate, values)
    return file.getvalue()


def wav_24(values, rate=RATE, n_channels=1):
    """A file of 24 bits, which scipy does not write."""
    data = b"".join(int(value).to_bytes(3, "little", signed=True) for value in values)
    fmt = struct.pack("<HHIIHH", 1, n_channels, rate, 3 * n_channels * rate, 3 * n_channels, 24)
    body = b"WAVEfmt " + struct.pack("<I", 16) + fmt + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def decoded(data, **options):
    sample, steps = WavDecoder(rate=RATE, **options)(data)
    assert sample.dtype == np.float32
    return sample, steps[0]


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_integers_of_all_sizes(bits):
    top = 2 ** (bits - 1)
    values = np.array([0, 1, -1, top // 2, top - 1, -top])
    if bits == 24:
        data = wav_24(values)
    else:
        data = wav((values + 128).astype(np.uint8) if bits == 8 else values.astype(f"int{bits}"))
    sample, step = decoded(data)
    np.testing.assert_array_equal(sample, (values / top).astype(np.float32)[None])
    assert step == f"WAV 8000 Hz {bits}-bit mono"
    if bits < 32:  # single precision has 24 bits
        np.testing.assert_array_equal(quantize_audio(sample, bits=bits), sample)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floats_and_stereo(dtype):
    values = np.array([[0.25, -1.5], [np.pi, 0]]).astype(dtype)
    sample, step = decoded(wav(values))
    np.testing.assert_array_equal(sample, values.T.astype(np.float32))
    assert step == f"WAV 8000 Hz {dtype[5:]}-bit float stereo"


def test_metadata_is_skipped():
    data = wav(np.arange(4, dtype=np.int16))
    extra = b"LIST" + struct.pack("<I", 5) + b"INFO?\0"
    for where in (12, 36):
        sample, _ = decoded(data[:where] + extra + data[where:] + extra)
        assert sample.tolist() == [[0, 1 / 32768, 2 / 32768, 3 / 32768]]


GOOD = wav(np.arange(20, dtype=np.int16))


@pytest.mark.parametrize(
    ("data", "options", "reason"),
    [
        (b"", {}, "an empty file"),
        (b"fLaC" + GOOD[4:], {}, "not a WAV file, but FLAC: convert it"),
        (GOOD[:-1], {}, "truncated"),
        (GOOD[:30], {}, "truncated"),
        (GOOD[:36], {}, "no samples"),
        (wav(np.zeros(0, np.int16)), {}, "no samples"),
        (GOOD[:20] + b"\x07\0" + GOOD[22:], {}, "format 7, neither integers"),
        (GOOD[:22] + b"\0\0" + GOOD[24:], {}, "0 channels"),
        (GOOD[:34] + b"\x0c\0" + GOOD[36:], {}, "12 bits"),
        (GOOD[:32] + b"\x04\0" + GOOD[34:], {}, "16 bits in 4 bytes"),
        (wav(np.zeros(20, np.int16), 44100), {}, "44100 samples a second, not 8000"),
        (GOOD, {"length": 19}, "20 samples long, not 19"),
        (
            wav(np.zeros((20, 2), np.int16)),
            {"n_channels": 1},
            "stereo, not mono: save the channels",
        ),
        (GOOD[:40] + bytes(4) + b"LIST" + bytes(4), {}, "no samples"),
    ],
)
def test_what_is_refused(data, options, reason):
    with pytest.raises(ValueError, match=reason):
        decoded(data, **options)


@pytest.mark.parametrize("options", [{"rate": 0}, {"rate": 8000.0}, {"rate": 8000, "length": -1}])
def test_options_out_of_range(options):
    with pytest.raises(ValueError, match="positive number of samples"):
        WavDecoder(**options)


def test_quantization():
    x = np.random.default_rng(0).uniform(-1, 1, (3, 1, 50))
    stored = wav(np.rint(x[0, 0] * 32768).clip(-32768, 32767).astype(np.int16))
    np.testing.assert_array_equal(quantize_audio(x)[0], decoded(stored)[0])
    with pytest.raises(ValueError, match=r"bits must be 8, 16, 24 or 32"):
        quantize_audio(x, bits=12)
    with pytest.raises(ValueError, match="outside of"):
        quantize_audio(10 * x)
    with pytest.raises(ValueError, match="'nearest' or 'truncate', got 'floor'"):
        quantize_audio(x, rounding="floor")


def test_truncation_as_vocoders_do_it():
    x = np.random.default_rng(0).uniform(-1, 1, (3, 1, 50))
    stored = wav((x[0, 0] * 32768).astype(np.int16))
    cut = quantize_audio(x, rounding="truncate")
    np.testing.assert_array_equal(cut[0], decoded(stored)[0])
    assert (cut != quantize_audio(x)).mean() > 0.3


def test_headers_of_pipes_and_large_files():
    sample, _ = decoded(GOOD)
    for size in (0, 0x7FFFF000, 0xFFFFFFFF):
        told = struct.pack("<I", size)
        for data in (
            GOOD[:40] + told + GOOD[44:],
            GOOD[:4] + told + GOOD[8:40] + told + GOOD[44:],
        ):
            same, steps = WavDecoder(rate=RATE)(data)
            np.testing.assert_array_equal(same, sample)
            assert steps[1] == "length from the end of the file"
        same, steps = WavDecoder(rate=RATE)(GOOD[:4] + told + GOOD[8:])
        np.testing.assert_array_equal(same, sample)
        assert len(steps) == 1
    sizes = b"ds64" + struct.pack("<IQQQI", 28, len(GOOD) + 28, 40, 20, 0)
    whole = b"RF64" + b"\xff" * 4 + b"WAVE" + sizes + GOOD[12:40] + b"\xff" * 4 + GOOD[44:]
    np.testing.assert_array_equal(decoded(whole + b"LIST" + bytes(4))[0], sample)
    with pytest.raises(
        ValueError, match="truncated: b'data' announces 40 bytes, more than there are: get"
    ):
        decoded(whole[:-2])


def test_big_endian_files_of_24_bits():
    values = [1, -1, 2**23 - 1, -(2**23)]
    body = b"".join(value.to_bytes(3, "big", signed=True) for value in values)
    fmt = struct.pack(">HHIIHH", 1, 1, RATE, 3 * RATE, 3, 24)
    data = b"RIFX" + bytes(4) + b"WAVEfmt " + struct.pack(">I", 16) + fmt
    data += b"data" + struct.pack(">I", len(body)) + body
    np.testing.assert_array_equal(decoded(data)[0][0], np.float32(values) / np.float32(2**23))


def test_loading(tmp_path):
    (tmp_path / "b.wav").write_bytes(GOOD)
    (tmp_path / "a.wav").write_bytes(wav(np.arange(20, 40, dtype=np.int16)))
    found = load_audio(tmp_path, rate=RATE)
    assert found.signals.shape == (2, 1, 20)
    assert found.signals[0, 0, 0] == 20 / 32768
    assert [Path(name).name for name in found.filenames] == ["a.wav", "b.wav"]
    (tmp_path / "c.wav").write_bytes(wav(np.zeros(9, np.int16)))
    with pytest.raises(ValueError, match=r"2 shapes, such as 1x20 .*a.wav.*, 1x9"):
        load_audio(tmp_path, rate=RATE)
    with pytest.raises(ValueError, match=r"c\.wav: 9 samples long, not 20"):
        load_audio(tmp_path, rate=RATE, length=20)
    found = load_audio(tmp_path, rate=RATE, length=20, on_error="skip")
    (reason,) = found.errors.values()
    assert reason.startswith("9 samples long, not 20: cut it to that length")
    with pytest.raises(ValueError, match="3 of 3 files could not be read"):
        load_audio(tmp_path, rate=RATE, length=2, on_error="skip")


def test_scoring_of_good_and_damaged_files(tmp_path):
    rng = np.random.default_rng(0)
    X = quantize_audio(rng.normal(0, 0.1, (60, 1, 30)))
    attributor = FNRThresholdCalibrator(OneClassSVM(), fnr=0.1, random_state=0).fit(X)
    folder = tmp_path / "suspects"
    folder.mkdir()
    for k in range(5):
        (folder / f"{k}.wav").write_bytes(wav((X[k, 0] * 32768).astype(np.int16)))
    data = (folder / "0.wav").read_bytes()
    for k in range(200):
        (folder / f"odd {k}.wav").write_bytes(damaged(data, np.random.default_rng(k)))
    out = tmp_path / "out.jsonl"
    done = score_files(attributor, folder, out, decoder=WavDecoder(rate=RATE, length=30))
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["score"] for row in rows[:5]] == attributor.score_samples(X[:5]).tolist()
    assert all((row["reason"] is None) == (row["status"] == "scored") for row in rows)
    assert done.n_files == 205
    assert 5 <= done.n_scored < 150
    assert done.formats == {"WAV": done.n_scored}
