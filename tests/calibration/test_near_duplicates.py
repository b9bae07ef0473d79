"""Near-duplicates among images and sounds are one draw; samples of a model are not."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from sklearn_flipad import make_rawpad
from sklearn_flipad.calibration._draws import draws_of
from sklearn_flipad.calibration._near_duplicates import near_duplicates
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.detectors import ExternalDetector
from sklearn_flipad.evaluation.perturbations import JPEGCompression
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import load_pretrained
from tests.calibration.test_independence import MEMORY


def n_sets(X):
    return len(np.unique(near_duplicates(X)))


@pytest.fixture(scope="module")
def images():
    return load_fashion_sample()[:300]


@pytest.fixture
def sounds():
    noise = np.random.default_rng(0).normal(size=(60, 1, 2048))
    return gaussian_filter(noise, (0, 0, 2)).astype(np.float32)


def test_different_samples_are_draws_of_their_own(images, sounds):
    generated = sample(load_pretrained("fashion/dcgan-0"), 300, random_state=0)
    for X in (images, generated, sounds):
        np.testing.assert_array_equal(np.unique(near_duplicates(X), return_counts=True)[1], 1)


@pytest.mark.parametrize("quality", [75, 90])
def test_compressed_copies_belong_to_their_original(quality, images):
    number = near_duplicates(np.r_[images, JPEGCompression(quality).fit_transform(images)])
    assert (number[: len(images)] == number[len(images) :]).mean() > 0.95
    assert n_sets(np.r_[images, images]) == len(images)


def test_brighter_images_and_quieter_sounds_are_copies(images, sounds):
    darker = images // 2  # no value is cut off
    assert n_sets(np.r_[darker, darker + 20]) == len(images)
    assert n_sets(np.r_[sounds, 0.5 * sounds]) == len(sounds)


def test_frames_of_a_clip_are_one_set_though_its_ends_differ():
    first, last = gaussian_filter(
        np.random.default_rng(0).normal(size=(2, 1, 32, 32)), (0, 0, 4, 4)
    )
    clip = np.stack([(1 - t) * first + t * last for t in np.linspace(0, 1, 200)])
    assert n_sets(clip[[0, -1]]) == 2
    assert n_sets(clip) == 1


def test_images_of_several_sizes(images):
    larger = [np.repeat(np.repeat(image, 2, 1), 2, 2) for image in images[:20]]
    padded = np.pad(images[0], ((0, 0), (0, 4), (0, 4)))
    number = near_duplicates([*images[:20], padded, *larger])
    np.testing.assert_array_equal(number[:20], number[21:])
    assert len(np.unique(number)) == 21


def test_order_does_not_matter(images):
    X = np.r_[images[:50], JPEGCompression(75).fit_transform(images[:50])]
    rows = np.random.default_rng(0).permutation(len(X))
    number, moved = near_duplicates(X), near_duplicates(X[rows])
    same = number[rows][:, None] == number[rows]
    np.testing.assert_array_equal(same, moved[:, None] == moved)


def test_flat_samples_are_copies_only_if_they_are_equal():
    flat = np.full((4, 1, 16, 16), 7.0)
    flat[2:] = 9.0
    assert n_sets(flat) == 4
    assert len(np.unique(draws_of(flat, perceptual=True).numbers)) == 2


@pytest.mark.parametrize(
    "X",
    [
        np.ones((5, 3)) + 1e-6 * np.arange(15).reshape(5, 3),
        pd.DataFrame({"a": [1.0, 1.001, 1.002], "b": [2.0, 2.0, 2.0]}),
        np.ones((5, 1, 4, 4)),  # smaller than its thumbnail
    ],
)
def test_rows_of_tables_and_tiny_images_have_none(X):
    assert n_sets(X) == len(X)


def test_new_samples_are_not_missed_where_each_was_saved_in_several_qualities():
    own = sample(load_pretrained("fashion/dcgan-0"), 220, random_state=0)
    X = np.concatenate(
        [own[:120], *(JPEGCompression(q).fit_transform(own[:120]) for q in (85, 90))]
    )
    attributor = make_rawpad(detector=ExternalDetector(MEMORY), fnr=0.1, random_state=0)
    with pytest.warns(UserWarning, match="The 360 samples of the model are .* near-duplicates"):
        attributor.fit(X)
    assert len(attributor[-1].calibration_scores_) == 24
    assert (attributor.predict(own[120:]) == -1).mean() < 0.2

    # As the warning says where they are independent draws.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        attributor.fit(X, groups=np.arange(len(X)))
    assert len(attributor[-1].calibration_scores_) == 72
