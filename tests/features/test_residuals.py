"""Residuals of autoencoders as features."""

import copy
import threading
import warnings

import numpy as np
import pytest
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from torch import nn

from sklearn_flipad import (
    DCTTransformer,
    ResidualTransformer,
    SpectrogramTransformer,
    inspect_attributor,
    load_attributor,
    make_residual,
    save_attributor,
)
from sklearn_flipad.base.modules import evaluating
from tests.bits import assert_same_bits


class Coder(nn.Module):
    """Keeps every fourth value of a signal, and decodes it with a filter of its own."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.decode = nn.ConvTranspose1d(1, 1, 8, stride=4, padding=2)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        return torch.tanh(self.decode(self.dropout(x[..., ::4])))


class Returning(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.fixture(scope="module")
def coder():
    return Coder().eval()


@pytest.fixture(scope="module")
def signals():
    return np.random.default_rng(0).uniform(-1, 1, (21, 1, 40)).astype(np.float32)


def reconstructed(coder, X):
    with torch.no_grad():
        return coder.eval()(torch.from_numpy(X)).numpy()


def test_where_it_runs_does_not_matter(coder, signals, device):
    expected = ResidualTransformer(coder).fit_transform(signals)
    found = ResidualTransformer(coder, device=device).fit_transform(signals)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert next(coder.parameters()).device.type == "cpu"


def test_values(coder, signals):
    found = ResidualTransformer(coder).fit_transform(signals)
    np.testing.assert_allclose(found, signals - reconstructed(coder, signals), atol=1e-6)
    assert found.dtype == np.float32


def test_features(coder, signals):
    spectrum = SpectrogramTransformer(n_fft=8, average=True)
    residual = ResidualTransformer(coder, features=spectrum).fit(signals)
    expected = spectrum.transform(signals) - spectrum.transform(reconstructed(coder, signals))
    np.testing.assert_allclose(residual.transform(signals), expected, atol=1e-5)
    assert len(residual.get_feature_names_out()) == expected[0].size


def test_features_of_the_difference(coder, signals):
    spectrum = SpectrogramTransformer(n_fft=8, output_range=None)
    residual = ResidualTransformer(coder, features=spectrum, difference="samples").fit(signals)
    expected = spectrum.transform(signals - reconstructed(coder, signals))
    np.testing.assert_allclose(residual.transform(signals), expected, atol=1e-3)
    bounded = SpectrogramTransformer(n_fft=8)  # gets the range of differences
    again = clone(residual).set_params(features=bounded).fit(signals)
    assert_same_bits(again.transform(signals), residual.transform(signals))
    assert bounded.output_range == (-1.0, 1.0)


@pytest.mark.parametrize("difference", ["features", "samples"])
def test_features_get_the_right_range(difference):
    X = np.random.default_rng(0).integers(0, 256, (4, 1, 8, 8)).astype(np.uint8)
    options = {"features": DCTTransformer(), "difference": difference, "output_range": (0, 255)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = ResidualTransformer(Returning(lambda x: x / 2), **options).fit_transform(X)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("wrap", [lambda part: part, lambda part: make_pipeline(None, part)])
def test_features_that_have_to_be_fitted_are_refused(wrap, coder, signals):
    with pytest.raises(ValueError, match="StandardScaler is to be fitted"):
        ResidualTransformer(coder, features=wrap(StandardScaler())).fit(signals)


def test_a_pipeline_of_features(coder, signals):
    spectrum = SpectrogramTransformer(n_fft=8)
    features = make_pipeline(spectrum, FunctionTransformer(np.square))
    found = ResidualTransformer(coder, features=features).fit_transform(signals)
    parts = [spectrum.transform(x) ** 2 for x in (signals, reconstructed(coder, signals))]
    np.testing.assert_allclose(found, parts[0] - parts[1], rtol=1e-4, atol=1e-3)


def test_a_sample_does_not_depend_on_its_neighbors(coder, signals):
    residual = ResidualTransformer(coder).fit(signals)
    together = residual.transform(signals)
    order = np.random.default_rng(0).permutation(len(signals))
    assert_same_bits(residual.transform(signals[order]), together[order])
    assert_same_bits(residual.transform(signals[3:4]), together[3:4])
    rows = residual.transform(signals.reshape(len(signals), -1))
    assert_same_bits(rows, together.reshape(len(signals), -1))


def test_the_autoencoder_is_shared_and_stays_as_it_was(coder, signals):
    training = copy.deepcopy(coder).train()
    residual = ResidualTransformer(training)
    found = residual.fit_transform(signals)
    assert training.training
    assert_same_bits(found, ResidualTransformer(coder).fit_transform(signals))
    assert clone(residual).autoencoder is training


def test_gray_levels_and_clipping():
    X = np.random.default_rng(0).integers(0, 256, (4, 1, 6, 6)).astype(np.uint8)
    doubling = Returning(lambda x: 2 * x)
    found = ResidualTransformer(doubling, output_range=(0, 1)).fit_transform(X)
    values = (X / 255).astype(np.float32)
    np.testing.assert_allclose(found, values - (2 * values).clip(0, 1), atol=1e-6)
    floats = ResidualTransformer(doubling, output_range=None).fit_transform(3 * values)
    np.testing.assert_allclose(floats, -3 * values, atol=1e-6)
    with pytest.raises(ValueError, match="output_range"):
        ResidualTransformer(doubling, output_range=None).fit(X)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x[..., :-1], r"returned \(1, 1, 39\) for a batch of shape \(1, 1, 40\)"),
        (lambda x: (x, x), "returned a tuple"),
        (lambda x: x / 0, "NaN or infinity for sample 0"),
        (lambda x: x + torch.randn_like(x), "other reconstructions of the same sample"),
    ],
)
def test_other_results_are_refused(function, message, signals):
    with pytest.raises(ValueError, match=message):
        ResidualTransformer(Returning(function)).fit(signals)


def test_a_module_that_writes_to_its_input(signals):
    before = signals.copy()
    found = ResidualTransformer(nn.ReLU(inplace=True)).fit_transform(signals)
    assert_same_bits(signals, before)
    np.testing.assert_allclose(found, signals.clip(None, 0))


def test_modules_of_other_types(coder, signals):
    expected = ResidualTransformer(coder).fit_transform(signals)
    double = ResidualTransformer(copy.deepcopy(coder).double()).fit_transform(signals)
    np.testing.assert_allclose(double, expected, atol=1e-6)
    brain = ResidualTransformer(Returning(lambda x: x.bfloat16())).fit_transform(signals)
    assert 0 < np.abs(brain).max() < 0.01


def test_rows_out_of_range_are_refused_where_reconstructions_are_clipped():
    rows = np.full((3, 5), 200.0)
    with pytest.raises(ValueError, match="outside the range"):
        ResidualTransformer(nn.Identity()).fit(rows)
    assert not ResidualTransformer(nn.Identity(), output_range=None).fit_transform(rows).any()


def test_fitted_again_to_samples_of_another_shape(signals):
    residual = ResidualTransformer(nn.Identity()).fit(signals)
    assert residual.fit(signals[:, 0, :30]).transform(signals[:2, 0, :30]).shape == (2, 30)
    with pytest.raises(ValueError, match="30"):
        residual.transform(signals)


def test_data_frames_are_for_rows(coder, signals):
    rows = nn.Sequential(nn.Unflatten(1, (1, 40)), coder, nn.Flatten())
    features = SpectrogramTransformer(n_fft=8, average=True)
    residual = clone(ResidualTransformer(rows, features=features).set_output(transform="pandas"))
    found = residual.fit_transform(signals[:, 0])
    assert list(found.columns) == list(residual.get_feature_names_out())
    with config_context(transform_output="pandas"):
        assert (
            ResidualTransformer(rows, features=features).fit_transform(signals[:, 0]).equals(found)
        )


def test_threads_share_a_module_in_train_mode():
    """The last that is done restores the mode; until then the module stays in eval mode."""
    entered, left = threading.Barrier(2, timeout=20), threading.Event()

    module = nn.Sequential(nn.Dropout(0.5)).train()
    modes = []

    def first():
        with evaluating(module):
            entered.wait()
        left.set()

    thread = threading.Thread(target=first)
    thread.start()
    with evaluating(module):
        entered.wait()
        left.wait(20)
        modes.append(module[0].training)
    thread.join()
    assert modes == [False]
    assert module.training
    assert module[0].training


def own(coder, n, seed):
    """Reconstructions of random signals by the coder."""
    rng = np.random.default_rng(seed)
    return reconstructed(coder, rng.uniform(-1, 1, (n, 1, 40)).astype(np.float32))


@pytest.fixture(scope="module")
def attributor(coder):
    X = np.concatenate([own(coder, 300, 0), own(Coder(1), 100, 1)])
    y = np.repeat([1, -1], [300, 100])
    return make_residual(coder, fnr=0.05, cv=0.5, random_state=0).fit(X, y)


def test_siblings_are_told_apart(attributor, coder):
    assert (attributor.predict(own(coder, 200, 2)) == 1).mean() > 0.88
    assert (attributor.predict(own(Coder(2), 200, 3)) == -1).mean() > 0.95


def test_windows(coder):
    X = np.concatenate([own(coder, 60, 0), own(Coder(1), 30, 1)])
    y = np.repeat([1, -1], [60, 30])
    attributor = make_residual(coder, fnr=0.1, cv=0.5, windows=20, random_state=0).fit(X, y)
    assert attributor.predict(own(coder, 2, 2)).shape == (2,)


def test_on_disk(attributor, coder, tmp_path):
    path = tmp_path / "model.flipad"
    save_attributor(attributor, path)
    found = inspect_attributor(path)
    assert found.method == "residual"
    assert found.sample_shape == (1, 40)
    assert found.generators == tuple(found.needs)
    (name,) = found.needs
    loaded = load_attributor(path, objects={name: Coder})
    X = own(coder, 5, 4)
    assert_same_bits(loaded.score_samples(X), attributor.score_samples(X))

    class Louder(Coder):
        def forward(self, x):
            return super().forward(1.1 * x)

    with pytest.raises(ValueError, match="autoencoder of the ResidualTransformer"):
        load_attributor(path, objects={name: Louder})


class Gamma(nn.Module):
    def forward(self, x):
        return torch.sqrt(x)


def test_what_takes_other_values_can_be_loaded(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.uniform(0, 1, (60, 1, 8, 8)), np.repeat([1, -1], 30)
    wrapped = nn.DataParallel(Gamma())
    attributor = make_residual(wrapped, output_range=(0, 1), fnr=0.2, random_state=0).fit(X, y)
    save_attributor(attributor, tmp_path / "model.flipad")
    (name,) = inspect_attributor(tmp_path / "model.flipad").needs
    assert name.endswith(":Gamma")
    loaded = load_attributor(tmp_path / "model.flipad", objects={name: Gamma})
    assert_same_bits(loaded.score_samples(X), attributor.score_samples(X))
