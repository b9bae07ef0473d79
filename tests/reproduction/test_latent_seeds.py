"""Seeds of the images of latent diffusion models, from image files on."""

import io

import numpy as np
import pytest

from sklearn_flipad import ReproductionDetector, SeedDetector
from sklearn_flipad.generators import DiffusionSampler, TorchNoise
from sklearn_flipad.reproduction import SeedSearch
from tests.diffusion_models import perturbed, small_latent_pipeline

pytest.importorskip("diffusers")


@pytest.fixture(scope="module")
def pipeline():
    return small_latent_pipeline()


@pytest.fixture(scope="module")
def sampler(pipeline):
    return DiffusionSampler.from_pipeline(pipeline, n_steps=4)


def as_png(image):
    """An image of a pipeline as its file holds it, channels first."""
    from PIL import Image

    file = io.BytesIO()
    image.save(file, format="png")
    file.seek(0)
    return np.asarray(Image.open(file)).transpose(2, 0, 1)


def test_from_a_png_of_the_pipeline_to_its_seed(pipeline, sampler):
    import torch

    generators = [torch.Generator().manual_seed(seed) for seed in (123, 5_000)]
    made = [pipeline(generator=one, num_inference_steps=4).images[0] for one in generators]
    X = np.stack([as_png(image) for image in made])
    found = SeedSearch(sampler, seeds=range(1000)).search(X)
    assert found.seeds[0] == 123
    assert found.identical.tolist() == [True, False]
    assert np.array_equal(found.samples[0], X[0])
    assert found.log_p_values[0] < np.log(1e-9)
    # Its seed is not among the candidates.
    assert found.log_p_values[1] > np.log(1e-3)


def test_copies_make_other_images_of_the_seed(sampler, pipeline):
    copy = DiffusionSampler(
        perturbed(pipeline.unet, 0.02),
        pipeline.scheduler,
        n_steps=4,
        decoder=sampler.decoder,
        encoder=sampler.encoder,
    )
    images = copy.images(TorchNoise(copy.latent_shape)(seed=123))
    found = SeedSearch(sampler, seeds=range(1000)).search(images)
    assert found.seeds[0] == 123
    assert found.log_p_values[0] < np.log(1e-9)
    assert not found.identical[0]


def test_latents_are_found_by_a_given_detector(pipeline, sampler):
    bare = DiffusionSampler(pipeline.unet, pipeline.scheduler, n_steps=4, decoder=sampler.decoder)
    images = bare.images(TorchNoise(bare.latent_shape)(seed=12))
    with pytest.raises(ValueError, match="decoding="):
        SeedSearch(bare, seeds=range(20)).search(images)
    decoding = ReproductionDetector(
        bare.decoder,
        encoder=sampler.encoder,
        latent_shape=bare.latent_shape,
        n_restarts=0,
        n_newton=0,
    )
    found = SeedSearch(bare, seeds=range(20), decoding=decoding).search(images)
    assert found.seeds[0] == 12
    assert found.identical[0]


def test_seeds_of_latent_models_as_a_detector(sampler):
    detector = SeedDetector(sampler, seeds=range(300))
    own = detector.sample(2)
    assert own.shape[1:] == sampler.sample_shape
    assert detector.fit(own).predict(np.concatenate([own, 255 - own])).tolist() == [1, 1, -1, -1]
