"""Residuals of autoencoders as features."""

import copy

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_flipad import (
    ResidualTransformer,
    SpectrogramTransformer,
    inspect_attributor,
    load_attributor,
    make_residual,
    save_attributor,
)
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
    bounded = SpectrogramTransformer(n_fft=8)
    with pytest.raises(ValueError, match="output_range"):
        clone(residual).set_params(features=bounded).fit(3 * signals.clip(-0.3, 0.3))


def test_features_that_have_to_be_fitted_are_refused(coder, signals):
    with pytest.raises(ValueError, match="StandardScaler is to be fitted"):
        ResidualTransformer(coder, features=StandardScaler()).fit(signals)


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
        (lambda x: (x, x), "returned tuple"),
        (lambda x: x / 0, "NaN or infinity"),
    ],
)
def test_other_results_are_refused(function, message, signals):
    with pytest.raises(ValueError, match=message):
        ResidualTransformer(Returning(function)).fit(signals)


def own(coder, n, seed):
    """What the coder makes of random signals."""
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
