"""The search for seeds as a detector: distances, thresholds, and generators without a sampler."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone, is_outlier_detector
from sklearn.exceptions import NotFittedError

from sklearn_flipad import SeedDetector, make_seeded
from sklearn_flipad.evaluation import noisy_copy
from sklearn_flipad.generators import DiffusionSampler, TorchNoise, sample
from sklearn_flipad.reproduction import ReproductionDetector, SeedSearch
from tests.diffusion_models import Velocity, flow_sampler

MODEL = flow_sampler()
SEEDS = range(1000, 1400)


class Generator(torch.nn.Module):
    """Sixteen latents to images of 8 x 8."""

    latent_shape = (16,)

    def __init__(self, seed=0):
        super().__init__()
        random = torch.Generator().manual_seed(seed)
        for name, shape in (("hidden", (32, 16)), ("last", (64, 32))):
            weight = torch.randn(shape, generator=random) / shape[1] ** 0.5
            setattr(self, name, torch.nn.Parameter(weight))

    def forward(self, z):
        x = torch.tanh(2 * torch.nn.functional.leaky_relu(z @ self.hidden.T, 0.5) @ self.last.T / 3)
        return x.reshape(-1, 1, 8, 8)


@pytest.fixture(scope="module")
def detector():
    detector = SeedDetector(MODEL, seeds=SEEDS)
    return detector.fit(detector.sample(4))


def others(n=6):
    return np.random.default_rng(0).integers(0, 256, (n, 1, 8, 8), dtype=np.uint8)


def test_own_samples_come_back_and_no_others(detector):
    own = detector.sample(6, random_state=1)
    # The model's, of a seed that is no candidate.
    elsewhere = MODEL.images(TorchNoise((1, 8, 8))(5))
    X = np.concatenate([own, elsewhere, others()])
    scores = detector.score_samples(X)
    assert (scores[:6] == 0).all()
    assert (scores[6:] == -255).all()
    assert detector.predict(X).tolist() == [1] * 6 + [-1] * 7
    assert np.array_equal(detector.score_samples(X.reshape(13, -1)), scores)
    assert np.array_equal(detector.score_samples(X[::-1]), scores[::-1])
    assert is_outlier_detector(detector)


def test_distances_are_root_mean_squares(detector):
    own = detector.sample(2)
    near = own.copy()
    near[0, 0, 0, :4] = np.where(own[0, 0, 0, :4] < 128, 10, -10) + own[0, 0, 0, :4].astype(int)
    assert detector.score_samples(near) == pytest.approx([-np.sqrt(4 * 100 / 64), 0])
    assert detector.predict(near).tolist() == [-1, 1]


def test_a_copy_is_told_by_the_sample_made_again():
    copy = SeedDetector(
        DiffusionSampler(Scaled(), MODEL.schedule, latent_shape=(1, 8, 8)), seeds=SEEDS
    )
    own = SeedDetector(MODEL, seeds=SEEDS).sample(3)
    found = copy.fit(own).search(own)
    assert (found.log_p_values < np.log(1e-6)).all()
    assert not found.identical.any()
    scores = copy.score_samples(own)
    assert ((scores < 0) & (scores > -30)).all()


class Scaled(Velocity):
    """A network that differs a little."""

    def forward(self, x, t, class_labels=None):
        return 1.02 * super().forward(x, t, class_labels)


def test_samples_are_those_of_candidates(detector):
    drawn = detector.sample(5, random_state=3)
    assert np.array_equal(drawn, detector.sample(5, random_state=3))
    assert not np.array_equal(drawn, detector.sample(5, random_state=4))
    found = detector.search(drawn)
    assert found.identical.all()
    assert len(set(found.seeds)) == 5
    assert set(found.seeds) <= set(SEEDS)
    floats = detector.sample(2, dtype="float32")
    assert floats.dtype == np.float32
    with pytest.raises(ValueError, match="fewer than 401"):
        detector.sample(401)


def test_floats_are_as_far_as_their_range():
    detector = SeedDetector(MODEL, seeds=SEEDS)
    own = detector.sample(3, dtype="float32")
    detector.fit(own)
    assert detector.far_ == 1
    scores = detector.score_samples(np.concatenate([own, 1 - own]))
    assert scores.tolist() == [0] * 3 + [-1] * 3
    with pytest.raises(ValueError, match="both gray levels or both floats"):
        detector.score_samples(others())


def test_requests_with_settings():
    rng = np.random.default_rng(0)
    log = pd.DataFrame({"seed": rng.permutation(300), "class_labels": rng.integers(0, 3, 300)})
    detector = SeedDetector(MODEL, seeds=log)
    own = detector.fit(detector.sample(2)).sample(12, random_state=1)
    found = detector.search(own)
    assert found.identical.all()
    assert (log["seed"][found.rows] == found.seeds).all()
    labels = [own["class_labels"] for own in found.settings]
    assert (log["class_labels"][found.rows] == labels).all()
    assert len(set(labels)) == 3
    assert found.matches.n_candidates == 300
    # With another condition, the noise is that of no request.
    wrong = log.assign(class_labels=(log["class_labels"] + 1) % 3)
    assert not SeedSearch(MODEL, wrong).search(own).identical.any()


def test_steps_of_requests():
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.DDIMScheduler(beta_end=0.002, clip_sample=False)
    model = DiffusionSampler(Velocity(), scheduler, n_steps=5, latent_shape=(1, 8, 8))
    log = pd.DataFrame({"seed": [3, 4, 5], "steps": [5, 8, 5], "size": [8, 8, 16]})
    images = np.concatenate(
        [
            model.images(TorchNoise((1, 8, 8))(3)),
            model.with_steps(8).images(TorchNoise((1, 8, 8))(4)),
            model.images(TorchNoise((1, 8, 8))(5)),
        ]
    )
    found = SeedSearch(model, log).search(images)
    for steps in (0, 2.5):
        with pytest.raises(ValueError, match=f"positive whole number, got {steps}"):
            SeedSearch(model, log.assign(steps=steps)).search(images)
    assert found.identical.tolist() == [True, True, False]
    assert found.rows[:2].tolist() == [0, 1]
    assert found.settings[:2] == ({"steps": 5}, {"steps": 8})
    assert found.matches.n_candidates == 2  # of their size
    assert model.schedule.n_steps == 5


@pytest.mark.parametrize(
    ("log", "error"),
    [
        ({"seed": [1], "user": [3]}, r"no 'user'.*settings=\[...\]"),
        ({"seed": [1], "class_labels": ["shoe"]}, "'class_labels' must be a number"),
        ({"seed": [1], "steps": ["20"]}, "'steps' must be a number"),
        ({"seed": [1], "steps": [3]}, "schedule by hand are fixed"),
        ({"seed": [1], "size": [9]}, "No candidate has the size"),
    ],
)
def test_settings_that_the_model_does_not_have(log, error):
    with pytest.raises(ValueError, match=error):
        SeedSearch(MODEL, pd.DataFrame(log)).search(others(1))


@pytest.mark.parametrize("kind", [list, np.array, torch.tensor])
def test_conditions_have_a_row_for_each_sample(kind):
    noise = torch.cat([TorchNoise((1, 8, 8))(seed) for seed in (5, 6)])
    images = MODEL.images(noise, class_labels=kind([1, 2]))
    search = SeedSearch(MODEL, range(20))
    assert search.search(images, class_labels=kind([1, 2])).identical.all()
    assert not search.search(images, class_labels=kind([2, 1])).identical.any()
    for value in (kind([1]), 1, None):
        for run in (search.search, MODEL.invert):
            with pytest.raises(ValueError, match=r"class_labels must have a row .* 2 samples"):
                run(images, class_labels=value)


def test_an_inversion_that_diverges_finds_no_seed(detector, monkeypatch):
    X = detector.sample(3)
    expected, invert = detector.search(X), DiffusionSampler.invert

    def diverging(self, X, **options):
        found = invert(self, X, **options)
        found.noise[-2] = np.nan
        found.noise[-1] = 0
        return found

    monkeypatch.setattr(DiffusionSampler, "invert", diverging)
    found = detector.search(X)
    assert detector.score_samples(X).tolist() == [0, -255, -255]
    assert found.log_p_values[0] == expected.log_p_values[0]
    assert (found.log_p_values[1:] > np.log(1e-3)).all()


def test_an_attributor():
    attributor = make_seeded(MODEL, seeds=SEEDS, fnr=0.1, reference="noise")
    own = attributor["detect"].estimator.sample(24)
    X = np.concatenate([own, others(40)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # that all distances are 0 is what they should be
        attributor.fit(X, np.repeat([1, -1], [24, 40]))
        make_seeded(MODEL, seeds=SEEDS, fnr=0.1).fit(own)
    assert attributor["detect"].threshold_ == 0
    fresh = attributor["detect"].estimator_.sample(5, random_state=1)
    verdicts = attributor.verdict(np.concatenate([fresh, others(46)[40:]]), fpr=0.1)
    assert verdicts.tolist() == ["own"] * 5 + ["not own"] * 6


def test_a_threshold_that_accepts_everything_is_refused():
    attributor = make_seeded(MODEL, seeds=SEEDS, fnr=0.1, random_state=0)
    own = attributor["detect"].estimator.sample(40)
    some = np.concatenate([own, MODEL.images(torch.randn(10, 1, 8, 8))])
    with pytest.raises(ValueError, match=r"found for (\d+) of 25.*larger fnr.* at least 0.\d"):
        attributor.fit(some)
    with pytest.raises(ValueError, match=r"for 6 of 6 .*Pass samples of candidates"):
        attributor.set_params(detect__fnr=0.2).fit(others(12))


def test_a_threshold_that_accepts_copies_is_a_warning(detector):
    with pytest.warns(UserWarning, match="2 of 5 .* what is up to 2 away is accepted"):
        detector.check_threshold(np.array([0, 0, 0, 1, 2.0]), 2.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        detector.check_threshold(np.array([0, 0, 0, 0, 2.0]), 0.0)


def test_a_generator_whose_latents_are_found():
    generator = Generator()
    encoder = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 16))
    detector = SeedDetector(generator, seeds=SEEDS, encoder=encoder, output_range=(-1, 1))
    own = detector.sample(4)
    assert np.array_equal(own[:1], detector.sample(1))
    X = np.concatenate([own, sample(generator, 2, output_range=(-1, 1), random_state=0), others(2)])
    detector.fit(own)
    assert isinstance(detector.reproduction_, ReproductionDetector)
    assert detector.score_samples(X).tolist() == [0] * 4 + [-255] * 4
    found = detector.search(own)
    assert found.identical.all()
    assert found.inversion.reproduced.all()
    # A copy's latents have no seed, or its sample is another one.
    copy = noisy_copy(generator, 0.02, where="all", random_state=0)
    copied = clone(detector).set_params(generator=copy).fit(own)
    assert (copied.score_samples(own) < 0).all()


def test_clones_and_what_is_refused(detector):
    again = clone(detector)
    assert again.generator is detector.generator
    assert again.seeds is detector.seeds
    with pytest.raises(NotFittedError):
        again.score_samples(others())
    with pytest.raises(ValueError, match=r"no DiffusionSampler.*encoder=LatentEncoder\(\)"):
        SeedDetector(Generator(), seeds=SEEDS).fit(others())
    latent = DiffusionSampler(Velocity(), MODEL.schedule, latent_shape=(1, 8, 8), pixels=False)
    with pytest.raises(ValueError, match="search with SeedSearch"):
        SeedDetector(latent, seeds=SEEDS).fit(np.zeros((2, 1, 8, 8)))
    with pytest.raises(ValueError, match="level"):
        SeedDetector(MODEL, seeds=SEEDS, level=2).fit(others())
    with pytest.raises(TypeError, match="got a Linear"):
        SeedSearch(torch.nn.Linear(3, 3), SEEDS).search(others())
