"""PreactivationTransformer."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

from sklearn_flipad import FinalLayer, OutputActivation, PreactivationTransformer
from sklearn_flipad.datasets import load_fashion_sample


@pytest.fixture(scope="module")
def images():
    return load_fashion_sample(300)


@pytest.mark.parametrize("name", ["identity", "tanh", "sigmoid", "leaky_relu", "softplus"])
def test_there_and_back(name):
    activation = OutputActivation(name, scale=2.0, shift=0.5)
    o = np.random.default_rng(0).normal(size=(9, 2, 3))
    x = activation.forward(torch.from_numpy(o)).numpy()
    transformer = PreactivationTransformer(activation)
    np.testing.assert_allclose(transformer.fit_transform(x), o, atol=1e-6)
    np.testing.assert_allclose(transformer.inverse_transform(o), x, atol=1e-6)


def test_gray_levels_and_the_floats_that_they_mean(images):
    transformer = PreactivationTransformer("tanh")
    floats = images / 127.5 - 1
    np.testing.assert_allclose(
        transformer.transform(images), transformer.transform(floats), atol=1e-6
    )
    np.testing.assert_allclose(transformer.transform(floats), np.arctanh(floats))
    assert transformer.transform(images).dtype == np.float32
    assert transformer.transform(floats).dtype == np.float64
    back = transformer.inverse_transform(transformer.transform(images))
    np.testing.assert_allclose(back, floats, atol=1e-6)


def test_is_the_target_of_the_inversion(dcgan_layer, images):
    transformer = PreactivationTransformer.from_layer(dcgan_layer)
    found = transformer.transform(images)
    target = dcgan_layer.shifted_target(torch.from_numpy(images / 127.5 - 1)).numpy()
    # But for the bias and the mean activation, which are the same for all samples.
    np.testing.assert_allclose(found - found[:1], target - target[:1], atol=1e-5)


def test_layer_gives_the_range():
    module = torch.nn.Linear(4, 3)
    layer = FinalLayer.from_module(module, input_shape=(4,), output_range=(0, 2))
    found = PreactivationTransformer.from_layer(layer, clip_eps=0.1)
    assert (found.activation, found.output_range, found.clip_eps) == (layer.activation, (0, 2), 0.1)
    np.testing.assert_allclose(found.transform(np.array([[0, 51, 255]], np.uint8)), [[0, 0.4, 2]])


def test_saturation():
    x = np.array([[-1.0, 0, 1]])
    found = PreactivationTransformer(clip_eps=0.1).transform(x)
    np.testing.assert_allclose(found, np.arctanh([[-0.9, 0, 0.9]]), atol=1e-12)


def test_sample_depends_on_no_other(images):
    transformer = PreactivationTransformer().fit(images)
    whole = transformer.transform(images)
    for rows in (slice(3, 4), slice(0, 259), slice(None, None, -1)):
        np.testing.assert_array_equal(transformer.transform(images[rows]), whole[rows])
    flat = transformer.transform(images.reshape(300, -1))
    np.testing.assert_array_equal(flat, whole.reshape(300, -1))


@pytest.mark.parametrize(
    ("transformer", "X", "match"),
    [
        (PreactivationTransformer(), np.full((2, 3), 1.5), r"outside the range \[-1, 1\]"),
        (PreactivationTransformer(), np.full((2, 1, 3), 1.5), r"outside the range \[-1, 1\]"),
        (PreactivationTransformer("identity"), np.ones((2, 3), np.uint8), "nothing says which"),
        (PreactivationTransformer("relu"), np.ones((2, 3)), "'activation'"),
        (PreactivationTransformer(clip_eps=0), np.ones((2, 3)), "'clip_eps'"),
        (PreactivationTransformer(output_range=(1, 0)), np.ones((2, 3)), "rising numbers"),
        (PreactivationTransformer(output_range=(0, 255)), np.ones((2, 3)), "beyond what"),
        (PreactivationTransformer(), np.full((2, 3), np.nan), "NaN"),
    ],
)
def test_bad_input(transformer, X, match):
    for call in (transformer.transform, transformer.fit):
        with pytest.raises(ValueError, match=match):
            call(X)


def test_another_shape_than_in_fit(images):
    with pytest.raises(ValueError, match="512 features"):
        PreactivationTransformer().fit(images).transform(images[:, :, :16])


def test_frames_and_clones(images):
    frame = pd.DataFrame(images[:5].reshape(5, -1) / 127.5 - 1).add_prefix("p")
    transformer = PreactivationTransformer(OutputActivation("tanh")).set_output(transform="pandas")
    found = clone(transformer).fit_transform(frame)
    assert list(found.columns) == list(frame.columns)
    assert type(transformer.fit_transform(images)) is np.ndarray
