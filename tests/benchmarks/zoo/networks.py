"""Networks of several tests of training."""

import torch


class Conditioned(torch.nn.Module):
    """A network with a class as its second argument, and no method ``sampler``."""

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.latent_shape = getattr(network, "latent_shape", None)

    def forward(self, x, labels):
        return self.network(x)
