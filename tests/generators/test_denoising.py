"""Noise that the network of a sampler sees in samples to which some is added."""

import numpy as np
import pytest
import torch

from sklearn_flipad.generators import DiffusionSampler, DiffusionSchedule
from tests.generators.test_diffusion import SHAPE, Contraction, scheduler_of


@pytest.fixture(scope="module")
def diffusers():
    return pytest.importorskip("diffusers")


@pytest.mark.parametrize("prediction", ["epsilon", "sample", "v_prediction", "flow"])
def test_noise_errors_solve_the_output_for_the_noise(prediction):
    t = np.linspace(0.9, 0, 5)
    alphas, sigmas = (1 - t, t) if prediction == "flow" else (np.cos(t), np.sin(t))
    schedule = DiffusionSchedule.first_order(alphas, sigmas, t[:-1], prediction=prediction)
    sampler = DiffusionSampler(Contraction(), schedule, latent_shape=SHAPE, pixels=False)
    X, noise = np.random.default_rng(0).standard_normal((2, 3, *SHAPE)).astype(np.float32)
    found = sampler.noise_errors(X, noise, step=1)
    assert sampler.network.times[0][0] == np.float32(t[1])
    alpha, sigma = alphas[1], sigmas[1]
    x = alpha * X + sigma * noise
    output = np.tanh(x)
    expected = {
        "epsilon": output,
        "sample": (x - alpha * output) / sigma,
        "v_prediction": sigma * x + alpha * output,
        "flow": x + alpha * output,
    }[prediction]
    np.testing.assert_allclose(found, expected - noise, atol=1e-5)


@pytest.mark.parametrize("name", ["ddim", "ddim-v", "ddim-sample", "euler", "euler-v", "flow"])
def test_a_network_that_knows_the_noise_has_no_error(diffusers, name):
    class Knowing(torch.nn.Module):
        """Returns the output that the scheduler's prediction has for this sample and noise."""

        def forward(self, x, t):
            return self.output

    scheduler = scheduler_of(diffusers, name)
    sampler = DiffusionSampler(Knowing(), scheduler, n_steps=6, latent_shape=SHAPE)
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (2, *SHAPE)).astype(np.uint8)
    noise = rng.standard_normal((2, *SHAPE)).astype(np.float32)
    clean = torch.from_numpy(X / 127.5 - 1).float()
    alpha, sigma = sampler.schedule.levels[:, 2]
    kind = "flow" if name == "flow" else scheduler.config.prediction_type
    # Of a process whose variance grows, v is that of the state scaled to unit variance.
    scale = np.hypot(alpha, sigma)
    sampler.network.output = {
        "epsilon": torch.from_numpy(noise),
        "sample": clean,
        "v_prediction": (alpha * torch.from_numpy(noise) - sigma * clean) / scale,
        "flow": torch.from_numpy(noise) - clean,
    }[kind]
    assert np.abs(sampler.noise_errors(X, noise, step=2)).max() < 1e-3


def test_noise_errors_need_levels_of_the_first_order(diffusers):
    X, noise = np.zeros((2, *SHAPE), np.uint8), np.ones((2, *SHAPE), np.float32)
    second = DiffusionSampler(
        Contraction(), scheduler_of(diffusers, "dpm-2"), n_steps=6, latent_shape=SHAPE
    )
    with pytest.raises(ValueError, match="pass a DDIMScheduler"):
        second.noise_errors(X, noise, step=1)
    # As the error advises.
    first = DiffusionSampler(
        Contraction(), scheduler_of(diffusers, "ddim"), n_steps=6, latent_shape=SHAPE
    )
    assert first.noise_errors(X, noise, step=4).shape == (2, *SHAPE)
    with pytest.raises(ValueError, match="between 0 and 4"):
        first.noise_errors(X, noise, step=5)
    with pytest.raises(ValueError, match="the shape of the samples"):
        first.noise_errors(X[:1], noise, step=1)
