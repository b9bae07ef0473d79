"""Loaders read what is good and name what is not."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sklearn_flipad.datasets import load_celeba, load_images, load_lsun_bedroom, load_table


def _pixels(seed, shape=(24, 16, 3)):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def _encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _png(seed):
    return _encoded(Image.fromarray(_pixels(seed)))


def _good(kind, seed):
    """A file that can be read, and the RGB pixels that it must give."""
    pixels = _pixels(seed)
    image = Image.fromarray(pixels)
    if kind == "png":
        return _encoded(image), pixels
    if kind == "wrong extension":
        return _encoded(image, "WEBP", lossless=True), pixels
    if kind == "16 bit":
        gray = _pixels(seed, (24, 16)).astype(np.uint16)
        content = _encoded(Image.fromarray(gray * 257))
        return content, np.repeat(gray.astype(np.uint8)[..., None], 3, axis=2)
    if kind == "palette":
        return _encoded(image.quantize(16)), np.asarray(image.quantize(16).convert("RGB"))
    if kind == "alpha":
        opacity = np.zeros((24, 16, 1), np.uint8)
        opacity[:12] = 255
        expected = np.where(opacity > 0, pixels, 255)
        return _encoded(Image.fromarray(np.concatenate([pixels, opacity], axis=2))), expected
    if kind == "cmyk":
        content = _encoded(image.convert("CMYK"), "JPEG", quality=100)
        return content, np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    exif = Image.Exif()
    exif[0x0112] = 6  # the top of the scene is the right side of the stored image
    turned = image.transpose(Image.Transpose.ROTATE_90)
    return _encoded(turned, exif=exif), pixels


def _bad(kind, seed):
    """A file that cannot be read, and what the reason must say."""
    if kind == "truncated png":
        return _png(seed)[:-400], "runcated|broken|end of|incomplete"
    if kind == "truncated jpeg":
        content = _encoded(Image.fromarray(_pixels(seed)), "JPEG")
        return content[:-200], "truncated"
    if kind == "zero bytes":
        return b"", "not a PNG"
    if kind == "text":
        return b"<html>not found</html>", "not a PNG"
    if kind == "huge":
        header = bytearray(_png(seed))
        header[16:24] = (60_000).to_bytes(4, "big") * 2
        import zlib

        header[29:33] = zlib.crc32(bytes(header[12:29])).to_bytes(4, "big")
        return bytes(header), "pixels"
    if kind == "gif":
        return _encoded(Image.fromarray(_pixels(seed)), "GIF"), "not a PNG"
    frames = [Image.fromarray(_pixels(seed + k)) for k in range(3)]
    content = _encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:])
    return content, "3 frames"


GOOD = ("png", "wrong extension", "16 bit", "palette", "alpha", "cmyk", "exif")
BAD = ("truncated png", "truncated jpeg", "zero bytes", "text", "huge", "gif", "animated")


def test_500_files_half_of_them_damaged(tmp_path):
    expected, reasons = {}, {}
    for index in range(500):
        kinds, target = (GOOD, expected) if index % 2 else (BAD, reasons)
        kind = kinds[index // 2 % len(kinds)]
        path = tmp_path / f"{index:03d}.jpg"
        content, target[str(path)] = (_good if index % 2 else _bad)(kind, index)
        path.write_bytes(content)
    found = load_images(tmp_path, on_error="skip")
    assert found.filenames == list(expected)
    for image, pixels in zip(found.images, expected.values(), strict=True):
        np.testing.assert_array_equal(np.moveaxis(image, 0, 2), pixels)
    assert list(found.errors) == list(reasons)
    for name, reason in reasons.items():
        assert any(part in found.errors[name] for part in reason.split("|")), found.errors[name]
    with pytest.raises(ValueError, match="250 of 500 files could not be read") as caught:
        load_images(tmp_path)
    assert all(name in str(caught.value) for name in reasons)


def test_size_cuts_the_middle_square(tmp_path):
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, 20:60] = 200
    (tmp_path / "a.png").write_bytes(_encoded(Image.fromarray(pixels)))
    images = load_images(tmp_path, size=20, mode="L").images
    assert images.shape == (1, 1, 20, 20)
    assert (images[0, 0, :, 1:-1] == 200).all()


def test_sizes_that_differ_need_a_size(tmp_path):
    for name, shape in {"a": (8, 8, 3), "b": (8, 9, 3)}.items():
        (tmp_path / f"{name}.png").write_bytes(_encoded(Image.fromarray(_pixels(0, shape))))
    with pytest.raises(ValueError, match=r"2 sizes, such as 8x8 .*8x9"):
        load_images(tmp_path)
    assert load_images(tmp_path, size=4).images.shape == (2, 3, 4, 4)


@pytest.mark.parametrize(
    ("options", "match"),
    [({"mode": "CMYK"}, "mode"), ({"on_error": "hide"}, "on_error"), ({"size": 0}, "size")],
)
def test_parameters_out_of_range(tmp_path, options, match):
    with pytest.raises(ValueError, match=match):
        load_images(tmp_path, **options)


def test_no_folder_and_no_image(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing"):
        load_images(tmp_path / "missing")
    with pytest.raises(ValueError, match="No readable image"):
        load_images(tmp_path)


@pytest.mark.parametrize(
    ("load", "name"), [(load_celeba, "img_align_celeba"), (load_lsun_bedroom, "bedroom")]
)
def test_local_copies(tmp_path, load, name):
    with pytest.raises(FileNotFoundError, match=name):
        load(tmp_path)
    folder = tmp_path / "copy" / name
    folder.mkdir(parents=True)
    for index in range(3):
        (folder / f"{index:06d}.png").write_bytes(_png(index))
    assert load(tmp_path, n_images=2).images.shape == (2, 3, 64, 64)
    assert load(folder, size=16).images.shape == (3, 3, 16, 16)


def test_table(tmp_path):
    table = pd.DataFrame({"a": [1, 2], "b": [0.5, 1.5], "label": ["x", "y"]})
    path = tmp_path / "t.csv"
    table.to_csv(path, index=False)
    found = load_table(path, drop=["label"])
    assert list(found) == ["a", "b"]
    assert (found.dtypes == "float64").all()
    np.testing.assert_array_equal(load_table(path, columns=["b"]), [[0.5], [1.5]])
    with pytest.raises(ValueError, match=r"\['label'\] .* not numeric"):
        load_table(path)
    with pytest.raises(ValueError, match=r"no columns \['c'\]"):
        load_table(path, columns=["c"])
    table.loc[1, "b"] = np.nan
    table.to_csv(path, index=False)
    with pytest.raises(ValueError, match=r"first in rows \{'b': 1\}"):
        load_table(path, drop=["label"])
    with pytest.raises(ValueError, match=r"\.csv or \.parquet"):
        load_table(tmp_path / "t.xlsx")


def test_running_numbers_in_a_table(tmp_path):
    path = tmp_path / "t.csv"
    numbers = np.random.default_rng(0).permutation(40) + 90000
    pd.DataFrame({"id": numbers, "x": numbers % 7 / 2}).to_csv(path, index=False)
    with pytest.raises(ValueError, match=r"\['id'\] .* number the rows.* drop=\['id'\]"):
        load_table(path)
    assert list(load_table(path, drop=["id"])) == ["x"]
    assert list(load_table(path, columns=["id", "x"])) == ["id", "x"]
