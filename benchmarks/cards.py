"""What the benchmarks compute on."""

import torch

__all__ = ["BATCH_SIZE", "device_name"]

#: Samples that a search of latents takes side by side, on which no result depends: a card is
#: idle with few.
BATCH_SIZE = 256 if torch.cuda.is_available() else 32


def device_name():
    """The name of the card, ``"cpu"`` where there is none."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
