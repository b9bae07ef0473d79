"""Every file that is named or found is read or named with a reason; nothing hangs or escapes."""

import io
import os
import resource
import socket
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from sklearn_flipad import FinalLayer
from sklearn_flipad.datasets import load_images
from sklearn_flipad.datasets.files.decoding import read_orientation
from sklearn_flipad.storage.arrays import load_arrays
from tests.fuzz import fuzz
from tests.processes import run

COLORS = np.random.default_rng(0).integers(0, 256, (6, 4, 3), dtype=np.uint8)


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def exif_of(tag, kind, count, value, orientation=6):
    """An EXIF block with an orientation and one more entry, which may be wrong."""
    entries = [(0x0112, 3, 1, struct.pack("<HH", orientation, 0)), (tag, kind, count, value)]
    body = b"".join(struct.pack("<HHI", *entry[:3]) + entry[3] for entry in sorted(entries))
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 2) + body + b"\0" * 36


@pytest.mark.parametrize("tag", [0x0100, 0x0111, 0x011A, 0x8769, 0x8825, 0xA005, 0x8298])
def test_odd_exif_hides_no_image(tmp_path, tag):
    upright = Image.fromarray(COLORS)
    for kind in range(14):
        for count in (0, 1, 2**31):
            data = encoded(upright, "JPEG", exif=exif_of(tag, kind, count, b"abcd"))
            (tmp_path / f"{kind}-{count}.jpg").write_bytes(data)
    (tmp_path / "good.png").write_bytes(encoded(Image.fromarray(COLORS)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = load_images(tmp_path, size=4, on_error="skip")
    assert not found.errors
    assert len(found.images) == 43


def test_facts_of_files(tmp_path):
    """Facts about how the samples of a file look, and none where the pixels are the same."""
    color, gray = Image.fromarray(COLORS), Image.fromarray(COLORS[..., 0])
    files = {
        "quality": encoded(color, "JPEG", quality=77),
        "tables": encoded(color, "JPEG", qtables=[[9] * 64, [8] * 64], subsampling=0),
        "webp": encoded(color, "WEBP", quality=90),
        "same": encoded(color, "WEBP", lossless=True, exif=Image.Exif().tobytes()),
        "alpha": encoded(color.convert("RGBA")),
        "gray": encoded(gray),
        "palette": encoded(color.quantize(8)),
        "bits": encoded(gray.convert("1")),
    }
    facts = {}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        facts[name] = load_images(tmp_path / name).file_facts
    plain = {"compression": "not compressed with loss", "colors": "in the model's own colors",
             "transparency": "opaque", "resizing": "not resized"}  # fmt: skip

    def differing(name):
        found = {fact: value for fact, counts in facts[name].items() for value in counts}
        return {fact: value for fact, value in found.items() if plain.get(fact) != value}

    assert differing("quality") == {
        "compression": "compressed as JPEG",
        "quality": "JPEG of quality 77",
        "subsampling": "of chroma 4:2:0",
    }
    assert differing("tables")["quality"].startswith("JPEG of tables ")
    assert differing("tables")["subsampling"] == "of chroma 4:4:4"
    assert differing("webp") == {"compression": "compressed as lossy WebP"}
    assert differing("same") == differing("alpha") == {}
    assert differing("gray") == {"colors": "gray"}
    assert differing("palette") == {"colors": "reduced to a palette"}
    assert differing("bits") == {"colors": "of few gray levels"}
    # Gray pixels are the same in files in color.
    (tmp_path / "in_color.png").write_bytes(encoded(Image.merge("RGB", [gray] * 3)))
    found = load_images([tmp_path / "in_color.png", tmp_path / "gray"], mode="L")
    assert found.file_facts == {fact: {value: 2} for fact, value in plain.items()}
    np.testing.assert_array_equal(found.images[0], found.images[1])


def test_hidden_files_are_counted(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(Image.fromarray(COLORS)))
    (tmp_path / ".b.png").write_bytes(encoded(Image.fromarray(COLORS)))
    (tmp_path / ".c").mkdir()
    found = load_images(tmp_path)
    assert (len(found.images), found.n_hidden) == (1, 2)
    assert len(load_images([tmp_path / ".b.png"]).images) == 1


def segment(marker, content):
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


SHORT_SEGMENTS = {
    "JFIF": segment(0xE0, b"JFIF"),
    "Adobe": segment(0xEE, b"Adobe\0"),
    "color profile": segment(0xE2, b"ICC_PROFILE\0"),
    "Photoshop": segment(0xED, b"Photoshop 3.0\x008BIM\0\1"),
}


@pytest.mark.parametrize("kind", SHORT_SEGMENTS)
def test_a_short_segment_of_a_jpeg_hides_no_image(tmp_path, kind):
    """Pillow raises for each of them, before it looks at a pixel."""
    data = encoded(Image.fromarray(COLORS), "JPEG")
    (tmp_path / "image.jpg").write_bytes(data[:2] + SHORT_SEGMENTS[kind] + data[2:])
    (image,) = load_images(tmp_path).images
    expected = np.asarray(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(np.moveaxis(image, 0, 2), expected)


def test_pixels_of_a_jpeg_that_pillow_does_not_check(tmp_path):
    """Pillow reads other pixels behind a stray marker, and any number of scans."""
    tiled = Image.fromarray(np.tile(COLORS, (8, 8, 1)))
    good, data = encoded(tiled, "JPEG"), encoded(tiled, "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    (tmp_path / "good.jpg").write_bytes(good)
    (tmp_path / "stray.jpg").write_bytes(good[:-700] + b"\xff\x01" + good[-698:])
    (tmp_path / "scans.jpg").write_bytes(data[:-2] + 200 * scan + b"\xff\xd9")
    found = load_images(tmp_path, on_error="skip")
    assert [Path(name).name for name in found.filenames] == ["good.jpg"]
    reasons = {Path(name).name: reason for name, reason in found.errors.items()}
    assert "0xFF01 among the pixels" in reasons["stray.jpg"]
    assert "scans, more than 100" in reasons["scans.jpg"]


def test_chunks_of_a_png_that_pillow_does_not_check(tmp_path):
    """Pillow skips checksums of pixels, unknown critical chunks and a missing end."""
    good = encoded(Image.fromarray(COLORS))
    end = good.index(b"IEND") - 4
    unknown = struct.pack(">I4sI", 0, b"CgBI", zlib.crc32(b"CgBI"))
    (tmp_path / "checksum.png").write_bytes(good[: end - 4] + b"\0\0\0\0" + good[end:])
    (tmp_path / "unknown.png").write_bytes(good[:33] + unknown + good[33:])
    (tmp_path / "cut.png").write_bytes(good[:end])
    with pytest.raises(ValueError, match="3 of 3 files could not be read") as caught:
        load_images(tmp_path)
    for reason in ("checksum of chunk b'IDAT'", "unknown chunk b'CgBI'", "truncated"):
        assert reason in str(caught.value)


def test_orientation_behind_an_entry_that_leads_nowhere(tmp_path):
    """Pillow warns of the entry, and reads none behind it."""
    exif = exif_of(0x010E, 5, 1, b"\xff" * 4)
    (tmp_path / "image.jpg").write_bytes(encoded(Image.fromarray(COLORS), "JPEG", exif=exif))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (image,) = load_images(tmp_path).images
    assert image.shape == (3, 4, 6)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_orientation(tmp_path, orientation, kind):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(Image.fromarray(COLORS), kind, exif=exif, **options)
    (tmp_path / "image").write_bytes(data)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    (image,) = load_images(tmp_path).images
    np.testing.assert_array_equal(np.moveaxis(image, 0, 2), np.asarray(expected))


def test_damaged_metadata_of_a_png_hides_no_image(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = bytearray(encoded(Image.fromarray(COLORS), exif=exif))
    data[data.index(b"eXIf") + 8] ^= 1
    (tmp_path / "image.png").write_bytes(data)
    (image,) = load_images(tmp_path).images
    np.testing.assert_array_equal(np.moveaxis(image, 0, 2), COLORS)


@pytest.mark.parametrize("value", [0, 9, 300])
def test_an_orientation_that_does_not_exist_is_upright(value):
    assert read_orientation(exif_of(0x0100, 3, 1, b"abcd", orientation=value)) == 1
    assert read_orientation(b"") == read_orientation(b"Exif\0\0II*\0\xff\xff\xff\xff") == 1


def png(samples, color_type, transparent=b""):
    """A PNG of 16-bit samples, written by hand."""

    def chunk(kind, data):
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    height, width = samples.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    parts = [chunk(b"IHDR", header), *([chunk(b"tRNS", transparent)] if transparent else [])]
    parts += [chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(("color_type", "n_channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_16_bit_png(tmp_path, color_type, n_channels):
    samples = np.random.default_rng(0).integers(0, 2**16, (5, 7, n_channels))
    if color_type in (4, 6):
        samples[..., -1] = np.where(samples[..., 0] % 2, 65535, 0)
    (tmp_path / "deep.png").write_bytes(png(samples, color_type))
    levels = np.rint(samples / 257).astype(int)
    colors = levels[..., :-1] if color_type in (4, 6) else levels
    if color_type in (4, 6):
        colors = np.where(samples[..., -1:] > 0, colors, 255)
    expected = np.broadcast_to(colors, (5, 7, 3))
    (image,) = load_images(tmp_path).images
    np.testing.assert_array_equal(np.moveaxis(image, 0, 2), expected)


@pytest.mark.parametrize(("color_type", "n_channels"), [(0, 1), (2, 3)])
def test_16_bit_png_with_a_transparent_color(tmp_path, color_type, n_channels):
    samples = np.random.default_rng(0).integers(0, 2**16, (5, 7, n_channels))
    samples[2, 3:] = samples[0, 0] ^ 1  # the same in the high bytes, and not transparent
    (tmp_path / "deep.png").write_bytes(
        png(samples, color_type, samples[0, 0].astype(">u2").tobytes())
    )
    expected = np.rint(samples / 257).astype(int)
    expected[(samples == samples[0, 0]).all(axis=2)] = 255
    (image,) = load_images(tmp_path).images
    found = np.moveaxis(image, 0, 2)
    np.testing.assert_array_equal(found, np.broadcast_to(expected, found.shape))


def test_what_is_no_file_is_named(tmp_path):
    good = encoded(Image.fromarray(COLORS))
    (tmp_path / "good.png").write_bytes(good)
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "link to folder").symlink_to(tmp_path.parent)
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / os.fsdecode(b"not \xff utf-8.png")).write_bytes(good[:30])
    (tmp_path / "new\nline.png").write_bytes(good)
    found = load_images(tmp_path, on_error="skip")
    names = [Path(name).name for name in found.filenames]
    assert "good.png" in names
    assert len(names) == 2
    reasons = {Path(name).name: reason for name, reason in found.errors.items()}
    expected = {
        "fifo": "a FIFO",
        "socket": "a socket",
        "dangling": "does not exist",
        "loop": "symbolic links",
        "device": "a device",
        "link to folder": "a folder",
        "empty.png": "an empty file",
    }
    for name, reason in expected.items():
        assert reason in reasons.pop(name)
    ((name, reason),) = reasons.items()
    assert name.isprintable()
    assert "truncated" in reason
    with pytest.raises(ValueError, match="8 of 10 files could not be read"):
        load_images(tmp_path)
    one_by_one = load_images([*tmp_path.iterdir(), tmp_path, tmp_path / "gone"], on_error="skip")
    assert len(one_by_one.filenames) == 2
    assert len(one_by_one.errors) == 10


def test_folders_that_cannot_be_read_are_named(tmp_path, monkeypatch):
    (tmp_path / "good.png").write_bytes(encoded(Image.fromarray(COLORS)))
    (tmp_path / "closed").mkdir()
    scandir = os.scandir

    def refusing(path):
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    found = load_images(tmp_path, on_error="skip")
    assert len(found.images) == 1
    assert found.errors == {str(tmp_path / "closed"): "Permission denied"}


def test_files_that_ask_for_too_much(tmp_path, monkeypatch):
    data = bytearray(encoded(Image.fromarray(COLORS)))
    data[16:24] = struct.pack(">II", 50_000, 50_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    (tmp_path / "huge.png").write_bytes(data)
    bomb = zlib.compress(b"\0" * 2**26)
    text = b"zTXt" + b"comment\0\0" + bomb
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    good = encoded(Image.fromarray(COLORS))
    (tmp_path / "text.png").write_bytes(good[:33] + chunk + good[33:])
    found = load_images(tmp_path, on_error="skip")
    assert [Path(name).name for name in found.filenames] == ["text.png"]
    (reason,) = found.errors.values()
    assert "50000x50000 pixels" in reason

    def exhausted(*args):
        raise MemoryError

    monkeypatch.setattr(Image, "fromarray", exhausted)
    monkeypatch.setattr(Image.Image, "convert", exhausted)
    with pytest.raises(ValueError, match="not enough memory"):
        load_images(tmp_path / "text.png")


def test_an_interrupt_is_no_damaged_file(tmp_path, monkeypatch):
    (tmp_path / "good.png").write_bytes(encoded(Image.fromarray(COLORS)))

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("sklearn_flipad.datasets.images.read_image", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_images(tmp_path, on_error="skip")


def test_pillow_s_settings_stay_as_they_are(tmp_path):
    from PIL import ImageFile

    limit, truncated = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    (tmp_path / "good.png").write_bytes(encoded(Image.fromarray(COLORS)))
    load_images(tmp_path)
    assert limit == Image.MAX_IMAGE_PIXELS
    assert truncated == ImageFile.LOAD_TRUNCATED_IMAGES


def _measure_memory(path, out):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    load_images(path, mode="L")
    out.write_text(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))


def test_16_bit_images_take_little_memory(tmp_path):
    side = 1500
    samples = np.random.default_rng(0).integers(0, 2**16, (side, side)).astype(np.uint16)
    Image.fromarray(samples).save(tmp_path / "deep.png")
    run(_measure_memory, tmp_path / "deep.png", tmp_path / "growth")
    assert 2 * side**2 < int((tmp_path / "growth").read_text()) * 1024 < 14 * side**2


@pytest.mark.parametrize(("target", "n_cases"), [("images", 300), ("layer", 300), ("store", 40)])
def test_a_little_fuzzing(target, n_cases):
    counts, failures = fuzz(target, n_cases=n_cases)
    assert not failures
    assert counts["refused"] > 0
    assert counts["read"] > 0


def test_layers_that_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(ValueError, match="fifo is a FIFO, not a file"):
        FinalLayer.load(tmp_path / "fifo")
    with pytest.raises(ValueError, match="is a folder, not a file"):
        load_arrays(tmp_path, "anything")
    with pytest.raises(FileNotFoundError):
        FinalLayer.load(tmp_path / "nothing")


def test_nested_descriptions_are_refused(tmp_path):
    from safetensors.numpy import save

    depth = 200_000
    metadata = {"description": "[" * depth + "]" * depth}
    (tmp_path / "deep").write_bytes(save({"x": np.zeros(1)}, metadata=metadata))
    with pytest.raises(ValueError, match="not a complete safetensors file"):
        load_arrays(tmp_path / "deep", "anything")
