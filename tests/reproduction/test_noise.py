"""Generators that draw noise while they run."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_flipad import LatentEncoder, ReproductionDetector, SMInvDetector
from sklearn_flipad.generators import sample
from sklearn_flipad.generators.process.latent_function import LatentFunction


class Noisy(nn.Module):
    """Images of 6 latents, with a plane of noise of a learned strength in the hidden layer."""

    latent_shape = (6,)

    def __init__(self, seed=0, draw=lambda x: torch.randn(len(x), 1, 4, 4), strength=0.1):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.first = nn.Sequential(nn.Linear(6, 128), nn.Softplus(), nn.Unflatten(1, (8, 4, 4)))
            self.last = nn.ConvTranspose2d(8, 1, 4, 2, 1)
        self.draw, self.strength = draw, strength

    def forward(self, z):
        x = self.first(z)
        return torch.tanh(self.last(x + self.strength * self.draw(x)))


def function_of(generator):
    return LatentFunction(generator, device="cpu")


def in_place(x):
    return x.new_empty(len(x), 1, 4, 4).normal_(0.5, 2)


DRAWS = {
    "randn": lambda x: torch.randn(len(x), 1, 4, 4),
    "randn_like": lambda x: torch.randn_like(x[:, :1]),
    "normal": lambda x: torch.normal(torch.zeros_like(x[:, :1]), torch.ones_like(x[:, :1])),
    "normal with a size": lambda x: torch.normal(0.0, 1.0, (len(x), 1, 4, 4)),
    "in place": in_place,
    "a distribution": lambda x: torch.distributions.Normal(0.0, 1.0).rsample((len(x), 1, 4, 4)),
}
OTHERS = {
    "another law": (lambda x: torch.rand_like(x[:, :1]), "not drawn by torch.randn"),
    "dropout too": (
        lambda x: torch.randn_like(x) * nn.functional.dropout(torch.ones_like(x)),
        "such as dropout",
    ),
    "one draw for all": (lambda x: torch.randn(1, 1, 4, 4), "samples of one batch share it"),
    "a mean over the batch": (
        lambda x: torch.randn_like(x).mean(dim=0, keepdim=True),
        "depends on the noise of others",
    ),
}


@pytest.mark.parametrize("draw", DRAWS)
def test_normal_noise_is_found_and_supplied(draw):
    function = function_of(Noisy(draw=DRAWS[draw]))
    assert function.noise.shapes == [(1, 4, 4)]
    state = torch.get_rng_state()
    z, c = torch.zeros(3, 6), torch.zeros(3, dtype=torch.int64)
    values = torch.randn(3, 16, generator=torch.Generator().manual_seed(0)).requires_grad_(True)
    with function.running(), torch.enable_grad():
        x = function.generate(torch.cat([z, values], dim=1), c)
        alone = function.generate(torch.cat([z, values], dim=1)[1:2], c[:1])
    torch.testing.assert_close(x[1:2], alone)
    (gradient,) = torch.autograd.grad(x.square().sum(), values)
    assert (gradient != 0).all()
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("draw", OTHERS)
def test_other_noise_is_the_floor(draw):
    law, reason = OTHERS[draw]
    generator = Noisy(draw=law)
    function = function_of(generator)
    assert function.noise is None
    X = sample(generator, 16, random_state=0)
    detector = SMInvDetector(generator, n_restarts=1, max_iter=1)
    with pytest.warns(UserWarning, match=f"two draws differ by .*because .*{reason}"):
        detector.score_samples(X)


def test_the_spread_that_the_warning_names():
    generator = Noisy(draw=lambda x: torch.rand_like(x), strength=1.0)
    z, c = torch.randn(64, 6), torch.zeros(64, dtype=torch.int64)
    function = function_of(generator)
    with torch.no_grad():
        draws = [generator(z) for _ in range(2)]
    expected = (draws[0] - draws[1]).square().mean().sqrt()
    assert np.sqrt(2 * function.noise_variance) == pytest.approx(float(expected), rel=0.3)
    assert function.generate(z, c).shape == (64, 1, 8, 8)


def test_own_samples_are_reproduced_with_their_noise_and_others_are_not():
    generator = Noisy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoder = LatentEncoder(max_steps=600, random_state=0).fit(generator)
    own = sample(generator, 48, random_state=0)
    detector = ReproductionDetector(generator, encoder=encoder, random_state=0)
    with pytest.warns(UserWarning, match="16 normal ones per sample, which are searched"):
        detector.fit(own[:32])
    with pytest.warns(UserWarning, match="searched along"):
        found = detector.reconstruct(own[32:])
    assert found.reproduced.mean() > 0.8
    assert found.latents.shape == (16, 6)
    # Noise alone could make anything: it counts by its probability.
    for other in (Noisy(seed=1), Noisy(strength=0.5)):
        with pytest.warns(UserWarning, match="searched along"):
            found = detector.reconstruct(sample(other, 8, random_state=0))
        assert not found.reproduced.any()
