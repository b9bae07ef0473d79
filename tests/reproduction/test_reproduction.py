"""The search for latents that reproduce a sample, and its parts."""

import copy
import json
import re
import warnings

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from torch import nn

from sklearn_flipad import (
    FNRThresholdCalibrator,
    LatentEncoder,
    ReproductionDetector,
    SMInvDetector,
    make_reproduction,
)
from sklearn_flipad.evaluation.perturbations import (
    CenterCropResize,
    Downscale,
    GaussianBlur,
    GaussianNoise,
    JPEGCompression,
)
from sklearn_flipad.generators import sample
from sklearn_flipad.generators.process.latent_space import LatentSpace
from sklearn_flipad.generators.process.processing import Processing
from sklearn_flipad.reproduction import SearchOptions
from sklearn_flipad.reproduction.encoding.networks import make_encoder_network
from sklearn_flipad.reproduction.search.gauss_newton import jacobian, levenberg_marquardt
from sklearn_flipad.reproduction.search.latent_search import search_latents
from sklearn_flipad.reproduction.search.metric import LatentMetric
from sklearn_flipad.reproduction.search.objective import Objective
from sklearn_flipad.reproduction.search.plan import SearchPlan
from sklearn_flipad.scoring.runs.conditions import Conditions
from sklearn_flipad.zoo import ConditionalDCGANGenerator, load_pretrained
from tests.bits import assert_same_bits


class Images(nn.Module):
    """A small generator whose samples depend smoothly on 6 latents."""

    latent_shape = (6,)

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.body = nn.Sequential(
            nn.Linear(6, 32), nn.Softplus(), nn.Linear(32, 64), nn.Unflatten(1, (1, 8, 8))
        )

    def forward(self, z):
        return torch.tanh(self.body(z))


@pytest.fixture(scope="module")
def images():
    return Images()


@pytest.fixture(scope="module")
def encoder(images):
    return LatentEncoder(max_steps=60).fit(images)


@pytest.fixture(scope="module")
def fashion():
    return load_pretrained("fashion/dcgan-0")


@pytest.fixture(scope="module")
def fashion_encoder(fashion):
    return LatentEncoder(max_steps=60).fit(fashion)


# The search


def test_own_samples_are_reproduced_and_a_changed_copy_is_not(fashion, fashion_encoder):
    detector = ReproductionDetector(fashion, encoder=fashion_encoder)
    found = detector.reconstruct(sample(fashion, 16, random_state=0))
    assert found.reproduced.all()
    assert (found.outcomes == "reproduced").all()
    assert found.distances.max() < 0.3
    assert found.equal.min() > 0.95
    assert found.reconstructions.dtype == np.uint8
    changed = copy.deepcopy(fashion)
    rng = np.random.default_rng(0)
    for parameter in changed.parameters():
        if parameter.ndim > 1:
            noise = torch.from_numpy(rng.standard_normal(parameter.shape)).float()
            parameter.data += 0.02 * parameter.data.std() * noise
    copied = detector.reconstruct(sample(changed, 8, random_state=0))
    assert not copied.reproduced.any()
    assert copied.distances.min() > found.distances.max()


def search_of_waves(starts, **limits):
    """The search for the latent 0.5, of a generator for which others are minima too."""

    def generate(latents, conditions):
        return torch.cat([0.2 * latents, torch.sin(2 * latents)], dim=1)

    objective = Objective(generate, rounded=False)
    target = generate(torch.tensor([[0.5]]), None)
    metric = LatentMetric(4 * np.eye(1), np.ones(1))
    starts = [(torch.tensor([[start]]), torch.zeros(1, dtype=torch.int64)) for start in starts]
    plan = SearchPlan(**{"max_iter": 60, "batch_size": 1, **limits})
    (record,) = search_latents(objective, metric, target, starts, plan)
    return record


def test_another_start_leads_out_of_a_minimum():
    """The nearest minimum of the first start is not the sample."""
    record = search_of_waves([3.4, 3.4])
    assert (record.outcome, record.is_confirmed) == ("undecided", True)
    record = search_of_waves([3.4, 0.4])
    assert (record.outcome, record.is_confirmed) == ("reproduced", False)
    assert record.latents.item() == pytest.approx(0.5, abs=1e-3)


def test_a_start_without_a_value_does_not_take_that_of_a_neighbor():
    def generate(latents, conditions):
        return torch.where(latents > 10, torch.nan, torch.cat([latents, 2 * latents], dim=1))

    objective = Objective(generate, rounded=False)
    targets = generate(torch.tensor([[0.5], [0.5]]), None)
    starts = [(torch.tensor([[0.4], [20.0]]), torch.zeros(2, dtype=torch.int64))]
    metric = LatentMetric(np.eye(1), np.ones(1))
    records = search_latents(objective, metric, targets, starts, SearchPlan(max_iter=30))
    assert [record.outcome for record in records] == ["reproduced", "undecided"]
    assert records[1].distance == np.inf


def test_the_first_start_that_arrives_ends_its_round():
    """After a minimum four starts go side by side; those that are cut off have their trials."""
    starts = [3.4, 9.5, 6.5, 0.4, 12.6, 15.8]
    record = search_of_waves(starts)
    assert (record.outcome, record.n_starts, record.n_given_up) == ("reproduced", 5, 0)
    alone = search_of_waves(starts[:1]).n_iter + search_of_waves([0.4]).n_iter
    assert record.n_iter > alone
    assert search_of_waves(starts[:3]).outcome == "undecided"


def test_a_round_that_comes_back_and_leads_nowhere_nearer_is_the_last():
    starts = [6.5, 6.4, 9.5, 12.6, 15.8, 0.4]
    record = search_of_waves(starts)
    assert (record.outcome, record.n_starts) == ("undecided", 5)
    # One that came nearer begins another; and all conditions are tried.
    record = search_of_waves([6.5, 3.4, *starts[2:]])
    assert (record.outcome, record.n_starts) == ("reproduced", 6)
    record = search_of_waves(starts, n_conditions=6)
    assert (record.outcome, record.n_starts) == ("reproduced", 6)


def test_gauss_newton_is_for_what_is_no_minimum_for_sure():
    """Few trials leave the first start on its way; elsewhere all come back to one minimum."""
    assert search_of_waves([0.6], max_iter=2).outcome == "undecided"
    assert search_of_waves([0.6], max_iter=2, n_newton=5).outcome == "reproduced"
    starts = [3.4, 3.5, 3.3, 3.45, 3.6]
    n_iter = [search_of_waves(starts, n_newton=n_newton).n_iter for n_newton in (0, 5)]
    assert n_iter[0] == n_iter[1]
    assert search_of_waves(starts[:1], n_newton=5).n_iter > search_of_waves(starts[:1]).n_iter


def test_starts_in_vain_are_a_rejection():
    limits = {"bounds": (1e-6, 1e-6), "options": SearchOptions(checkpoints=(15,))}
    for n, n_conditions in ((2, 1), (3, 2)):
        record = search_of_waves([3.4, 9.5, 6.5, 0.4], n_conditions=n_conditions, **limits)
        assert (record.outcome, record.n_starts, record.n_given_up) == ("rejected", n, n)
    # One that came nearer is no start in vain.
    record = search_of_waves([9.5, 3.4, 0.4], **limits)
    assert (record.outcome, record.n_starts) == ("reproduced", 3)


def test_further_starts_take_the_encoders_error_off():
    """An encoder that is off by the same everywhere is right once it is corrected."""
    generator = nn.Linear(6, 64)
    inverse = torch.linalg.pinv(generator.weight.detach())

    class Off(nn.Module):
        def forward(self, x):
            return (x - generator.bias) @ inverse.T + 1

    z = torch.randn(5, 6, generator=torch.Generator().manual_seed(0))
    X = generator(z).detach().numpy()
    detector = ReproductionDetector(generator, encoder=Off(), latent_shape=(6,))
    process = detector._prepared(X)[1]
    search = detector._searching(process)
    with torch.no_grad():
        starts = search.starts.of(torch.from_numpy(X), Objective.of(process).make)
    starts = [latents for latents, _ in starts]
    torch.testing.assert_close(starts[0], z + 1, atol=1e-4, rtol=0)
    for corrected in starts[1:7]:
        torch.testing.assert_close(corrected, z, atol=1e-4, rtol=0)
    assert (starts[7] - z).abs().max() > 0.1


def test_random_starts_are_not_the_noise_of_others(images, encoder):
    detector = ReproductionDetector(images, encoder=encoder, n_restarts=20)
    _, process = detector._prepared(sample(images, 1, random_state=0))
    starts = detector._searching(process).starts
    assert not np.isin(starts.drawn.numpy(), starts.noise.astype(np.float32)).any()


def test_latents_are_those_that_made_the_sample(images, encoder):
    latents = torch.randn(5, 6, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        X = images(latents).numpy()
    found = ReproductionDetector(images, encoder=encoder).reconstruct(X)
    assert found.reproduced.all()
    np.testing.assert_allclose(found.latents, latents.numpy(), atol=0.02)
    np.testing.assert_allclose(found.reconstructions, X, atol=1e-3)
    assert np.isnan(found.equal).all()


def test_a_sample_does_not_depend_on_its_neighbors(fashion, fashion_encoder):
    X = sample(fashion, 9, random_state=0)
    detector = ReproductionDetector(
        fashion, encoder=fashion_encoder, max_iter=15, n_restarts=2, n_newton=1
    )
    together = detector.reconstruct(X)
    order = np.random.default_rng(0).permutation(9)
    for other in (
        detector.reconstruct(X[order]).latents[np.argsort(order)],
        clone(detector).set_params(batch_size=4).reconstruct(X).latents,
        detector.reconstruct(X.reshape(9, -1)).latents,
    ):
        assert_same_bits(other, together.latents)
    for i in (0, 8):
        assert_same_bits(detector.reconstruct(X[i : i + 1]).latents[0], together.latents[i])


def test_what_is_far_away_is_rejected_early(fashion, fashion_encoder):
    own = sample(fashion, 40, random_state=0)
    detector = ReproductionDetector(fashion, encoder=fashion_encoder).fit(own)
    assert np.isfinite(detector.bounds_).all()
    found = detector.reconstruct(255 - own[:16])
    assert (found.outcomes == "rejected").all()
    assert found.n_iter.max() <= 100
    assert (found.distances > min(detector.bounds_)).all()
    fresh = detector.reconstruct(sample(fashion, 16, random_state=1))
    assert fresh.reproduced.all()


def test_an_attributor_from_the_encoder_to_the_verdict(images):
    X = sample(images, 150, random_state=0)
    encoder = LatentEncoder(max_steps=60)
    attributor = make_reproduction(images, encoder=encoder, fnr=0.05, cv=0.2).fit(X)
    assert (attributor.predict(sample(images, 100, random_state=1)) == 1).mean() > 0.85
    assert (attributor.predict(sample(Images(1), 50, random_state=1)) == -1).all()


def test_a_threshold_that_failures_set_is_a_warning(images, encoder, monkeypatch):
    detector = ReproductionDetector(images, encoder=encoder)
    distances = np.r_[np.full(97, 0.28), 5.0, 6.0, 7.0]
    monkeypatch.setattr(ReproductionDetector, "score_samples", lambda self, X: -distances)
    X = sample(images, 100, random_state=0)
    calibrator = FNRThresholdCalibrator(FrozenEstimator(detector), fnr=0.02)
    with pytest.warns(UserWarning, match="3 of 100 .* sets the threshold: 6, .* at least 0.0397"):
        calibrator.fit(X)
    (message,) = calibrator.threshold_warnings()
    assert "sets the threshold: 6" in message
    ((finding, _),) = Conditions(calibrator).messages({}, 10)  # of score and report
    assert finding == f"When the attributor was fitted: {message}"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        advised = clone(calibrator).set_params(fnr=0.0397).fit(X)
        assert advised.threshold_warnings() == []
        detector.check_threshold(np.linspace(10, 20, 50), 20.0)


def test_the_encoder_must_be_trained(images):
    X = sample(images, 3, random_state=0)
    with pytest.raises(NotFittedError, match="encoder is not trained"):
        ReproductionDetector(images, encoder=LatentEncoder()).score_samples(X)


def test_clones_share_a_trained_encoder(images, encoder):
    copied = clone(ReproductionDetector(images, encoder=encoder))
    assert copied.encoder is encoder
    fresh = LatentEncoder()
    assert clone(ReproductionDetector(images, encoder=fresh)).encoder is not fresh


def test_an_encoder_alone(images, encoder):
    X = sample(images, 12, random_state=0)
    detector = ReproductionDetector(images, encoder=encoder, max_iter=0, n_newton=0)
    found = detector.reconstruct(X)
    assert_same_bits(found.latents, encoder.encode(X))
    assert found.distances.min() > 0.3


def test_an_autoencoders_own_encoder(images):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 6))
    X = sample(images, 8, random_state=0)
    found = ReproductionDetector(images, encoder=network).fit(X).reconstruct(X)
    assert found.reproduced.mean() > 0.5
    wrong = nn.Sequential(nn.Flatten(), nn.Linear(64, 5))
    with pytest.raises(ValueError, match="5 numbers for a sample, but the generator takes 6"):
        ReproductionDetector(images, encoder=wrong).score_samples(X)


@pytest.mark.parametrize("processing", [None, JPEGCompression(80)])
def test_own_distance_judges_what_was_found(images, encoder, processing):
    X = sample(images, 5, random_state=0)

    def distance(x, reconstruction):
        return (x - reconstruction).abs().flatten(1).amax(dim=1)

    options = {"encoder": encoder, "distance": distance, "processing": processing}
    detector = ReproductionDetector(images, **options)
    found = detector.reconstruct(X)
    largest = np.abs(X.astype(float) - found.reconstructions).reshape(5, -1).max(axis=1) / 127.5
    np.testing.assert_allclose(found.distances, largest, atol=1e-6)
    assert not found.reproduced.any()


# Generators of many kinds


class _Wrapped(nn.Module):
    latent_shape = (6,)

    def __init__(self, inner):
        super().__init__()
        self.inner = inner


class WithoutGradients(_Wrapped):
    def forward(self, z):
        with torch.no_grad():
            return self.inner(z)


class Dropping(_Wrapped):
    def forward(self, z):
        return torch.tanh(nn.functional.dropout(self.inner.body(z), 0.5, training=True))


def test_a_generator_without_gradients(images, encoder):
    silent = WithoutGradients(images)
    X = sample(images, 6, random_state=0)
    assert ReproductionDetector(silent, encoder=encoder).reconstruct(X).reproduced.all()
    with pytest.raises(ValueError, match="have no gradients"):
        SMInvDetector(silent).score_samples(X)
    with pytest.raises(ValueError, match="Gauss-Newton is switched off"):
        ReproductionDetector(silent, encoder=encoder, n_newton=0).score_samples(X)


def test_a_generator_with_active_dropout(images, encoder):
    with pytest.warns(UserWarning, match="dropout"):
        ReproductionDetector(Dropping(images), encoder=encoder, max_iter=2).score_samples(
            sample(images, 2, random_state=0)
        )


def test_half_precision_is_refused_with_advice_that_works(images):
    half = copy.deepcopy(images).half()
    with pytest.raises(ValueError, match=r"copy\.deepcopy\(generator\)\.float\(\)"):
        LatentEncoder(max_steps=1, output_range=(-1, 1)).fit(half)
    LatentEncoder(max_steps=1).fit(copy.deepcopy(half).float())


def test_classes_are_searched():
    generator = ConditionalDCGANGenerator(4, (8, 8), 1).eval()
    for parameter in generator.parameters():
        parameter.data.mul_(4)
    encoder = LatentEncoder(max_steps=150).fit(generator)
    assert encoder.n_conditions_ == 2
    rng = np.random.RandomState(5)
    space = LatentSpace(generator)
    ((latents, classes),) = space.draw(generator, 12, rng)
    with torch.no_grad():
        X = generator(*space.inputs(latents, classes)).numpy()
    found = ReproductionDetector(generator, encoder=encoder).reconstruct(X)
    assert found.reproduced.mean() > 0.8
    np.testing.assert_array_equal(
        found.conditions[found.reproduced], classes.numpy()[found.reproduced]
    )


class TwoInputs(nn.Module):
    """Latents in two inputs, and a class as one-hot rows."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Linear(9, 32), nn.Softplus(), nn.Linear(32, 20))

    def sampler(self, n, rng):
        classes = np.eye(3, dtype=np.float32)[rng.randint(3, size=n)]
        return (
            rng.uniform(-1, 1, (n, 2)).astype(np.float32),
            classes,
            rng.standard_normal((n, 2, 2)).astype(np.float32),
        )

    def forward(self, a, one_hot, b):
        return self.body(torch.cat([a, 2 * one_hot, b.flatten(1)], dim=1))


def test_several_inputs_and_tables():
    generator = TwoInputs()
    space = LatentSpace(generator)
    assert (space.n_features, len(space.conditions)) == (6, 3)
    X = sample(generator, 20, dtype="float32", random_state=3)
    encoder = LatentEncoder(max_steps=300).fit(generator)
    found = ReproductionDetector(generator, encoder=encoder).reconstruct(X)
    assert found.reproduced.mean() > 0.8
    assert found.latents.shape == (20, 6)


def test_signals_have_a_network():
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(5, 200), nn.Unflatten(1, (2, 100)), nn.Tanh())
    encoder = LatentEncoder(max_steps=5, latent_shape=5).fit(generator)
    X = sample(generator, 4, dtype="float32", latent_shape=5, random_state=0)
    assert encoder.encode(X).shape == (4, 5)
    detector = ReproductionDetector(generator, encoder=encoder, latent_shape=5)
    assert detector.reconstruct(X).reproduced.all()


def test_too_many_conditions():
    class Seeds(nn.Module):
        def sampler(self, n, rng):
            return rng.standard_normal((n, 2)).astype(np.float32), rng.randint(10**6, size=n)

        def forward(self, z, seed):
            return z + seed[:, None]

    with pytest.raises(ValueError, match="too many values"):
        LatentSpace(Seeds())


# The encoder


def test_the_encoder_learns_and_is_seeded(images):
    first, again, other = (
        LatentEncoder(max_steps=40, random_state=seed).fit(images) for seed in (0, 0, 1)
    )
    X = sample(images, 4, random_state=0)
    np.testing.assert_array_equal(first.encode(X), again.encode(X))
    assert not np.array_equal(first.encode(X), other.encode(X))
    longer = LatentEncoder(max_steps=400).fit(images)
    assert longer.history_[-1]["error"] < first.history_[-1]["error"]


def test_training_stops_when_a_short_search_is_enough(images):
    encoder = LatentEncoder(max_steps=100_000, checkpoint=None)
    encoder.set_params(max_steps=2000).fit(images)
    assert encoder.history_[-1]["reproduced"] == 1
    assert encoder.history_[-1]["step"] < 2000


def test_a_training_that_was_cut_off_goes_on(images, tmp_path, monkeypatch):
    from sklearn_flipad.reproduction.encoding import training as encoder_training

    monkeypatch.setattr(encoder_training, "_N_TRIALS", 1)  # no early end
    path = tmp_path / "encoder"
    whole = LatentEncoder(max_steps=50).fit(images)
    advance = encoder_training._Training.advance

    def killed(training):
        if training.step == 30:
            raise KeyboardInterrupt
        advance(training)

    with monkeypatch.context() as patch:
        patch.setattr(encoder_training._Training, "advance", killed)
        with pytest.raises(KeyboardInterrupt):
            LatentEncoder(max_steps=50, checkpoint=path).fit(images)
    resumed = LatentEncoder(max_steps=50, checkpoint=path).fit(images)
    X = sample(images, 4, random_state=0)
    np.testing.assert_array_equal(resumed.encode(X), whole.encode(X))
    assert resumed.history_ == whole.history_
    with pytest.raises(ValueError, match="another lr"):
        LatentEncoder(max_steps=50, lr=1e-4, checkpoint=path).fit(images)
    with pytest.raises(ValueError, match="another generator"):
        LatentEncoder(max_steps=50, checkpoint=path).fit(Images(1))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match="or is damaged"):
        LatentEncoder(max_steps=50, checkpoint=path).fit(images)


@pytest.mark.parametrize(
    ("shape", "widths"),
    [
        ((1, 32, 32), [32, 64, 128]),
        ((3, 64, 64), [16, 32, 64, 128]),
        ((3, 256, 192), [16, 32, 64, 128, 128, 128]),
        ((1, 8192), [16, 32, 64, 128, 128, 128]),
        ((3, 4, 9), []),
    ],
)
def test_networks_of_large_samples_are_narrow_in_front(shape, widths):
    network = make_encoder_network(shape, 7)
    found = [layer.out_channels for layer in network if hasattr(layer, "out_channels")]
    assert found == widths
    assert network.eval()(torch.zeros(2, *shape)).shape == (2, 7)


def test_an_encoder_on_disk(images, encoder, tmp_path):
    X = sample(images, 6, random_state=0)
    encoder.save(tmp_path / "encoder")
    loaded = LatentEncoder.load(tmp_path / "encoder")
    np.testing.assert_array_equal(loaded.encode(X), encoder.encode(X))
    scores = [ReproductionDetector(images, encoder=e).score_samples(X) for e in (encoder, loaded)]
    np.testing.assert_array_equal(*scores)
    content = bytearray((tmp_path / "encoder").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "encoder").write_bytes(content)
    with pytest.raises(ValueError, match="checksum"):
        LatentEncoder.load(tmp_path / "encoder")


def test_a_network_of_ones_own(images, tmp_path):
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 6))
    encoder = LatentEncoder(max_steps=30, module=network).fit(images)
    encoder.save(tmp_path / "encoder")
    with pytest.raises(ValueError, match="pass module="):
        LatentEncoder.load(tmp_path / "encoder")
    loaded = LatentEncoder.load(tmp_path / "encoder", module=copy.deepcopy(network))
    X = sample(images, 6, random_state=0)
    np.testing.assert_array_equal(loaded.encode(X), encoder.encode(X))
    wrong = nn.Sequential(nn.Flatten(), nn.Linear(64, 7))
    with pytest.raises(ValueError, match=r"returns 7 numbers .* take 6"):
        LatentEncoder(max_steps=1, module=wrong).fit(images)
    with pytest.raises(ValueError, match="cannot be used"):
        LatentEncoder.load(tmp_path / "encoder", module=wrong)


def test_history_is_plain_json(encoder):
    assert json.loads(json.dumps(encoder.history_)) == encoder.history_


# Processing


@pytest.mark.parametrize("step", [GaussianBlur(5, 1.0), CenterCropResize(7), Downscale(5)])
def test_processing_that_can_be_differentiated_is_the_perturbation(step):
    X = np.random.default_rng(0).uniform(-0.9, 0.9, (3, 2, 8, 12)).astype(np.float32)
    processed = Processing(step, (2, 8, 12)).differentiable()(torch.from_numpy(X))
    np.testing.assert_allclose(processed.numpy(), step.fit(X).transform(X), atol=1e-6)


@pytest.mark.parametrize(
    "steps", [GaussianBlur(3, 1.0), Downscale(20), [CenterCropResize(30), GaussianBlur(3, 0.7)]]
)
def test_processed_samples_are_reproduced(fashion, fashion_encoder, steps):
    X = sample(fashion, 8, random_state=0)
    for step in steps if isinstance(steps, list) else [steps]:
        X = step.fit(X).transform(X)
    options = {"encoder": fashion_encoder}
    plain = ReproductionDetector(fashion, n_restarts=0, **options)
    assert not plain.reconstruct(X).reproduced.any()
    known = ReproductionDetector(fashion, processing=steps, **options).reconstruct(X)
    assert known.reproduced.mean() > 0.9
    difference = X.astype(float) - known.reconstructions
    assert np.sqrt(np.square(difference).mean()) < 0.5


def test_a_file_format_is_applied_before_the_comparison(fashion, fashion_encoder):
    jpeg = JPEGCompression(80)
    X = jpeg.fit_transform(sample(fashion, 8, random_state=0))
    options = {"encoder": fashion_encoder, "n_restarts": 0}
    plain = -ReproductionDetector(fashion, **options).score_samples(X)
    known = -ReproductionDetector(fashion, processing=jpeg, **options).score_samples(X)
    assert (known < 0.7 * plain).all()
    assert known.mean() < 0.6 * plain.mean()


def test_noise_raises_the_floor(fashion, fashion_encoder):
    noise = GaussianNoise(0.05)
    X = noise.fit_transform(sample(fashion, 8, random_state=0))
    options = {"encoder": fashion_encoder}
    plain = ReproductionDetector(fashion, n_restarts=0, **options)
    assert not plain.reconstruct(X).reproduced.any()
    known = ReproductionDetector(fashion, processing=noise, **options).reconstruct(X)
    assert known.reproduced.mean() > 0.9


def test_processing_needs_images_and_an_encoder(images):
    with pytest.raises(TypeError, match="processing"):
        SMInvDetector(images, processing=GaussianBlur())
    with pytest.raises(ValueError, match="is for images"):
        Processing(GaussianBlur(), (5,))


@pytest.mark.parametrize("steps", ["blur", GaussianBlur, [GaussianBlur(), 3]])
def test_processing_takes_perturbations(steps):
    with pytest.raises(TypeError, match="instead of a perturbation"):
        Processing(steps, (1, 8, 8))


def test_own_samples_that_were_processed_in_secret_are_noticed(fashion, fashion_encoder):
    X = GaussianBlur(3, 1.0).fit_transform(sample(fashion, 12, random_state=0))
    with pytest.warns(UserWarning, match="pass processing="):
        ReproductionDetector(fashion, encoder=fashion_encoder, max_iter=60, n_restarts=0).fit(X)


#: Limits of searches that are quick also where they fail.
FEW = {"n_restarts": 1, "n_newton": 0}


def test_gray_levels_that_were_cut_off_are_named_and_read_as_such(fashion, fashion_encoder):
    x = (sample(fashion, 10, dtype="float32", random_state=0) + 1) / 2
    for X in ((x * 255).astype(np.uint8), np.clip(x * 256, 0, 255).astype(np.uint8)):
        detector = ReproductionDetector(fashion, encoder=fashion_encoder, **FEW)
        with pytest.warns(UserWarning, match=r"were cut off .* are reproduced as such") as caught:
            detector.fit(X[:6])
        low, high = re.search(r"pass output_range=\((.*), (.*)\),", str(caught[0].message)).groups()
        detector.set_params(output_range=(float(low), float(high)))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            detector.fit(X[:6])
        found = detector.reconstruct(X[6:])
        assert found.reproduced.mean() > 0.7
        assert (found.equal[found.reproduced] > 0.95).all()


def test_suspects_whose_gray_levels_were_cut_off(fashion, fashion_encoder):
    x = (sample(fashion, 4, dtype="float32", random_state=0) + 1) / 2
    X = (x * 255).astype(np.uint8)
    detector = ReproductionDetector(fashion, encoder=fashion_encoder, **FEW)
    with pytest.warns(UserWarning, match="[34] of 4 samples are nearly .* were cut off") as caught:
        detector.score_samples(X)
    low, high = re.search(
        r"made with output_range=\((.*), (.*)\) and", str(caught[0].message)
    ).groups()
    moved = {"output_range": (float(low), float(high))}
    own = sample(fashion, 16, random_state=1, **moved)
    attributor = make_reproduction(
        fashion, encoder=fashion_encoder, fnr=0.2, cv=0.5, n_restarts=1, **moved
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (attributor.fit(own).predict(X) == 1).mean() > 0.5
        detector.score_samples(sample(fashion, 2, random_state=2))
        detector.score_samples(sample(load_pretrained("fashion/lsgan-2"), 2, random_state=2))


def test_statistics_of_batches_that_are_out_of_date(fashion, fashion_encoder):
    """The generator's own samples were drawn in train mode, which hides its wrong statistics."""
    stale = copy.deepcopy(fashion)
    for module in stale.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean += 0.2 * module.running_var.sqrt()
    latents = torch.randn(256, *fashion.latent_shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        x = copy.deepcopy(stale).train()(latents).numpy()
    X = np.rint((x + 1) * 127.5).astype(np.uint8)[:5]
    with pytest.warns(UserWarning, match=r"ran in train mode .* after generator.eval\(\)"):
        ReproductionDetector(stale, encoder=fashion_encoder, **FEW).fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        own = sample(stale, 5, random_state=0)
        ReproductionDetector(stale, encoder=fashion_encoder, **FEW).fit(own)


# Parts


def test_the_floor_holds_for_rounding_and_clipping():
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(128, 90, (2000, 1, 8, 8)))
    targets = x.clamp(0, 255).round()
    objective = Objective(lambda z, c: x, ends=(0.0, 255.0))
    distances = objective.residuals(None, None, targets).square().mean(dim=1).sqrt()
    floors = objective.floor(targets)
    assert (distances <= floors).double().mean() > 0.999
    # Close: a quarter of a gray level more would not be reproduced.
    shifted = (targets - 0.25 - x).flatten(1).square().mean(dim=1).sqrt()
    inside = ((targets > 0) & (targets < 255)).flatten(1).all(dim=1)
    assert (shifted[inside] > floors[inside]).all()


def _residuals():
    objective = Objective(lambda z, c: torch.sin(3 * z @ matrix) + z @ matrix, rounded=False)
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(3, 12, generator=generator, dtype=torch.float64)
    target = torch.randn(1, 12, generator=generator, dtype=torch.float64)
    return objective, target, torch.zeros(1, dtype=torch.int64), torch.ones(3).double()


def test_jacobian_by_differences():
    objective, target, condition, scale = _residuals()
    z = torch.tensor([[0.3, -0.2, 0.1]], dtype=torch.float64)
    _, found = jacobian(objective, z, condition, target, scale)
    expected = torch.autograd.functional.jacobian(
        lambda z: objective.residuals(z, condition, target)[0], z
    )[:, 0].T
    torch.testing.assert_close(found, expected, atol=0.05, rtol=0.01)


def test_levenberg_marquardt_is_that_of_scipy():
    objective, target, condition, scale = _residuals()
    start = torch.tensor([[0.1, -0.1, 0.2]], dtype=torch.float64)
    _, value, n_iter = levenberg_marquardt(objective, start, condition, target, scale, max_iter=50)

    def residuals(z):
        return objective.residuals(torch.from_numpy(z[None]), condition, target)[0].numpy()

    expected = least_squares(residuals, start[0].numpy(), method="lm")
    assert float(value) == pytest.approx(2 * expected.cost / 12, rel=1e-3)
    assert n_iter < 50
