"""Seeds that leave torch's global random state unchanged."""

import threading
from contextlib import contextmanager
from numbers import Integral

import numpy as np
import torch
from sklearn.utils import check_random_state

__all__ = ["draw_seed", "seeded", "separate_stream"]

#: Torch has one global generator in a process, so one thread at a time may seed it.
_LOCK = threading.RLock()


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
