"""Small diffusion models, never trained."""

import copy

import numpy as np
import torch

from sklearn_flipad.generators import DiffusionSampler, DiffusionSchedule


class Velocity(torch.nn.Module):
    """A network for flow matching that can be shifted by a class."""

    def forward(self, x, t, class_labels=None):
        shift = 0.0 if class_labels is None else 0.3 * class_labels[:, None, None, None]
        return torch.tanh(x + shift)


def flow_sampler(side=8, n_steps=10, channels=1):
    """A sampler of images of this size that needs no package and hardly any time."""
    t = np.linspace(1, 0, n_steps + 1)
    schedule = DiffusionSchedule.first_order(1 - t, t, t[:-1], prediction="flow")
    return DiffusionSampler(Velocity(), schedule, latent_shape=(channels, side, side))


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


def small_autoencoder(seed=1):
    """An AutoencoderKL of 3x16x16 pixels and 4x8x8 latents."""
    import diffusers

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return diffusers.AutoencoderKL(
            block_out_channels=(16, 16),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            layers_per_block=1,
            norm_num_groups=4,
            latent_channels=4,
            sample_size=16,
        ).eval()


def small_transformer(seed=2):
    """A DiTTransformer2DModel of 4x8x8 latents that predicts variances too."""
    import diffusers

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = diffusers.DiTTransformer2DModel(
            num_attention_heads=2,
            attention_head_dim=8,
            in_channels=4,
            out_channels=8,
            num_layers=1,
            norm_num_groups=4,
            sample_size=8,
            num_embeds_ada_norm=1000,
        ).eval()
        # Its last layers start at zero.
        for weight in network.parameters():
            torch.nn.init.normal_(weight, std=0.2)
    return network


def small_latent_pipeline():
    """An LDMPipeline, whose levels let a network that was never trained stay in a range."""
    import diffusers

    network = small_network(in_channels=4, out_channels=4)
    scheduler = diffusers.DDIMScheduler(clip_sample=False, beta_end=0.002)
    return quiet(diffusers.LDMPipeline(small_autoencoder(), network, scheduler))


def quiet(pipeline):
    """The pipeline without progress bars."""
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
