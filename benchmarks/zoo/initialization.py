"""Initial weights of a training."""

import torch
from torch import nn

__all__ = ["initialize_weights"]


def initialize_weights(module, random_state=0):
    """Draw convolutions from N(0, 0.02²), batch-norm scales from N(1, 0.02²), in place.

    This is DCGAN's initialization (Radford et al., ICLR 2016). Embeddings of classes are drawn
    from N(0, 1), like latents.
    """
    rng = torch.Generator().manual_seed(random_state)
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.normal_(layer.weight, 0.0, 0.02, generator=rng)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.02, generator=rng)
            nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.Embedding):
            nn.init.normal_(layer.weight, generator=rng)
    return module
