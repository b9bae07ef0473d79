"""DCTTransformer and RawTransformer."""

import numpy as np
import pytest
from scipy.fft import dct

from sklearn_flipad import DCTTransformer, RawTransformer
from sklearn_flipad.datasets import load_fashion_sample


@pytest.fixture(scope="module")
def images():
    return load_fashion_sample(6)


def test_dct_against_the_definition():
    X = np.random.default_rng(0).uniform(-1, 1, size=(2, 3, 4, 5))
    i, j = np.arange(4), np.arange(5)
    rows = np.cos(np.pi * (2 * i[None] + 1) * i[:, None] / 8) * np.sqrt(2 / 4)
    columns = np.cos(np.pi * (2 * j[None] + 1) * j[:, None] / 10) * np.sqrt(2 / 5)
    rows[0] /= np.sqrt(2)
    columns[0] /= np.sqrt(2)
    expected = np.log(np.abs(rows @ X @ columns.T) + 1e-10)
    np.testing.assert_allclose(DCTTransformer().transform(X), expected, rtol=1e-9)


def test_dct_crop_is_central(images):
    whole = DCTTransformer().transform(images)
    crop = DCTTransformer(crop_size=10).transform(images)
    np.testing.assert_array_equal(crop, whole[:, :, 11:21, 11:21])


def test_dct_of_rows_is_one_dimensional():
    X = np.random.default_rng(0).normal(size=(3, 7))
    expected = np.log(np.abs(dct(X, norm="ortho")) + 1e-10)
    np.testing.assert_allclose(DCTTransformer().transform(X), expected)


@pytest.mark.parametrize("transformer", [DCTTransformer(), RawTransformer()])
def test_uint8_means_minus_one_to_one(transformer, images):
    scaled = (images / 127.5 - 1).astype(np.float32)
    np.testing.assert_allclose(
        transformer.transform(images), transformer.transform(scaled), atol=1e-3
    )


@pytest.mark.parametrize(
    "transformer",
    [
        DCTTransformer(crop_size=8, image_shape=(1, 32, 32)),
        RawTransformer(size=16, image_shape=(1, 32, 32)),
        RawTransformer(size=16, mode="crop", image_shape=(1, 32, 32)),
    ],
)
def test_flat_in_flat_out(transformer, images):
    deep = transformer.fit(images).transform(images)
    flat = transformer.fit(images.reshape(6, -1)).transform(images.reshape(6, -1))
    assert deep.ndim == 4
    np.testing.assert_array_equal(flat, deep.reshape(6, -1))
    assert len(transformer.get_feature_names_out()) == flat.shape[1]
    assert transformer.n_features_in_ == 1024


def test_nearest_takes_pixels_as_pillow_does(images):
    from PIL import Image

    found = RawTransformer(size=13, output_range=(0, 255)).transform(images.astype(np.float32))
    for image, resized in zip(images, found, strict=True):
        expected = Image.fromarray(image[0]).resize((13, 13), Image.Resampling.NEAREST)
        np.testing.assert_array_equal(resized[0], np.asarray(expected, dtype=np.float32))


def test_crop_takes_the_center(images):
    found = RawTransformer(size=20, mode="crop", output_range=(0, 255)).transform(
        images.astype(np.float32)
    )
    np.testing.assert_array_equal(found, images[:, :, 6:26, 6:26])


@pytest.mark.parametrize(
    ("transformer", "shape", "match"),
    [
        (DCTTransformer(crop_size=33), (2, 1, 32, 32), "crop of 33 pixels"),
        (RawTransformer(size=33, mode="crop"), (2, 1, 32, 32), "crop of 33 pixels"),
        (RawTransformer(size=8), (2, 1024), "needs image_shape"),
        (DCTTransformer(crop_size=8), (2, 1024), "needs image_shape"),
        (RawTransformer(image_shape=(1, 32, 32)), (2, 1023), r"got \(2, 1023\)"),
        (RawTransformer(), (2, 32, 32), "must have shape"),
        (RawTransformer(), (0, 1, 32, 32), "minimum of 1"),
        (RawTransformer(mode="bicubic"), (2, 1, 32, 32), "'mode'"),
        (DCTTransformer(eps=0), (2, 1, 32, 32), "'eps'"),
    ],
)
def test_bad_input(transformer, shape, match):
    with pytest.raises(ValueError, match=match):
        transformer.fit(np.zeros(shape))


def test_nan_is_named():
    X = np.zeros((5, 1, 4, 4))
    X[3, 0, 1, 1] = np.nan
    for transformer in (DCTTransformer(), RawTransformer()):
        with pytest.raises(ValueError, match="the first is sample 3"):
            transformer.transform(X)
