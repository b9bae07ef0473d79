"""The way that a call takes through the package."""

import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

import sklearn_flipad
from sklearn_flipad import LatentEncoder, ReproductionDetector, SMInvDetector
from sklearn_flipad.generators import sample
from sklearn_flipad.generators.process.latent_function import LatentFunction
from sklearn_flipad.generators.watching.layers import find_output_activation

ROOT = Path(sklearn_flipad.__file__).parent


class Images(nn.Module):
    latent_shape = (4,)

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Linear(4, 64), nn.Unflatten(1, (1, 8, 8)))

    def forward(self, z):
        return torch.tanh(self.body(z))


@pytest.fixture(scope="module")
def generator():
    return Images()


@pytest.fixture(scope="module")
def encoder(generator):
    return LatentEncoder(max_steps=5).fit(generator)


@pytest.fixture(scope="module")
def own(generator):
    return sample(generator, 30, random_state=0)


@pytest.fixture(params=["reproduction", "network", "sminv"])
def detector(request, generator, encoder):
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 4))
    return {
        "reproduction": ReproductionDetector(generator, encoder=encoder, max_iter=20),
        "network": ReproductionDetector(generator, encoder=network, max_iter=20),
        "sminv": SMInvDetector(generator, n_restarts=2, max_iter=5),
    }[request.param]


def walk(function, *args):
    """Rooms of the package whose functions a call enters, and how often it does what is counted.

    That is, how often the layers of the generator are watched to find its range, and how often
    its inputs are looked at.
    """
    rooms, counts = set(), {find_output_activation: 0, LatentFunction.__init__: 0}
    codes = {counted.__code__: counted for counted in counts}

    def profile(frame, event, _):
        if event == "call":
            path = Path(frame.f_code.co_filename)
            if path.is_relative_to(ROOT):
                rooms.add(path.relative_to(ROOT).parts[0])
            if frame.f_code in codes:
                counts[codes[frame.f_code]] += 1

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # a profile is that of one thread
    sys.setprofile(profile)
    try:
        function(*args)
    finally:
        sys.setprofile(None)
        torch.set_num_threads(n_threads)
    return rooms, *counts.values()


def test_reconstruct_enters_few_rooms_and_looks_at_the_generator_once(detector, own):
    rooms, *counts = walk(detector.reconstruct, own)
    assert len(rooms) <= 6, rooms
    assert counts == [1, 1]
    state = dict(vars(detector))
    rooms, *counts = walk(detector.score_samples, own)
    assert counts == [0, 0]
    assert vars(detector) == state


def test_fit_looks_at_the_generator_once(detector, own):
    detector.set_params(fnr=0.2)
    _, *counts = walk(detector.fit, own)
    assert counts == [1, 1]
    rooms, *counts = walk(detector.predict, own)
    assert len(rooms) <= 6, rooms
    assert counts == [0, 0]


def test_what_the_generator_is_looked_at_for_may_change(detector, generator, own):
    detector.score_samples(own[:2])
    assert walk(detector.set_params(batch_size=16).score_samples, own[:2])[2] == 0
    assert walk(detector.set_params(random_state=1).score_samples, own[:2])[2] == 1
    for change in (0.1, -0.1):
        with torch.no_grad():
            generator.body[0].bias.add_(change)
        assert walk(detector.score_samples, own[:2])[2] == 1


def test_copies_look_for_themselves(detector, own):
    expected = detector.score_samples(own[:4])
    for copied in (clone(detector), pickle.loads(pickle.dumps(detector))):
        _, *counts = walk(copied.score_samples, own[:4])
        assert counts == [1, 1]
        np.testing.assert_array_equal(copied.score_samples(own[:4]), expected)
