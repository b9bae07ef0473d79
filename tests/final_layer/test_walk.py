"""One call of ``from_generator`` enters few rooms."""

import sys
from pathlib import Path

import torch
from torch import nn

import sklearn_flipad
from sklearn_flipad import FinalLayer

ROOT = Path(sklearn_flipad.__file__).parent
MOST = 6


def rooms_entered(function):
    """Folders of the package whose functions are called."""
    entered = set()

    def note(frame, event, argument):
        path = Path(frame.f_code.co_filename)
        if event == "call" and ROOT in path.parents:
            entered.add(path.relative_to(ROOT).parts[0])

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(before)
    return entered


def test_from_generator_enters_few_rooms():
    torch.manual_seed(0)
    generator = nn.Sequential(
        nn.Linear(4, 64),
        nn.ReLU(),
        nn.Unflatten(1, (4, 4, 4)),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(4, 1, 3, padding=1),
        nn.Tanh(),
    )

    def find():
        FinalLayer.from_generator(generator, latent_shape=(4,), n_samples=20, random_state=0)

    rooms = rooms_entered(find)
    assert {"final_layer", "generators", "operators"} <= rooms
    assert len(rooms) <= MOST, sorted(rooms)
