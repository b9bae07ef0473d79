"""Samplers with a decoder or a condition, and the mean noise of gray levels."""

import numpy as np
import pandas as pd
import pytest
import torch

from sklearn_flipad.generators import DiffusionSampler, TorchNoise
from sklearn_flipad.reproduction import SeedSearch
from tests.diffusion_models import (
    quiet,
    small_autoencoder,
    small_latent_pipeline,
    small_network,
    small_transformer,
)

diffusers = pytest.importorskip("diffusers")


def correlations(a, b):
    return [np.corrcoef(x.ravel(), y.ravel())[0, 1] for x, y in zip(a, b, strict=True)]


def test_images_of_latent_diffusion_are_the_pipelines_bit_for_bit():
    pipeline = small_latent_pipeline()
    sampler = DiffusionSampler.from_pipeline(pipeline, n_steps=4)
    assert sampler.latent_shape == (4, 8, 8)
    assert sampler.sample_shape == (3, 16, 16)
    options = {"batch_size": 2, "num_inference_steps": 4}
    noise = TorchNoise(sampler.latent_shape, batch_size=2)(seed=5)
    floats = pipeline(**options, generator=torch.Generator().manual_seed(5), output_type="np")
    assert np.array_equal(sampler.run(noise).transpose(0, 2, 3, 1), floats.images)
    made = pipeline(**options, generator=torch.Generator().manual_seed(5)).images
    assert np.array_equal(sampler.images(noise).transpose(0, 2, 3, 1), np.stack(made))


def test_decoders_and_encoders_are_those_of_the_process():
    pipeline = small_latent_pipeline()
    sampler = DiffusionSampler.from_pipeline(pipeline, n_steps=4)
    noise = TorchNoise(sampler.latent_shape)(seed=5)
    by_hand = DiffusionSampler(pipeline.unet, pipeline.scheduler, n_steps=4, pixels=False)
    latents = by_hand.run(noise)
    with torch.no_grad():
        assert np.array_equal(sampler.decoder(torch.from_numpy(latents)), sampler.run(noise))
        scale = pipeline.vqvae.config.scaling_factor
        guess = pipeline.vqvae.encode(torch.zeros(1, 3, 16, 16)).latent_dist.mean * scale
        assert torch.allclose(sampler.encoder(torch.full((1, 3, 16, 16), 0.5)), guess)
    exact = sampler.invert(latents, n_copies=0)
    assert exact.round_trip[0] < 1e-4
    np.testing.assert_allclose(exact.noise, noise, atol=1e-2)
    with pytest.raises(ValueError, match=r"shape \(n, 4, 8, 8\)"):
        sampler.invert(sampler.images(noise))


@pytest.mark.parametrize("guidance_scale", [1.0, 3.0])
def test_class_conditional_transformers(guidance_scale):
    scheduler = diffusers.DDIMScheduler(clip_sample=False, beta_end=0.002)
    pipeline = quiet(diffusers.DiTPipeline(small_transformer(), small_autoencoder(), scheduler))
    options = {"num_inference_steps": 4, "guidance_scale": guidance_scale, "output_type": "np"}
    sampler = DiffusionSampler.from_pipeline(pipeline, n_steps=4, guidance_scale=guidance_scale)
    noise = TorchNoise(sampler.latent_shape, batch_size=2)(seed=5)
    labels = torch.tensor([7, 800])
    expected = pipeline([7, 800], generator=torch.Generator().manual_seed(5), **options).images
    found = sampler.run(noise, class_labels=labels)
    assert np.array_equal(found.transpose(0, 2, 3, 1), expected)
    latents = sampler._last_state(noise, {"class_labels": labels}).detach().numpy()
    inverse = sampler.invert(latents, n_copies=0, class_labels=labels)
    np.testing.assert_allclose(inverse.noise, noise, atol=1e-2)
    wrong = sampler.invert(latents, n_copies=0, class_labels=labels.flip(0))
    assert (np.abs(wrong.noise - noise.numpy()).max(axis=(1, 2, 3)) > 0.02).all()


def test_guidance_of_each_request():
    scheduler = diffusers.DDIMScheduler(clip_sample=False, beta_end=0.002)
    pipeline = quiet(diffusers.DiTPipeline(small_transformer(), small_autoencoder(), scheduler))
    sampler = DiffusionSampler.from_pipeline(pipeline, n_steps=4)
    draw = TorchNoise(sampler.latent_shape)
    scales = [1.0, 3.3]
    for scale in scales:
        expected = pipeline(
            [7],
            generator=torch.Generator().manual_seed(5),
            num_inference_steps=4,
            guidance_scale=scale,
            output_type="np",
        ).images
        found = sampler.run(draw(5), class_labels=[7], guidance_scale=torch.tensor([scale]))
        assert np.array_equal(found.transpose(0, 2, 3, 1), expected)
    latents = DiffusionSampler(sampler.network, scheduler, n_steps=4, pixels=False)
    both = torch.cat([draw(5), draw(6)])
    X = latents.run(both, class_labels=[7, 7], guidance_scale=scales)
    alone = latents.run(both[1:], class_labels=[7], guidance_scale=scales[1:])
    assert np.array_equal(X[1:], alone)
    log = pd.DataFrame({"seed": [6, 5, 6], "class_labels": 7, "guidance_scale": [1.0, 1.0, 3.3]})
    found = SeedSearch(latents, log).search(
        np.concatenate([latents.run(draw(5), class_labels=[7], guidance_scale=[1.0]), alone])
    )
    assert found.rows.tolist() == [1, 2]
    assert found.identical.all()


def test_class_conditional_networks():
    network = small_network(num_class_embeds=3)
    network.class_embedding.weight.data *= 5
    scheduler = diffusers.DDIMScheduler(clip_sample=False, beta_end=0.002)
    sampler = DiffusionSampler(network, scheduler, n_steps=4)
    labels = torch.tensor([0, 2])
    noise = TorchNoise(sampler.latent_shape, batch_size=2)(seed=5)
    images = sampler.images(noise, class_labels=labels)
    alone = sampler.images(noise[1:], class_labels=labels[1:])
    assert np.abs(images[1:].astype(int) - alone).max() <= 1
    floats = sampler.run(noise, class_labels=labels).clip(0.01, 0.99)
    right, wrong = (
        sampler.invert(floats, class_labels=own).noise - noise.numpy()
        for own in (labels, labels.flip(0))
    )
    assert (np.square(right).mean(axis=(1, 2, 3)) < np.square(wrong).mean(axis=(1, 2, 3))).all()
    assert sampler.invert(images, class_labels=labels).converged.all()
    for wrong in ([0, 3], [0.0, 2.0]):
        with pytest.raises(ValueError, match=r"called with class_labels: .* integers"):
            sampler.images(noise, class_labels=wrong)


def test_guidance_belongs_to_pipelines_that_have_it():
    with pytest.raises(TypeError, match="no guidance_scale"):
        DiffusionSampler.from_pipeline(small_latent_pipeline(), guidance_scale=4.0)


class Forgetful(torch.nn.Module):
    """Its flow is nearly blind to half of the values, the smaller the flow's time the more."""

    def forward(self, x, t):
        half = torch.zeros_like(x)
        half[..., 4:] = 1
        return half * 0.999 * x / t.clamp(min=0.02).reshape(-1, 1, 1, 1)


def test_mean_noise_leaves_out_what_gray_levels_do_not_tell():
    from tests.generators.test_diffusion import flow_schedule

    sampler = DiffusionSampler(Forgetful(), flow_schedule(20), latent_shape=(1, 8, 8))
    noise = 0.3 * TorchNoise((1, 8, 8))(seed=5)
    images = sampler.images(noise)
    told, lost = np.s_[..., :4], np.s_[..., 4:]
    assert images[told].std() > 20
    assert images[lost].std() < 2
    mean, solved = sampler.invert(images), sampler.invert(images, n_copies=0)
    assert np.isnan([mean.residuals, mean.round_trip]).all()
    assert mean.converged.all()
    assert mean.n_calls[0] == 2 * 20
    np.testing.assert_allclose(mean.noise[told], noise[told], atol=0.02)
    np.testing.assert_allclose(solved.noise[told], noise[told], atol=0.02)
    assert mean.noise[lost].std() < 0.5 * solved.noise[lost].std()
    pair = np.concatenate([255 - images, images])
    assert np.array_equal(sampler.invert(pair).noise[1], mean.noise[0])
