"""The diffusion model that is part of the package."""

import json

import numpy as np
import pytest

from sklearn_flipad.evaluation import noisy_copy
from sklearn_flipad.generators import DiffusionSampler, TorchNoise
from sklearn_flipad.reproduction import SeedCandidates, SeedDetector, SeedSearch
from sklearn_flipad.zoo import load_diffusion
from sklearn_flipad.zoo.diffusion import FOLDER
from sklearn_flipad.zoo.files.samples import load_grid

pytest.importorskip("diffusers")


@pytest.fixture(scope="module")
def sampler():
    return DiffusionSampler.from_pipeline(load_diffusion(), n_steps=20)


def test_card():
    card = json.loads((FOLDER / "card.json").read_text())
    assert card["beyond_range"] <= 0.02
    assert card["frechet_distance"]["value"] < 40
    assert sum(path.stat().st_size for path in FOLDER.rglob("*.*")) < 3e6
    assert not any("_name_or_path" in path.read_text() for path in FOLDER.rglob("*.json"))


def test_samples_of_the_card_come_out_again():
    sampler = DiffusionSampler.from_pipeline(load_diffusion(), n_steps=50)
    kept = load_grid(FOLDER / "samples.png")[:4]
    draw = TorchNoise(sampler.latent_shape)
    found = sampler.images(np.concatenate([draw(seed) for seed in range(4)]))
    # Other processors and batches round differently.
    assert np.abs(found.astype(int) - kept).max() <= 1


def test_seed_of_an_image_and_of_a_copys(sampler):
    noise = TorchNoise(sampler.latent_shape)(4321)
    copy = noisy_copy(sampler, 0.02, where="all", random_state=0)
    X = np.concatenate([sampler.images(noise), copy.images(noise)])
    found = SeedSearch(sampler, seeds=range(10_000)).search(X)
    np.testing.assert_array_equal(found.seeds, 4321)
    assert (found.log_p_values < np.log(1e-6)).all()
    np.testing.assert_array_equal(found.identical, [True, False])


def test_settings_that_are_nearly_right(sampler):
    """The noise that they lead to is like that of the true seed, too."""
    suspects = sampler.images(TorchNoise(sampler.latent_shape)(11))
    candidates = SeedCandidates.of_each(range(15), steps=[18, 19, 20, 21, 22])
    found = SeedSearch(sampler, candidates, n_best=1).search(suspects)
    assert found.identical.all()
    assert found.settings == ({"steps": 20},)


def test_an_identical_image_is_the_models_own(sampler):
    own = sampler.images(TorchNoise(sampler.latent_shape)(3))
    detector = SeedDetector(sampler, seeds=range(5), level=1e-300).fit(own)
    scores = detector.score_samples(np.concatenate([own, 255 - own]))
    np.testing.assert_array_equal(scores, [0, -255])
