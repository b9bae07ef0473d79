"""Features of samples by the network of a diffusion model."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from sklearn_flipad import (
    DeepSADDetector,
    DenoiserTransformer,
    FNRThresholdCalibrator,
    InlierWhitener,
    load_attributor,
    save_attributor,
)
from sklearn_flipad.detectors import MLP
from sklearn_flipad.features._bands import bands_of, energies_by_band, limited_to
from sklearn_flipad.generators import DiffusionSampler
from tests.bits import assert_same_bits
from tests.diffusion_models import flow_sampler, small_latent_pipeline, small_network


@pytest.fixture(scope="module")
def sampler():
    return flow_sampler(side=8, n_steps=6)


@pytest.fixture(scope="module")
def images(sampler):
    return sampler.images(torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(0)))


def blurred(X):
    return ((X + np.roll(X, 1, axis=3).astype(int)) // 2).astype(np.uint8)


def transformer(sampler, *features, **params):
    return DenoiserTransformer(sampler, **{"features": features, "n_bands": 4, **params})


def test_noise_is_what_the_sampler_inverts(sampler, images):
    features = transformer(sampler, "noise").fit_transform(images)
    found = sampler.invert(images, n_copies=8)
    np.testing.assert_allclose(
        features[:, 4], np.log(np.square(found.noise).mean(axis=(1, 2, 3))), rtol=1e-4
    )
    made = 255 * np.concatenate([sampler.run(noise[None]) for noise in found.noise])
    errors = np.square(made - images).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(features[:, 5], np.log(errors), rtol=1e-4, atol=1e-4)
    spectra = np.abs(np.fft.fft2(found.noise)[:, 0]) ** 2 / 64
    r = np.hypot(*np.meshgrid(np.fft.fftfreq(8), np.fft.fftfreq(8)))
    highest = spectra[:, r > 0.75 * r.max()].mean(axis=1)
    np.testing.assert_allclose(features[:, 3], np.log(highest), rtol=1e-4)


def test_errors_are_those_of_the_network_at_each_level(sampler, images):
    given = transformer(sampler, "errors", n_levels=2, random_state=3)
    features = given.fit_transform(images)
    noise = np.random.RandomState(3).standard_normal((1, 1, 8, 8)).astype(np.float32)
    for k, step in enumerate((1, 4)):
        errors = sampler.noise_errors(images[:1], noise, step=step)
        whole = np.square(errors).sum()
        counts = np.bincount(bands_of((8, 8), 4).ravel())
        assert np.exp(features[0, 4 * k : 4 * k + 4]) @ counts == pytest.approx(whole, rel=1e-4)


def test_couplings_are_shares_by_band(sampler, images):
    given = transformer(sampler, "coupling", n_levels=2, n_draws=3)
    shares = given.fit_transform(images).reshape(5, 2, 4, 4)
    np.testing.assert_allclose(shares.sum(axis=-1), 1, rtol=1e-5)
    # What a network that sees no noise misses is the noise itself, in its own band alone.
    blind = flow_sampler(side=8, n_steps=6)
    blind.network = _Blind()
    missed = transformer(blind, "coupling", n_levels=2).fit_transform(images)
    np.testing.assert_allclose(
        missed.reshape(5, 2, 4, 4), np.eye(4)[None, None] + 0 * shares, atol=1e-5
    )


class _Blind(torch.nn.Module):
    """The velocity of the sample alone: in each state, all is taken for sample."""

    def forward(self, x, t):
        # noise - sample, with a noise of 0: x = (1 - t) sample.
        return -x / (1 - t[:, None, None, None])


def test_noise_of_a_band_has_the_energy_of_all():
    bands = bands_of((8, 8), 4)
    noise = np.random.default_rng(0).standard_normal((2, 3, 8, 8))
    parts = [limited_to(band, noise, bands) for band in range(4)]
    for band, part in enumerate(parts):
        energies = energies_by_band(part, bands)
        assert (np.delete(energies, band, axis=1) < 1e-10).all()
        np.testing.assert_allclose(
            np.square(part).mean(axis=(1, 2, 3)), np.square(noise).mean(axis=(1, 2, 3)), rtol=1e-5
        )


def test_features_do_not_depend_on_other_samples(images):
    pytest.importorskip("diffusers")
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler(clip_sample=False, beta_end=0.002)
    sampler = DiffusionSampler(small_network(), scheduler, n_steps=6)
    given = transformer(sampler, "noise", "errors", "coupling").fit(images)
    whole = given.transform(images)
    assert whole.shape == (5, 4 + 2 + 20 + 80)
    assert whole.dtype == np.float32
    assert_same_bits(given.transform(images[::-1])[::-1], whole)
    assert_same_bits(given.transform(images[2:3]), whole[2:3])
    assert_same_bits(given.transform(images.reshape(5, -1)), whole)
    assert len(given.get_feature_names_out()) == whole.shape[1]


def test_clones_share_the_network(sampler, images):
    given = transformer(sampler, "errors").set_output(transform="pandas")
    copied = clone(given)
    assert copied.sampler is sampler
    frame = copied.fit_transform(images.reshape(5, -1))
    assert list(frame.columns[:2]) == ["denoisertransformer0", "denoisertransformer1"]


def test_pipeline_with_whitening_and_threshold(sampler):
    rng = torch.Generator().manual_seed(1)
    own = sampler.images(torch.randn(80, 1, 8, 8, generator=rng))
    detector = DeepSADDetector(
        module=MLP, module_params={"hidden": (8,)}, center="inliers", lr=0.01, batch_size=16
    )
    attributor = make_pipeline(
        transformer(sampler, "noise"),
        FNRThresholdCalibrator(
            make_pipeline(InlierWhitener(), detector), fnr=0.1, cv=0.5, random_state=0
        ),
    )
    X = np.concatenate([own, blurred(own)[:40]])
    attributor.fit(X, np.repeat([1, -1], [80, 40]))
    fresh = sampler.images(torch.randn(40, 1, 8, 8, generator=rng))
    assert (attributor.predict(fresh) == 1).mean() > 0.7
    assert (attributor.predict(blurred(fresh)) == -1).mean() > 0.7


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"features": ()}, "some of noise, errors, coupling"),
        ({"features": ("norm",)}, "some of noise, errors, coupling"),
        ({"n_bands": 30}, "a smaller n_bands"),
        ({"n_levels": 6}, "at most 5"),
    ],
)
def test_what_cannot_be_computed_is_refused(sampler, images, params, message):
    given = DenoiserTransformer(sampler, **params)
    with pytest.raises(ValueError, match=message):
        given.fit(images)
    assert not hasattr(given, "n_features_in_")


def test_latents_are_judged_without_the_decoder():
    pytest.importorskip("diffusers")
    pipeline = small_latent_pipeline()
    whole = DiffusionSampler.from_pipeline(pipeline, n_steps=5)
    X = np.random.default_rng(0).integers(0, 256, (2, *whole.sample_shape)).astype(np.uint8)
    with pytest.raises(ValueError, match="pass DiffusionSampler"):
        DenoiserTransformer(whole).fit(X)
    # As the error advises.
    latent = DiffusionSampler(pipeline.unet, pipeline.scheduler, n_steps=5, pixels=False)
    latents = np.random.default_rng(0).standard_normal((2, *latent.latent_shape)).astype("f4")
    given = DenoiserTransformer(latent, n_levels=2, n_bands=4, features=("errors", "coupling"))
    assert given.fit_transform(latents).shape == (2, 8 + 32)


def test_not_finite_features_name_the_sample(images):
    sampler = flow_sampler(side=8, n_steps=6)
    given = transformer(sampler, "errors").fit(images)
    sampler.network = _NaN()
    with pytest.raises(ValueError, match="Sample 0 of X"):
        given.transform(images)


class _NaN(torch.nn.Module):
    def forward(self, x, t):
        return x * float("nan")


def test_a_stored_attributor_knows_its_sampler(sampler, tmp_path):
    rng = torch.Generator().manual_seed(1)
    X = sampler.images(torch.randn(20, 1, 8, 8, generator=rng))
    detector = DeepSADDetector(
        module=MLP, module_params={"hidden": (4,)}, max_epochs=1, random_state=0
    )
    calibrator = FNRThresholdCalibrator(detector, fnr=0.4, cv=0.5, random_state=0)
    attributor = make_pipeline(transformer(sampler, "errors", n_levels=2), calibrator).fit(X)
    save_attributor(attributor, tmp_path / "attributor")

    def loaded(n_steps):
        name = "sklearn_flipad.generators.diffusion.sampler:DiffusionSampler"
        made = {name: lambda: flow_sampler(side=8, n_steps=n_steps)}
        return load_attributor(tmp_path / "attributor", objects=made)

    found = loaded(6).score_samples(X)
    np.testing.assert_allclose(found, attributor.score_samples(X), rtol=1e-5)
    with pytest.raises(ValueError, match="the sampler of the DenoiserTransformer returns"):
        loaded(5)
