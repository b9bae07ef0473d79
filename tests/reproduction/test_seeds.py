"""Seeds of noise: matching, p-values, and the search with a diffusion model."""

import numpy as np
import pytest
import torch
from joblib import parallel_config
from scipy import stats

from sklearn_flipad.generators import DiffusionSampler, TorchNoise
from sklearn_flipad.reproduction import SeedSearch, match_seeds
from sklearn_flipad.reproduction.seeds import matching
from sklearn_flipad.reproduction.seeds._correlation import log_p_values
from tests.diffusion_models import perturbed, small_network

SHAPE = (1, 16, 16)
SEED = 1234


@pytest.mark.parametrize("n_values", [3, 10, 1024, 16384])
def test_p_values_are_those_of_the_t_test(n_values):
    r = np.array([-0.9, -0.3, -0.01, 0.0, 0.01, 0.3, 0.9]) * min(1, 20 / n_values**0.5)
    t = r * np.sqrt((n_values - 2) / (1 - r * r))
    expected = stats.t.logsf(t, n_values - 2)
    # Of scipy 1.11, logarithms near 0 have 12 digits after the point.
    np.testing.assert_allclose(log_p_values(r, n_values), expected, rtol=1e-7, atol=1e-11)


def test_p_values_below_the_least_float():
    # By the ratio of two neighbors the tail is known there: it joins without a step.
    n_values = 16384
    r = np.linspace(0.26, 0.32, 601)
    log_p = log_p_values(r, n_values)
    assert log_p[0] > -600
    assert log_p[-1] < -800
    slopes = np.diff(log_p)
    assert (np.diff(slopes) < 0.01).all()
    assert np.abs(np.diff(slopes)).max() < 0.02
    assert log_p_values([1.0], n_values)[0] == -np.inf


def test_p_values_of_wrong_seeds_are_uniform():
    noise = np.random.default_rng(0).uniform(size=(1, 1, 4, 5)) ** 2
    # Of 20 sets of seeds, and of all 3,000 seeds.
    best = [match_seeds(noise, seeds=range(k, k + 150), n_best=150) for k in range(0, 3000, 150)]
    correlations = np.concatenate([found.correlations[0] for found in best])
    assert stats.kstest(np.exp(log_p_values(correlations, 20)), "uniform").pvalue > 0.01
    # Bonferroni's, of the best of 150.
    p = np.exp([found.log_p_values[0] for found in best])
    assert 1 <= (p <= 0.5).sum() <= 15


@pytest.mark.parametrize("n_threads", [1, 3])
def test_matches(n_threads, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: n_threads)
    draw = TorchNoise((2, 4, 4), batch_size=3)
    noise = np.stack([draw(500)[2], draw(7)[0]])
    noise = 2 + noise + np.random.default_rng(0).standard_normal(noise.shape)
    found = match_seeds(noise.astype(np.float32), seeds=range(700), draw=draw, n_best=4)
    assert found.seeds[:, 0].tolist() == [500, 7]
    assert found.positions[:, 0].tolist() == [2, 0]
    assert found.n_candidates == 2100
    # As the textbook has it.
    drawn = np.concatenate([draw(seed) for seed in range(700)]).reshape(2100, -1)
    r = np.corrcoef(np.vstack([noise.astype(np.float32).reshape(2, -1), drawn]))[:2, 2:]
    np.testing.assert_allclose(found.correlations, -np.sort(-r)[:, :4], rtol=1e-6)
    p = stats.pearsonr(noise[0].ravel(), drawn[1502], alternative="greater").pvalue
    assert found.log_p_values[0] == pytest.approx(np.log(2100 * p), rel=1e-4)


def test_jobs_change_nothing():
    noise = np.concatenate(
        [TorchNoise(SHAPE)(300), np.random.default_rng(0).normal(size=(1, *SHAPE))]
    )
    alone = match_seeds(noise, seeds=range(330))
    with parallel_config(backend="threading"):
        shared = match_seeds(noise, seeds=range(330), n_jobs=4)
    for name, value in vars(alone).items():
        assert np.array_equal(getattr(shared, name), value), name
    assert alone.rows[0, 0] == alone.seeds[0, 0] == 300


def test_seeds_of_any_kind_and_order():
    noise = TorchNoise(SHAPE)(2**40 + 3)
    seeds = np.array([9, 2**40 + 3, 4], dtype=np.int64)
    found = match_seeds(noise, seeds=seeds, n_best=10)
    assert found.seeds[0, 0] == 2**40 + 3
    assert found.rows[0, 0] == 1
    assert found.seeds.shape == (1, 3)
    assert found.correlations[0, 0] == pytest.approx(1)

    def by_numpy(seed):
        return np.random.RandomState(seed).standard_normal((1, *SHAPE))

    found = match_seeds(by_numpy(17), seeds=range(100), draw=by_numpy)
    assert found.seeds[0, 0] == 17


def test_memory_does_not_grow_with_the_seeds():
    drawn = []

    def draw(seed):
        drawn.append(seed)
        if len(drawn) > 5 * matching._BLOCK:
            raise InterruptedError
        return TorchNoise(SHAPE)(seed)

    with pytest.raises(InterruptedError):
        match_seeds(TorchNoise(SHAPE)(0), seeds=range(2**32), draw=draw)


@pytest.mark.parametrize(
    ("noise", "options", "error"),
    [
        (np.ones((1, 5)), {"seeds": range(3)}, "constant or not finite"),
        (np.full((1, 5), np.nan), {"seeds": range(3)}, "constant or not finite"),
        (np.ones((1, 2)), {"seeds": range(3)}, "at least three values"),
        (np.ones(5), {"seeds": range(3)}, "at least three values"),
        (np.eye(5), {"seeds": range(0)}, "no seeds"),
        (np.eye(5), {"seeds": [0.5]}, "integers"),
        (np.eye(5), {"seeds": (0, 9)}, r"pass range\(0, 9\) or \[0, 9\]"),
        (np.eye(5), {"seeds": range(3), "n_best": 0}, "n_best must be an integer of at least 1"),
        (np.eye(5), {"seeds": range(3), "draw": lambda seed: torch.ones(1, 4)}, "shape"),
        (np.eye(5), {"seeds": range(3), "draw": lambda seed: torch.eye(5)[: seed + 1]}, "one size"),
    ],
)
def test_invalid_seeds(noise, options, error):
    with pytest.raises(ValueError, match=error):
        match_seeds(noise, **options)


@pytest.fixture(scope="module")
def pipeline():
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.DDIMScheduler(beta_end=0.002, clip_sample=False)
    pipeline = diffusers.DDIMPipeline(small_network(sample_size=16), scheduler)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture(scope="module")
def suspects(pipeline):
    """Three images of the pipeline, as PNG files hold them."""
    images = [
        pipeline(num_inference_steps=6, generator=torch.Generator().manual_seed(seed)).images[0]
        for seed in (SEED, SEED + 1, 5)
    ]
    return np.stack([np.asarray(image) for image in images])[:, None]


@pytest.fixture(scope="module")
def search(pipeline):
    sampler = DiffusionSampler.from_pipeline(pipeline, n_steps=6)
    return SeedSearch(sampler, seeds=range(SEED - 500, SEED + 500))


@pytest.fixture(scope="module")
def result(search, suspects):
    return search.search(suspects)


def test_own_images_are_made_again_in_every_value(result, suspects):
    assert result.seeds[:2].tolist() == [SEED, SEED + 1]
    assert result.identical.tolist() == [True, True, False]
    assert np.array_equal(result.samples[:2], suspects[:2])
    assert (result.log_p_values[:2] < np.log(1e-6)).all()
    best = result.best[:2]
    assert (result.distances[[0, 1], best] == 0).all()
    assert (np.delete(result.distances[0], best[0]) > 20).all()


def test_images_of_other_seeds_have_honest_p_values(result, search, suspects):
    assert result.log_p_values[2] > np.log(0.001)
    assert (result.distances[2] > 20).all()
    rng = np.random.default_rng(0)
    others = rng.integers(0, 256, (5, *SHAPE)).astype(np.uint8)
    found = search.search(others)
    assert not found.identical.any()
    assert (found.log_p_values > np.log(0.001)).all()


def test_samples_do_not_depend_on_each_other(result, search, suspects):
    alone = search.search(suspects[1:2])
    assert alone.seeds == result.seeds[1]
    assert alone.log_p_values[0] == pytest.approx(result.log_p_values[1], rel=1e-12)
    assert np.array_equal(alone.inversion.noise[0], result.inversion.noise[1])


def test_a_copy_finds_the_seed_and_makes_another_image(search, suspects, pipeline):
    copy = DiffusionSampler(
        perturbed(pipeline.unet, 0.05), pipeline.scheduler, n_steps=search.sampler.schedule.n_steps
    )
    found = SeedSearch(copy, seeds=search.seeds).search(suspects[:2])
    assert found.seeds.tolist() == [SEED, SEED + 1]
    assert (found.log_p_values < np.log(1e-6)).all()
    assert not found.identical.any()
    assert (found.distances.min(axis=1) > 0).all()
    assert (found.equal.max(axis=1) < 1).all()


def test_an_image_of_a_batch(search, pipeline):
    images = pipeline(
        batch_size=3, num_inference_steps=6, generator=torch.Generator().manual_seed(SEED)
    ).images
    draw = TorchNoise(SHAPE, batch_size=3)
    found = SeedSearch(search.sampler, seeds=search.seeds, draw=draw).search(
        np.asarray(images[1])[None, None]
    )
    assert found.identical.all()
    assert found.seeds == SEED
    assert found.matches.positions[0, found.best[0]] == 1


def test_floats(search):
    floats = search.sampler.run(TorchNoise(SHAPE)(SEED))
    found = search.search(floats)
    assert found.identical.all()
    assert found.samples.dtype == np.float32
