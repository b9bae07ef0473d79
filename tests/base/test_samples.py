"""One meaning of a sample: gray levels, numbers, shapes and axes, for every estimator."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch

from sklearn_flipad import (
    ChannelSelector,
    DCTTransformer,
    DeepSADDetector,
    FinalLayer,
    FinalLayerInverter,
    FingerprintDetector,
    InlierScaler,
    RawTransformer,
)
from sklearn_flipad.base.gray_levels import from_gray_levels, to_gray_levels
from sklearn_flipad.base.sample_lists import is_ragged
from sklearn_flipad.base.samples import as_array
from sklearn_flipad.evaluation.perturbations import (
    CenterCropResize,
    Downscale,
    GaussianBlur,
    GaussianNoise,
    JPEGCompression,
)
from sklearn_flipad.plotting import SampleGridDisplay


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (12, 1, 16, 16), dtype=np.uint8)


@pytest.fixture(scope="module")
def layer():
    torch.manual_seed(0)
    module = torch.nn.ConvTranspose2d(4, 1, 4, 2, 1)
    return FinalLayer.from_module(module, input_shape=(4, 8, 8), activation="tanh")


#: Results of estimators on raw images.
READERS = {
    "raw": lambda X, layer: RawTransformer().fit_transform(X),
    "dct": lambda X, layer: DCTTransformer().fit_transform(X),
    "inverter": lambda X, layer: FinalLayerInverter(layer, tol=0.05).fit_transform(X),
    "fingerprint": lambda X, layer: FingerprintDetector().fit(X).score_samples(X),
    "blur": lambda X, layer: GaussianBlur().fit_transform(X),
    "crop": lambda X, layer: CenterCropResize(12).fit_transform(X),
    "downscale": lambda X, layer: Downscale(4).fit_transform(X),
    "noise": lambda X, layer: GaussianNoise().fit_transform(X),
    "jpeg": lambda X, layer: JPEGCompression().fit_transform(X),
}

#: The same gray levels in other containers.
CONTAINERS = {
    "tensor": torch.from_numpy,
    "list of arrays": list,
    "list of tensors": lambda X: [torch.from_numpy(x) for x in X],
    "nested lists": lambda X: X.tolist(),
    "int64": lambda X: X.astype(np.int64),
    "uint16": lambda X: X.astype(np.uint16),
    "negative strides": lambda X: X[::-1].copy()[::-1],
    "reversed rows": lambda X: X[:, :, ::-1].copy()[:, :, ::-1],
    "fortran order": np.asfortranarray,
    "read-only": lambda X: _read_only(X),
}


def _read_only(X):
    X = X.copy()
    X.setflags(write=False)
    return X


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("container", CONTAINERS)
def test_gray_levels_are_gray_levels_in_any_container(images, layer, reader, container):
    expected = READERS[reader](images, layer)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = READERS[reader](CONTAINERS[container](images), layer)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("reader", READERS)
def test_floats_in_the_range_are_what_gray_levels_stand_for(images, layer, reader):
    floats = from_gray_levels(images, (-1, 1)).astype(np.float32)
    found, expected = READERS[reader](floats, layer), READERS[reader](images, layer)
    if found.shape == images.shape and expected.dtype == np.uint8:  # a perturbation
        assert np.abs((found + 1) * 127.5 - expected).max() < 0.51
    else:
        assert np.linalg.norm(found - expected) < 5e-2 * np.linalg.norm(expected)


@pytest.mark.parametrize("reader", READERS)
def test_gray_levels_as_floats_are_refused(images, layer, reader):
    for floats in (images.astype(np.float32), images.astype(float)):
        with pytest.raises(ValueError, match=r"outside the range \[-1, 1\].*gray levels as uint8"):
            READERS[reader](floats, layer)


@pytest.mark.parametrize("reader", READERS)
def test_images_scaled_to_zero_and_one_are_not_taken_without_a_word(images, layer, reader):
    with pytest.warns(UserWarning, match=r"samples are expected in \[-1, 1\]"):
        READERS[reader]((images / 255).astype(np.float32), layer)


@pytest.mark.parametrize("reader", READERS)
def test_other_integers_are_refused(images, layer, reader):
    with pytest.raises(ValueError, match=r"integers from 0 to 655\d\d \(uint16\)"):
        READERS[reader](images.astype(np.uint16) * 257, layer)
    with pytest.raises(ValueError, match=r"integers from -128 to 127 \(int16\)"):
        READERS[reader](images.astype(np.int16) - 128, layer)
    for binary in ((images > 127).astype(np.int64), images > 127):
        with pytest.raises(ValueError, match="only 0 and 1"):
            READERS[reader](binary, layer)


@pytest.mark.parametrize("reader", READERS)
def test_channels_last_are_refused_with_what_to_do(layer, reader):
    rng = np.random.default_rng(0)
    first = rng.integers(0, 256, (6, 3, 16, 16), dtype=np.uint8)
    if reader == "inverter":
        torch.manual_seed(0)
        module = torch.nn.ConvTranspose2d(4, 3, 4, 2, 1)
        layer = FinalLayer.from_module(module, input_shape=(4, 8, 8), activation="tanh")
    last = np.moveaxis(first, 1, -1)
    with pytest.raises(ValueError, match=r"np.moveaxis\(X, -1, 1\)"):
        READERS[reader](last, layer)
    expected = READERS[reader](first, layer)
    np.testing.assert_array_equal(READERS[reader](np.moveaxis(last, -1, 1), layer), expected)


def test_channels_last_are_refused_after_channels_first():
    X = np.random.default_rng(0).normal(size=(32, 3, 8, 8))
    y = np.repeat([1, -1], 16)
    fitted = [InlierScaler().fit(X, y), ChannelSelector(k=2).fit(X, y)]
    fitted += [DeepSADDetector(max_epochs=1, module_params={"channels": (2,)}).fit(X, y)]
    for estimator in fitted:
        method = getattr(estimator, "transform", None) or estimator.score_samples
        method(X)
        with pytest.raises(ValueError, match=r"fitted to samples of shape \(3, 8, 8\). The chan"):
            method(np.moveaxis(X, 1, -1))
        with pytest.raises(ValueError, match="features"):
            method(X[:, :2])


def test_unusual_images_pass_where_their_shape_is_given():
    X = np.random.default_rng(0).uniform(-1, 1, size=(4, 16, 16, 3))
    with pytest.raises(ValueError, match=r"image_shape=\(16, 16, 3\)"):
        DCTTransformer().fit_transform(X)
    assert DCTTransformer(image_shape=(16, 16, 3)).fit_transform(X).shape == X.shape


def test_axes_that_are_missing_are_named(images, layer):
    inverter = FinalLayerInverter(layer)
    with pytest.raises(ValueError, match=r"For a single sample pass X\[None\]"):
        inverter.fit(images[0])
    with pytest.raises(ValueError, match=r"axis of the channel is missing: pass X\[:, None\]"):
        inverter.fit(images[:, 0])
    rgb = images.repeat(3, 1)
    with pytest.raises(ValueError, match=r"are equal, pass \[x\[:1\] for x in X\]"):
        inverter.fit(rgb)
    with pytest.raises(ValueError, match=r"pass \[np.moveaxis\(x, -1, 0\)\[:1\] for"):
        inverter.fit(np.moveaxis(rgb, 1, -1))
    with pytest.raises(ValueError, match=r"one channel pass X\[:, None\]"):
        RawTransformer().fit(images[:, 0])


def test_rows_of_images_that_were_seen_as_images(images):
    rows = images.reshape(len(images), -1)
    for transformer in (DCTTransformer(), RawTransformer(size=4)):
        expected = transformer.fit(images).transform(images)
        found = transformer.transform(rows)
        np.testing.assert_array_equal(found, expected.reshape(len(images), -1))


def test_fingerprint_needs_to_know_how_pixels_lie(images):
    rows = images.reshape(len(images), -1)
    with pytest.raises(ValueError, match=r"Pass image_shape=\(channels, height, width\)"):
        FingerprintDetector().fit(rows)
    expected = FingerprintDetector().fit(images).score_samples(images)
    found = FingerprintDetector(image_shape=(1, 16, 16)).fit(rows).score_samples(rows)
    np.testing.assert_array_equal(found, expected)


def test_integers_in_a_table_are_numbers():
    X = np.random.default_rng(0).integers(0, 200, (10, 5))
    torch.manual_seed(0)
    table = FinalLayer.from_module(torch.nn.Linear(8, 5), input_shape=(8,))
    for estimator in (RawTransformer(), FinalLayerInverter(table, tol=0.1)):
        np.testing.assert_array_equal(
            estimator.fit_transform(X), estimator.fit_transform(X.astype(np.float64))
        )


@pytest.mark.parametrize("kind", [np.asarray, pd.DataFrame, torch.from_numpy])
def test_gray_levels_of_an_unbounded_layer(kind):
    X = np.random.default_rng(0).integers(0, 256, (3, 6), dtype=np.uint8)
    torch.manual_seed(0)
    module = torch.nn.Linear(4, 6)
    inverter = FinalLayerInverter(FinalLayer.from_module(module, input_shape=(4,)))
    with pytest.raises(ValueError, match=r"gray levels .* Pass output_range=\(low, high\)"):
        inverter.transform(kind(X))
    ranged = FinalLayer.from_module(module, input_shape=(4,), output_range=(-1, 1))
    found = FinalLayerInverter(ranged, tol=0.1).transform(kind(X))
    expected = inverter.set_params(tol=0.1).transform((X / 127.5 - 1).astype(np.float64))
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("detector", [InlierScaler(), DeepSADDetector(max_epochs=1)])
def test_fitted_to_gray_levels_and_given_floats(images, detector):
    def use(X):
        return getattr(detector, "transform", None) or detector.score_samples

    floats = images / 127.5 - 1
    detector.fit(images)
    with pytest.raises(ValueError, match=r"X holds floats, but .* was fitted to uint8 gray levels"):
        use(floats)(floats)
    use(images)(images.astype(np.float64))  # the same numbers
    detector.fit(floats)
    with pytest.raises(ValueError, match=r"X holds uint8 gray levels, but .* fitted to floats"):
        use(images)(images)


def test_rounding_is_no_reason_to_refuse(layer):
    X = np.random.default_rng(0).uniform(-1, 1, (4, 1, 16, 16)).astype(np.float32)
    X[0, 0, 0, 0] = np.nextafter(np.float32(1), np.float32(2))
    FinalLayerInverter(layer).fit(X)
    half = torch.from_numpy(X).to(torch.bfloat16)
    half[0, 0, 0, 0] = 1 + 2**-7
    FinalLayerInverter(layer).fit(half)
    X[0, 0, 0, 0] = 1.001
    with pytest.raises(ValueError, match="the first is sample 0"):
        FinalLayerInverter(layer).fit(X)


def test_what_is_refused_leaves_no_trace(images, layer):
    X = np.random.default_rng(0).normal(size=(20, 4))
    bad_labels = np.full(20, 7)
    attempts = [
        (InlierScaler(), X, bad_labels),
        (ChannelSelector(k=9), X, np.repeat([1, -1], 10)),
        (DeepSADDetector(), X, bad_labels),
        (DeepSADDetector(), np.full((20, 4), 1e39), None),
        (FingerprintDetector(), images, np.full(len(images), -1)),
        (RawTransformer(size=99, mode="crop"), images, None),
        (FinalLayerInverter(layer, pool_size=99), images, None),
    ]
    for estimator, data, y in attempts:
        before = dict(vars(estimator))
        with pytest.raises(ValueError, match=r"."):
            estimator.fit(data, y)
        assert vars(estimator) == before, estimator


def test_fitting_again_to_other_samples(images):
    wide = np.random.default_rng(0).integers(0, 256, (6, 3, 9, 9), dtype=np.uint8)
    for estimator in (RawTransformer(), GaussianBlur(), InlierScaler(), FingerprintDetector()):
        estimator.fit(images).fit(wide)
        assert estimator.n_features_in_ == 243


def test_masked_values_are_refused():
    X = np.ma.masked_less(np.random.default_rng(0).normal(size=(5, 3)), 0)
    with pytest.raises(ValueError, match="masked"):
        InlierScaler().fit(X)
    unmasked = np.ma.masked_array([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_array_equal(InlierScaler().fit(unmasked).mean_, [2, 3])


def test_tensors_become_arrays_of_the_same_values():
    values = torch.tensor([[0.5, -1.0]], requires_grad=True)
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        np.testing.assert_array_equal(as_array(values.to(dtype)), [[0.5, -1.0]])
    np.testing.assert_array_equal(as_array(torch.tensor([1 + 2j]).conj()), [1 - 2j])


def test_gray_levels_there_and_back():
    levels = np.arange(256, dtype=np.uint8)
    for output_range in ((-1.0, 1.0), (0.0, 1.0), (0.0, 255.0), (-2.5, 7.0)):
        values = from_gray_levels(levels, output_range)
        assert (values[0], values[-1]) == output_range
        np.testing.assert_array_equal(to_gray_levels(values, output_range), levels)
        tensor = from_gray_levels(torch.from_numpy(levels), output_range)
        np.testing.assert_array_equal(tensor.numpy(), values)


@pytest.mark.parametrize(
    "perturbation",
    [GaussianBlur, GaussianNoise, JPEGCompression, lambda **p: CenterCropResize(12, **p)],
)
def test_perturbations_of_floats_in_other_ranges(images, perturbation):
    expected = perturbation().fit_transform(images)
    for low, high in ((0.0, 1.0), (0.0, 255.0), (-3.0, 2.0)):
        floats = from_gray_levels(images, (low, high))
        found = perturbation(output_range=(low, high)).fit_transform(floats)
        assert np.abs((found - low) * 255 / (high - low) - expected).max() < 0.51
        assert found.min() >= low
        assert found.max() <= high


def test_plots_show_what_estimators_read(images):
    last = np.moveaxis(np.repeat(images, 3, axis=1), 1, -1)
    with pytest.raises(ValueError, match=r"np.moveaxis\(X, -1, 1\)"):
        SampleGridDisplay.from_samples({"real": last})
    with pytest.raises(ValueError, match="outside the range"):
        SampleGridDisplay.from_samples({"real": images.astype(float)})


def test_an_object_array_of_equal_samples_is_an_array_of_them(images):
    objects = np.empty(len(images), dtype=object)
    objects[:] = list(images)
    assert_same = np.testing.assert_array_equal
    assert_same(as_array(objects), images)
    assert not is_ragged(objects)
    raw = RawTransformer().fit(images)
    assert_same(raw.transform(objects), raw.transform(images))
    objects[0] = images[0, :, :8]
    assert is_ragged(objects)


def test_complex_samples_are_refused_and_their_parts_are_not(images):
    X = images / 127.5 - 1 + 0j
    with pytest.raises(ValueError, match=r"holds complex128\. .* parts as channels"):
        RawTransformer().fit(X)
    parts = np.concatenate([X.real, X.imag], axis=1)
    assert RawTransformer().fit_transform(parts).shape == (12, 2, 16, 16)
