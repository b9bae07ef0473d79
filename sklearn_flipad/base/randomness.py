"""Seeds that leave torch's global random state unchanged."""

import threading
from contextlib import contextmanager
from enum import IntEnum, unique
from numbers import Integral

import numpy as np
import torch
from sklearn.utils import check_random_state

__all__ = ["Purpose", "draw_seed", "seeded", "separate_stream"]

#: Torch has one global generator in a process, so one thread at a time may seed it.
_LOCK = threading.RLock()


@unique
class Purpose(IntEnum):
    """Purposes of random numbers: streams of the same seed are independent by their numbers.

    A number stays with its purpose for good, so that results do not change.
    """

    #: Latents over which a final layer's input is averaged.
    MEAN_ACTIVATION = 1
    #: Latents that a search starts from.
    RANDOM_STARTS = 2
    #: Random numbers that a traced generator draws itself.
    GENERATOR_NOISE = 3
    #: Latents of the samples nearest to a row, where the search for its posterior starts.
    POSTERIOR_STARTS = 4
    #: Latents over which the metric of a search is averaged.
    METRIC = 5
    #: Noise on an encoder's guess.
    START_NOISE = 6
    #: Latents over which statistics of batch normalization are averaged.
    BATCH_STATISTICS = 7
    ENCODER_TRAINING = 11
    ENCODER_STATISTICS = 12
    ENCODER_VALIDATION = 13
    #: Noise on the weights of a copy.
    WEIGHT_NOISE = 21
    FINE_TUNING = 22
    DISTILLATION = 23


@contextmanager
def seeded(seed, device="cpu"):
    """Seed torch's global generators, also that of a CUDA `device`, and restore them afterwards.

    Only one thread at a time: others wait.
    """
    device = torch.device(device)
    devices = [device] if device.type == "cuda" else []
    with _LOCK, torch.random.fork_rng(devices=devices):
        # torch.manual_seed would also seed devices whose numbers are not kept here.
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        elif device.type != "cpu":
            torch.manual_seed(seed)
        yield


def draw_seed(random_state):
    """Seed for torch: determined by an int, drawn from anything else."""
    return int(check_random_state(random_state).randint(2**31 - 1))


def separate_stream(random_state, purpose):
    """Random numbers that differ from those of `sample` for the same seed, and by `purpose`.

    Otherwise the latents that an attributor has used, for its mean activation or as starting
    points, would be those of the samples that calibrate it. A RandomState is used as it is.
    """
    if isinstance(random_state, Integral):
        return np.random.RandomState([random_state, purpose])
    return check_random_state(random_state)
