"""Small diffusion networks, never trained."""

import copy

import torch


def small_network(seed=0, **config):
    """A UNet of diffusers whose output is of about the size of noise."""
    import diffusers

    kinds = {
        "sample_size": 8,
        "in_channels": 1,
        "out_channels": 1,
        "block_out_channels": (8, 16),
        "down_block_types": ("DownBlock2D",) * 2,
        "up_block_types": ("UpBlock2D",) * 2,
        "layers_per_block": 1,
        "norm_num_groups": 4,
    }
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = diffusers.UNet2DModel(**{**kinds, **config}).eval()
    with torch.no_grad():
        network.conv_out.weight *= 3
    return network


def perturbed(network, scale):
    """Copy of a network with relative noise on all weights."""
    network = copy.deepcopy(network)
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in network.parameters():
            noise = torch.randn(weight.shape, generator=random)
            weight += scale * weight.abs().mean() * noise
    return network
