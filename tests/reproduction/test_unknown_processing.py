"""Unknown processing: its fit, and the search with it."""

import copy

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from sklearn_flipad import (
    LatentEncoder,
    ReproductionDetector,
    load_attributor,
    make_reproduction,
    save_attributor,
)
from sklearn_flipad.evaluation import UnknownProcessing, noisy_copy
from sklearn_flipad.evaluation.perturbations import Downscale, GaussianBlur, JPEGCompression
from sklearn_flipad.generators import sample
from sklearn_flipad.generators.process.filter_and_tone import FilterAndTone
from sklearn_flipad.generators.process.processing import Processing
from sklearn_flipad.reproduction.search.objective import Objective
from sklearn_flipad.zoo import load_pretrained

ENDS = (-1.0, 1.0)
#: Tones, without resizing, which the fit does not hold exactly.
TONES = {"smallest": 1.0, "gamma": 0.0}


@pytest.fixture
def pictures():
    """Smooth pictures of three channels, whose values stay within [-0.9, 0.9]."""
    rng = np.random.default_rng(0)
    small = torch.from_numpy(rng.uniform(-0.9, 0.9, (4, 3, 8, 9)))
    return nn.functional.interpolate(small, (16, 18), mode="bilinear")


def numbers_of(n, rng):
    """Random filters and tones, near to nothing and within the bounds."""
    numbers = 0.05 * rng.standard_normal((n, 3, 11))
    numbers[..., 4] += 0.9
    return torch.from_numpy(numbers)


@pytest.mark.parametrize("after", [None, Downscale(12)])
def test_numbers_are_found_again(pictures, after):
    processing = Processing(
        [UnknownProcessing(ridge=0.01), *([after] if after else [])], (3, 16, 18)
    )
    unknown = processing.fitted(ENDS)
    expected = numbers_of(4, np.random.default_rng(1))
    targets = unknown.apply(pictures, expected)
    assert targets.abs().max() < 1
    found = unknown.fit(pictures, targets)
    residuals = unknown.apply(pictures, found) - targets
    assert residuals.abs().max() < 1e-2
    if after is None:
        torch.testing.assert_close(found, expected, atol=0.02, rtol=0)
        return
    before = unknown.apply(pictures, expected, through=False).numpy()
    np.testing.assert_allclose(targets.numpy(), after.fit(before).transform(before), atol=1e-6)


def test_resizings_are_those_of_the_draws():
    step = UnknownProcessing(gain=0.0, offset=0.0, gamma=0.0)
    unknown = Processing(step, (1, 24, 20)).fitted(ENDS)
    x = np.random.default_rng(0).uniform(-1, 1, (40, 1, 24, 20))
    drawn, x = step.transform(x), torch.from_numpy(x)
    found = torch.stack(
        [unknown.resized(x, torch.full((len(x),), number)) for number in range(unknown.n_resizings)]
    )
    errors = (found - torch.from_numpy(drawn)).abs().amax(dim=(2, 3, 4))
    nearest = errors.min(dim=0)
    # Sizes are rounded on both axes by one factor in the draws, so that a few differ by a pixel.
    assert (nearest.values < 1e-4).double().mean() > 0.6
    assert (nearest.indices == 0).double().mean() > 0.1


def test_pixels_that_were_clipped_do_not_mislead(pictures):
    unknown = FilterAndTone(0.01, ENDS)
    expected = numbers_of(4, np.random.default_rng(1))
    expected[..., :9] *= 1.6
    expected[..., 10] = 0.2
    unclipped = unknown.apply(pictures, expected)
    assert (unclipped.abs() > 1).double().mean() > 0.05
    found = unknown.fit(pictures, unclipped.clamp(*ENDS))
    torch.testing.assert_close(found, expected, atol=0.1, rtol=0)


@pytest.mark.parametrize("of_tone", [False, True])
def test_pixels_that_a_file_format_clipped_do_not_mislead(pictures, of_tone):
    """They are near to the ends then, and not at them."""
    rng = np.random.default_rng(1)
    expected = numbers_of(4, rng)
    expected[..., :9] *= 1.6
    expected[..., 10] = -0.2
    found = {}
    for steps in ([], [JPEGCompression(90)]):
        unknown = Processing([UnknownProcessing(ridge=0.01), *steps], (3, 16, 18)).fitted(ENDS)
        unknown = unknown.of_tone() if of_tone else unknown
        numbers = expected[..., [4, 9, 10]] if of_tone else expected
        targets = unknown.apply(pictures, numbers).clamp(*ENDS)
        targets = targets + torch.from_numpy(0.02 * rng.uniform(size=targets.shape))
        fitted = unknown.fit(pictures, targets)
        found[len(steps)] = unknown.squares(pictures, targets, 1)
        apart = unknown.apply(pictures, fitted).clamp(*ENDS) - targets
        assert (apart.abs().max() < 0.05) == bool(steps)
    assert (found[1] < 2e-4).all()
    assert (found[0] > 5 * found[1]).all()


def test_the_fit_does_not_draw_the_picture(pictures):
    unknown = FilterAndTone(1.0, ENDS)
    deviation = pictures.std(dim=(2, 3))
    for target in (torch.full_like(pictures, 0.2), pictures.flip(0)):
        numbers = unknown.fit(pictures, target)
        sums, squares = numbers[..., :9].sum(dim=2), numbers[..., 9]
        assert sums.min() > 0.5 - 1e-9
        assert sums.max() < 2 + 1e-9
        assert squares.abs().max() < 0.2 + 1e-9
        assert numbers[..., 10].abs().max() < 0.25 + 1e-9
        left = (unknown.apply(pictures, numbers) - target).std(dim=(2, 3))
        assert (left > 0.15 * deviation).all()


class Double(nn.Module):
    """A generator in double precision."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Linear(5, 16), nn.Softplus(), nn.Linear(16, 256)).double()

    def forward(self, z, conditions=None):
        return torch.tanh(self.body(z)).reshape(-1, 1, 16, 16)


def test_the_gradient_is_that_of_the_least_sum(pictures):
    """Though the numbers are held fixed in derivatives, and move in differences."""
    resizings = UnknownProcessing().resizings(16, 16)
    unknown = FilterAndTone(25.0, ENDS, resizings=resizings)
    objective = Objective(Double(), unit=1 / 127.5, ends=ENDS, unknown=unknown)
    conditions = torch.tensor([0, 3, 0, 5])  # resizings
    latents = torch.from_numpy(np.random.default_rng(0).standard_normal((4, 5)))
    targets = 0.8 * pictures[:, :1, :, :16] - 0.1
    _, gradients = objective.values_and_gradients(latents, conditions, targets)
    for column in range(5):
        step = torch.zeros(5, dtype=torch.float64)
        step[column] = 1e-5
        values = [
            objective.residuals(latents + side * step, conditions, targets).square().mean(dim=1)
            for side in (-1, 1)
        ]
        differences = (values[1] - values[0]).detach() / 2e-5
        torch.testing.assert_close(gradients[:, column], differences, rtol=1e-4, atol=1e-4)


@pytest.fixture(scope="module")
def fashion():
    return load_pretrained("fashion/dcgan-0")


@pytest.fixture(scope="module")
def encoder(fashion):
    return LatentEncoder(max_steps=40, processing=UnknownProcessing()).fit(fashion)


@pytest.fixture(scope="module")
def tones(fashion):
    """Own samples and those of a copy, each with a tone of its own."""
    copy = noisy_copy(fashion, 0.1, where="earlier", random_state=0)
    step = UnknownProcessing(random_state=7, **TONES)
    pairs = ((fashion, 10), (copy, 4))
    return [step.fit_transform(sample(G, n, random_state=1)) for G, n in pairs]


@pytest.fixture(scope="module")
def detector(fashion, encoder):
    return ReproductionDetector(
        fashion, encoder=encoder, processing=UnknownProcessing(), max_iter=60, n_restarts=0
    )


def test_a_search_that_failed_goes_on_from_further_starts(fashion, encoder):
    X = UnknownProcessing(random_state=7).fit_transform(sample(fashion, 4, random_state=1))
    biased = copy.deepcopy(encoder)
    # An error that corrections of the guess find.
    biased._statistics["latent_mean"] = biased._statistics["latent_mean"] + 2.0
    options = {"encoder": biased, "processing": UnknownProcessing(), "max_iter": 60}
    few, more = (
        ReproductionDetector(fashion, n_restarts=n, **options).reconstruct(X) for n in (0, 4)
    )
    assert few.reproduced.sum() < 3
    assert more.reproduced.all()
    np.testing.assert_array_equal(more.n_iter[few.reproduced], few.n_iter[few.reproduced])
    failed = np.flatnonzero(~few.reproduced)[-1:]
    again = ReproductionDetector(fashion, n_restarts=4, **options).reconstruct(X[failed])
    np.testing.assert_array_equal(again.distances, more.distances[failed])


def test_own_samples_that_were_resized_are_reproduced_and_those_of_a_copy_are_not(
    fashion, detector
):
    step = UnknownProcessing(random_state=7)
    copy = noisy_copy(fashion, 0.1, where="earlier", random_state=0)
    own, copied = (
        detector.reconstruct(step.fit_transform(sample(G, n, random_state=1)))
        for G, n in ((fashion, 8), (copy, 4))
    )
    assert own.reproduced.mean() > 0.5
    flat = np.broadcast_to(np.uint8([0, 40, 128, 255])[:, None, None, None], (4, 1, 32, 32))
    assert detector.reconstruct(flat).distances.min() > 2 * np.median(own.distances)
    assert not copied.reproduced.any()
    assert (own.conditions == 0).all()


def test_own_samples_of_unknown_tones_are_reproduced_and_those_of_a_copy_are_not(
    fashion, encoder, detector, tones
):
    own, copied = (detector.reconstruct(X) for X in tones)
    assert own.reproduced.mean() > 0.8
    assert not copied.reproduced.any()
    assert np.median(copied.distances) > 2 * np.median(own.distances)
    differences = tones[0].astype(float) - own.reconstructions
    rms = np.sqrt(np.square(differences).mean(axis=(1, 2, 3)))
    assert (rms < own.distances + 0.4).all()
    plain = ReproductionDetector(fashion, encoder=encoder, n_restarts=0, n_newton=0)
    assert not plain.reconstruct(tones[0]).reproduced.any()


def test_samples_of_unknown_processing_do_not_depend_on_their_neighbors(detector, tones):
    detector = clone(detector).set_params(max_iter=12)
    scores = detector.score_samples(tones[1])
    others = np.concatenate([tones[0], tones[0], tones[1]])
    np.testing.assert_array_equal(detector.score_samples(others)[20:], scores)


def test_distances_are_relative_to_the_error_of_the_format(fashion, encoder):
    jpeg = JPEGCompression(80)
    steps = [UnknownProcessing(**TONES), jpeg]
    X = jpeg.fit_transform(steps[0].fit_transform(sample(fashion, 8, random_state=1)))
    options = {"encoder": encoder, "max_iter": 60, "n_restarts": 0}
    found = ReproductionDetector(fashion, processing=steps, **options).reconstruct(X)
    # The fit takes a little of the format's error, and the search misses a few samples.
    assert 0.8 < np.median(found.distances) < 1.2
    before = ReproductionDetector(fashion, processing=steps[:1], **options).reconstruct(X)
    rms = np.sqrt(np.square(found.reconstructions - X.astype(float)).mean(axis=(1, 2, 3)))
    assert np.median(rms) < np.median(before.distances)


def test_known_steps_come_before_and_after(fashion, encoder):
    """A blur of 5x5 pixels is no filter of 3x3, and an image is blurred before it is compressed."""
    blur, unknown = GaussianBlur(5, 1.5), UnknownProcessing(random_state=7, **TONES)
    X = sample(fashion, 4, random_state=1)
    for steps in ([blur, unknown], [unknown, blur]):
        processed = X
        for step in steps:
            processed = step.fit_transform(processed)
        options = {"encoder": encoder, "max_iter": 60, "n_restarts": 0}
        known = ReproductionDetector(fashion, processing=steps, **options)
        assert np.median(known.reconstruct(processed).distances) < 0.6


def test_refused_unknown_processing(fashion, encoder):
    unknown = UnknownProcessing()
    with pytest.raises(ValueError, match="more than one UnknownProcessing"):
        Processing([unknown, unknown], (1, 32, 32))
    with pytest.raises(ValueError, match=r"fits 11 numbers .* 8x8 pixels"):
        Processing(unknown, (1, 8, 8))
    floats = sample(fashion, 4, dtype="float32", random_state=0)
    with pytest.raises(ValueError, match="pass uint8"):
        ReproductionDetector(fashion, encoder=encoder, processing=unknown).score_samples(floats)
    with pytest.raises(ValueError, match="pass uint8"):
        LatentEncoder(max_steps=1, dtype="float32", processing=unknown).fit(fashion)


def test_attributors_of_unknown_processing_come_back_from_files(fashion, encoder, tones, tmp_path):
    steps = [UnknownProcessing(gain=0.2), JPEGCompression(90)]
    attributor = make_reproduction(
        fashion, encoder=encoder, processing=steps, max_iter=3, n_restarts=0, fnr=0.2
    ).set_params(detect__estimator__n_newton=0)
    attributor.fit(JPEGCompression(90).fit_transform(tones[0]))
    save_attributor(attributor, tmp_path / "attributor")
    loaded = load_attributor(tmp_path / "attributor")
    np.testing.assert_array_equal(
        loaded.score_samples(tones[1]), attributor.score_samples(tones[1])
    )
    assert repr(loaded["detect"].estimator_.processing) == repr(steps)
