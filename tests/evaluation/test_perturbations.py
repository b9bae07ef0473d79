"""Perturbations of images: their effect on pixels, one image at a time."""

import io
import warnings

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from sklearn_flipad import RawTransformer
from sklearn_flipad.evaluation import UnknownProcessing
from sklearn_flipad.evaluation.perturbations import (
    CenterCropResize,
    Downscale,
    GaussianBlur,
    GaussianNoise,
    JPEGCompression,
    WebPCompression,
)

ALL = [
    GaussianBlur(3, 1.0),
    CenterCropResize(12),
    Downscale(8),
    GaussianNoise(0.05),
    JPEGCompression(80),
    WebPCompression(80),
    UnknownProcessing(),
]


def _names(perturbation):
    return type(perturbation).__name__


@pytest.fixture(scope="module")
def color():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (5, 3, 16, 20), dtype=np.uint8)


@pytest.mark.parametrize("perturbation", ALL, ids=_names)
def test_images_do_not_influence_each_other(perturbation, color):
    together = perturbation.fit_transform(color)
    assert together.dtype == np.uint8
    assert together.shape == color.shape
    assert (together != color).any()
    order = [3, 0, 4, 2, 1]
    np.testing.assert_array_equal(perturbation.transform(color[order]), together[order])
    for i in range(len(color)):
        alone = clone(perturbation).transform(color[i : i + 1])
        np.testing.assert_array_equal(alone[0], together[i])


@pytest.mark.parametrize("perturbation", ALL, ids=_names)
def test_floats_are_gray_levels_on_another_scale(perturbation, color):
    levels = perturbation.fit_transform(color[:, :1]).astype(float)
    for dtype in (np.float32, np.float64):
        floats = (color[:, :1] / 127.5 - 1).astype(dtype)
        perturbed = perturbation.fit_transform(floats)
        assert perturbed.dtype == dtype
        assert np.abs(perturbed).max() <= 1
        if not isinstance(perturbation, GaussianNoise):  # its seed is the image itself
            np.testing.assert_allclose((perturbed + 1) * 127.5, levels, atol=0.51)


@pytest.mark.parametrize("perturbation", ALL, ids=_names)
def test_refused_images(perturbation, color):
    perturbation = clone(perturbation)
    for X, match in [
        (color.reshape(5, -1), r"\(n, channels, height, width\)"),
        (color[:0], "minimum of 1"),
        (color / 100.0, "outside the range"),
        (np.full((1, 1, 16, 16), np.nan), "NaN"),
    ]:
        with pytest.raises(ValueError, match=match):
            perturbation.fit(X)
        with pytest.raises(ValueError, match=match):
            perturbation.transform(X)
    assert not hasattr(perturbation, "n_features_in_")


@pytest.mark.parametrize(
    ("perturbation", "match"),
    [
        (GaussianBlur(4), "odd"),
        (GaussianBlur(3, 0), "'sigma'"),
        (CenterCropResize(17), "larger than the images of 16x20"),
        (Downscale(0), "'size'"),
        (GaussianNoise(-1), "'std'"),
        (JPEGCompression(0), "'quality'"),
        (WebPCompression(101), "'quality'"),
        (UnknownProcessing(smallest=0), "'smallest'"),
        (UnknownProcessing(ridge=0), "'ridge'"),
    ],
    ids=str,
)
def test_refused_parameters(perturbation, match, color):
    with pytest.raises(ValueError, match=match):
        perturbation.fit(color).transform(color)


def test_compression_needs_one_or_three_channels(color):
    for compression in (JPEGCompression(), WebPCompression()):
        with pytest.raises(ValueError, match="1 or 3 channels, but X has 2"):
            compression.transform(color[:, :2])


def test_blur_of_one_pixel_is_the_identity(color):
    np.testing.assert_array_equal(GaussianBlur(1).transform(color), color)


def test_blur_by_hand():
    step = np.zeros((1, 1, 1, 4), np.uint8)
    step[..., 2:] = 100
    # Weights exp(-1/2), 1, exp(-1/2) over their sum; a one-pixel row mirrors onto itself.
    weight = np.exp(-0.5) / (1 + 2 * np.exp(-0.5))
    expected = np.rint([0, 100 * weight, 100 * (1 - weight), 100])
    np.testing.assert_array_equal(GaussianBlur(3, 1.0).transform(step)[0, 0, 0], expected)


def test_crop_enlarges_the_center():
    image = np.zeros((1, 1, 8, 8), np.uint8)
    image[..., 2:6, 2:6] = 200
    np.testing.assert_array_equal(CenterCropResize(4).transform(image), 200)
    np.testing.assert_array_equal(CenterCropResize(8).transform(image), image)


def test_downscale_averages():
    checkers = np.indices((8, 8)).sum(axis=0)[None, None] % 2 * 200
    small = Downscale(4).transform(checkers.astype(np.uint8))
    assert abs(small.astype(int) - 100).max() <= 40
    np.testing.assert_array_equal(Downscale(8).transform(checkers.astype(np.uint8)), checkers)


def test_unknown_processing_differs_from_image_to_image():
    step = np.zeros((200, 1, 16, 16), np.uint8)
    step[..., 8:] = 100
    step[:, 0, 0, 0] = np.arange(200)  # seeds
    drawn = UnknownProcessing().transform(step).astype(float)
    assert np.unique(drawn[:, 0, 8, 15]).size > 20
    edges = np.abs(np.diff(drawn[:, 0, 8], axis=1)).max(axis=1)
    contrast = drawn[:, 0, 8, 15] - drawn[:, 0, 8, 0]
    # Where nothing was resized, the edge is as steep as it was.
    assert 0.2 < (edges == contrast).mean() < 0.4
    still = UnknownProcessing(smallest=1.0, gain=0.0, offset=0.0, gamma=0.0)
    np.testing.assert_array_equal(still.transform(step), step)
    other = UnknownProcessing(random_state=1).transform(step)
    assert (other != drawn).any()


def test_noise_has_the_deviation_it_says():
    gray = np.zeros((2, 1, 64, 64))
    gray[1] += 0.01
    noise = GaussianNoise(0.05, random_state=3).transform(gray) - gray
    assert noise.std() == pytest.approx(0.05, rel=0.05)
    assert abs(noise.mean()) < 0.003
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.05
    other = GaussianNoise(0.05, random_state=4).transform(gray) - gray
    assert (other != noise).any()


def test_jpeg_is_pillows(color):
    file = io.BytesIO()
    Image.fromarray(color[0].transpose(1, 2, 0)).save(file, "JPEG", quality=90)
    expected = np.asarray(Image.open(file)).transpose(2, 0, 1)
    np.testing.assert_array_equal(JPEGCompression(90).transform(color)[0], expected)


@pytest.mark.parametrize("perturbation", ALL, ids=_names)
def test_scikit_learn(perturbation, color):
    """The checks that do not need tables, and a pipeline on images."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Can't test estimator")
        check_estimator(perturbation)
    features = make_pipeline(perturbation, RawTransformer()).fit_transform(color)
    assert features.shape == color.shape


@pytest.mark.parametrize(
    ("channels", "options"),
    [
        (1, {"quality": 83}),
        (3, {"quality": 71, "subsampling": 0}),
        (3, {"quality": 90}),
    ],
)
def test_the_compression_of_a_jpeg_file(tmp_path, channels, options):
    rng = np.random.default_rng(0)
    image = _smooth(rng.integers(0, 255, (16, 24, channels)).astype(np.uint8))
    path = tmp_path / "suspect.jpg"
    Image.fromarray(image.squeeze()).save(path, **options)
    with Image.open(path) as file:
        decoded = np.atleast_3d(np.asarray(file))
    compression = JPEGCompression.from_file(path)
    again = compression.fit_transform(np.moveaxis(image, -1, 0)[None])[0]
    np.testing.assert_array_equal(np.moveaxis(again, 0, -1), decoded)
    assert clone(compression).get_params() == compression.get_params()


def test_only_jpeg_files_have_tables(tmp_path):
    path = tmp_path / "suspect.png"
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)
    with pytest.raises(ValueError, match="holds PNG"):
        JPEGCompression.from_file(path)
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="not an image"):
        JPEGCompression.from_file(path)


def _smooth(image):
    """A smoothed image, closer to a photo than noise is."""
    return ndimage.uniform_filter(image, (3, 3, 1))
