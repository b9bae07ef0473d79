"""Posterior densities of rows: against closed forms, and on the shipped generators."""

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

from sklearn_flipad.reproduction import LatentPosteriorDetector
from sklearn_flipad.zoo import DCGANGenerator


class Affine(torch.nn.Module):
    """x = W z + b: the density of rows is normal."""

    def __init__(self, n_latents=6, n_columns=4):
        super().__init__()
        torch.manual_seed(0)
        self.linear = torch.nn.Linear(n_latents, n_columns)
        self.latent_shape = (n_latents,)

    def forward(self, z):
        return self.linear(z)


NOISE = np.array([0.1, 0.2, 0.3, 0.4])


@pytest.fixture(scope="module")
def affine():
    return Affine()


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(0).normal(size=(70, 4))


def detector_of(generator, **options):
    options = {"noise": NOISE, "n_drawn": 200, "max_iter": 10, **options}
    return LatentPosteriorDetector(generator, **options)


def test_evidence_of_a_linear_generator_is_exact(affine, rows):
    W = affine.linear.weight.detach().double().numpy()
    b = affine.linear.bias.detach().double().numpy()
    exact = stats.multivariate_normal(b, W @ W.T + np.diag(NOISE**2)).logpdf(rows)
    found = detector_of(affine).score_samples(rows)
    np.testing.assert_allclose(found - found[0], exact - exact[0], atol=1e-6)


def test_latents_are_the_most_probable(affine, rows):
    W = affine.linear.weight.detach().double().numpy() / NOISE[:, None]
    b = affine.linear.bias.detach().double().numpy()
    target = (rows - b) / NOISE
    z = np.linalg.solve(W.T @ W + np.eye(6), W.T @ target.T).T
    found = detector_of(affine).reconstruct(rows)
    np.testing.assert_allclose(found.latents, z, atol=1e-6)
    residuals = target - z @ W.T
    np.testing.assert_allclose(found.distances, np.sqrt(np.square(residuals).mean(axis=1)))
    energy = (np.square(residuals).sum(axis=1) + np.square(z).sum(axis=1)) / 2
    np.testing.assert_allclose(found.log_posterior, -energy)


def test_rows_do_not_depend_on_their_neighbors(affine, rows):
    detector = detector_of(affine)
    whole = detector.score_samples(rows)
    np.testing.assert_array_equal(detector.score_samples(rows[::-1])[::-1], whole)
    np.testing.assert_array_equal(detector.score_samples(rows[66:67]), whole[66:67])


def test_scores_and_their_names(affine, rows):
    found = detector_of(affine).reconstruct(rows)
    for score, values in {
        "evidence": found.log_evidence,
        "posterior": found.log_posterior,
        "distance": -found.distances,
    }.items():
        detector = clone(detector_of(affine, score=score)).fit(rows)
        np.testing.assert_array_equal(detector.score_samples(rows), values)


def test_where_latents_are_many_the_prior_decides():
    """With as many latents as columns any row is reproduced; the density still tells rows."""
    generator = Affine(8, 4)
    own = generator(torch.from_numpy(np.random.default_rng(1).normal(size=(64, 8))).float())
    own, other = own.detach().numpy(), 3 * np.random.default_rng(2).normal(size=(64, 4))
    truth = np.repeat([1, 0], 64)
    auc = {}
    for score in ("distance", "evidence"):
        detector = detector_of(generator, noise=1e-3, score=score)
        auc[score] = roc_auc_score(truth, detector.score_samples(np.concatenate([own, other])))
    assert auc["evidence"] > 0.95
    assert detector_of(generator, noise=1e-3).reconstruct(other).distances.max() < 1


def test_what_does_not_fit_is_refused(affine, rows):
    with pytest.raises(ValueError, match="X has 3 columns, but the generator makes 4"):
        detector_of(affine).score_samples(rows[:, :3])
    with pytest.raises(ValueError, match="noise must be positive"):
        detector_of(affine, noise=np.array([0.1, 0.0, 1.0, 1.0])).fit(rows)
    images = DCGANGenerator(8, (16, 8), 1)
    with pytest.raises(ValueError, match=r"shape \(1, 16, 16\), but this detector is for rows"):
        detector_of(images).fit(rows)
    with pytest.raises(ValueError, match="no attribute latent_shape"):
        detector_of(torch.nn.Linear(6, 4)).fit(rows)
