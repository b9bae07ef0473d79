"""Seeds that leave torch's global random numbers as they were."""

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
    ENCODER_TRAINING = 11
    ENCODER_STATISTICS = 12
    ENCODER_VALIDATION = 13
    #: Noise on the weights of a copy.
    WEIGHT_NOISE = 21
    FINE_TUNING = 22
    DISTILLATION = 23


@contextmanager
def seeded(seed, device="cpu"):
    """Torch's global generators seeded, and as they were afterwards.

    One thread at a time: others that ask for it wait.

    Parameters
    ----------
    seed : int
        Seed.
    device : str or torch.device, default="cpu"
        A CUDA device whose generator is seeded beside that of the CPU.
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
    """A seed for torch: a function of an int, a draw from anything else.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        A seed, or random numbers.

    Returns
    -------
    int
    """
    return int(check_random_state(random_state).randint(2**31 - 1))


def separate_stream(random_state, purpose):
    """Random numbers that are not those of `sample` for the same seed.

    Latents that an attributor has used, in its mean activation or as starting points, would
    otherwise be those of the samples that calibrate it.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        A seed, or random numbers to use as they are.
    purpose : int
        Streams of different purposes are independent.

    Returns
    -------
    numpy.random.RandomState
    """
    if isinstance(random_state, Integral):
        return np.random.RandomState([random_state, purpose])
    return check_random_state(random_state)
