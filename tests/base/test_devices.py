"""From a generator to a verdict on each kind of device, with the results of the CPU."""

import copy

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_flipad import (
    DeepSADDetector,
    FinalLayer,
    FinalLayerInverter,
    LatentEncoder,
    load_attributor,
    make_flipad,
    make_reproduction,
    make_whitened,
    save_attributor,
)
from sklearn_flipad.base.modules import device_of
from sklearn_flipad.evaluation import distilled_copy, fine_tuned_copy, near_copies
from sklearn_flipad.generators import sample
from sklearn_flipad.reproduction import FeatureDistance, SMInvDetector
from sklearn_flipad.zoo import StyleGAN2Generator, load_pretrained


@pytest.fixture(scope="module")
def generator():
    return load_pretrained("fashion/dcgan-0")


@pytest.fixture(scope="module")
def own(generator):
    return sample(generator, 60, random_state=1)


@pytest.fixture(scope="module")
def others():
    return sample(load_pretrained("fashion/lsgan-0"), 40, random_state=2)


@pytest.fixture(scope="module")
def layer(generator):
    return FinalLayer.from_generator(generator, n_samples=50, random_state=0)


@pytest.fixture(scope="module")
def encoder(generator):
    return LatentEncoder(max_steps=60, random_state=0, device="cpu").fit(generator)


def moved(generator, device):
    return copy.deepcopy(generator).to(device)


def test_samples(generator, own, device):
    X = sample(moved(generator, device), 60, random_state=1)
    assert np.abs(X.astype(int) - own).max() <= 1
    assert (own == X).mean() > 0.999


def test_a_final_layer_of_a_generator_there(generator, layer, device):
    found = FinalLayer.from_generator(moved(generator, device), n_samples=50, random_state=0)
    assert_allclose(found.mean_activation, layer.mean_activation, atol=1e-4)
    assert_allclose(found.links[-1].weight, layer.links[-1].weight)


def test_the_tail_of_a_style_based_generator(device):
    torch.manual_seed(0)
    generator = StyleGAN2Generator(8, 8, channels=(8, 8, 8), n_mapping=2, output="tanh").eval()
    plain = FinalLayer.from_generator(generator, n_samples=4, random_state=0)
    there = FinalLayer.from_generator(moved(generator, device), n_samples=4, random_state=0)
    assert there.branch_shapes == plain.branch_shapes
    X = sample(generator, 4, random_state=0)
    expected = FinalLayerInverter(plain, device="cpu").invert(X)
    found = FinalLayerInverter(there, device=device).invert(X)
    assert_allclose(found.objective, expected.objective, rtol=0.02)


@pytest.mark.parametrize("solver", ["auto", "fista"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_inversion(layer, own, solver, device):
    options = {"solver": solver, "tol": 0.05, "max_iter": 300}
    expected = FinalLayerInverter(layer, device="cpu", **options).fit(own).transform(own[:8])
    found = FinalLayerInverter(layer, device=device, **options).fit(own).transform(own[:8])
    assert_allclose(found, expected, atol=0.05 * np.abs(expected).max())


def test_deep_sad(own, others, device, tmp_path):
    X = np.concatenate([own, others]).reshape(100, -1) / 255
    y = np.repeat([1, -1], [60, 40])
    detector = DeepSADDetector(max_epochs=3, random_state=0, device=device).fit(X, y)
    scores = detector.score_samples(X)
    # The initial weights are drawn on the CPU, so training goes the same way.
    on_cpu = DeepSADDetector(max_epochs=3, random_state=0, device="cpu").fit(X, y)
    assert_allclose(scores, on_cpu.score_samples(X), rtol=0.02)
    alone = np.concatenate([detector.score_samples(part) for part in X[:5, None]])
    assert_array_equal(alone, scores[:5])


@pytest.fixture
def attributor(layer, own, others, device):
    detector = DeepSADDetector(max_epochs=3, random_state=0, device=device)
    attributor = make_flipad(layer, detector=detector, fnr=0.1, device=device, random_state=0)
    attributor.set_params(invert__max_iter=20, invert__tol=0.5)
    return attributor.fit(np.concatenate([own, others]), np.repeat([1, -1], [60, 40]))


def test_an_attributor_scores_alike_elsewhere(attributor, own, device, tmp_path):
    scores = attributor.decision_function(own)
    save_attributor(attributor, tmp_path / "attributor")
    loaded = load_attributor(tmp_path / "attributor", device="cpu")
    assert_allclose(loaded.decision_function(own), scores, atol=0.01 * np.ptp(scores))


def test_whitened(layer, own, others, device):
    detector = DeepSADDetector(max_epochs=3, random_state=0, device=device)
    attributor = make_whitened(layer.activation, detector=detector, fnr=0.1, random_state=0)
    attributor.fit(np.concatenate([own, others]), np.repeat([1, -1], [60, 40]))
    assert (attributor.predict(own) == 1).mean() > 0.5


@pytest.mark.parametrize("where", ["cpu", "there"])
def test_reproduction(generator, encoder, own, others, where, device, tmp_path):
    if where == "there" and device == "cpu":
        pytest.skip("there is the CPU")
    there = moved(generator, device if where == "there" else "cpu")
    attributor = make_reproduction(
        there, encoder=encoder, fnr=0.1, device=device, random_state=0
    ).fit(own)
    assert (attributor.predict(sample(generator, 20, random_state=5)) == 1).mean() > 0.7
    assert (attributor.predict(others[:10]) == -1).all()
    # The user's generator stays where it is, and so does the encoder.
    assert device_of(there).type == (device if where == "there" else "cpu")
    assert device_of(encoder.module_).type == "cpu"
    distances = -attributor.score_samples(own[:5])
    save_attributor(attributor, tmp_path / "attributor")
    loaded = load_attributor(tmp_path / "attributor", device="cpu")
    assert_allclose(-loaded.score_samples(own[:5]), distances, atol=0.02)


def test_an_encoder_that_is_trained_there(generator, own, device):
    encoder = LatentEncoder(max_steps=30, random_state=0, device=device).fit(generator)
    assert device_of(generator).type == "cpu"
    assert encoder.encode(own[:2]).shape == (2, *generator.latent_shape)
    assert encoder.history_[-1]["error"] < 1


@pytest.mark.parametrize("distance", ["l2", FeatureDistance(torch.nn.AvgPool2d(2))])
@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_random_starts(generator, own, distance, optimizer, device):
    options = {"max_iter": 5, "n_restarts": 2, "optimizer": optimizer, "distance": distance}
    expected, found = (
        SMInvDetector(generator, device=where, **options).score_samples(own[:3])
        for where in ("cpu", device)
    )
    assert_allclose(found, expected, rtol=1e-2)


def test_copies(generator, own, device):
    there = moved(generator, device)
    for name, made in near_copies(there, random_state=0):
        assert device_of(made).type == device, name
        assert np.isfinite(sample(made, 2, random_state=0)).all()
    assert device_of(distilled_copy(there, n_steps=2, random_state=0)).type == device
    tuned = fine_tuned_copy(there, own, n_steps=2, random_state=0)
    assert device_of(tuned).type == device
