"""The residual discriminator of StyleGAN2 (Karras et al., CVPR 2020)."""

from itertools import pairwise
from math import gcd, sqrt

import torch
from torch import nn
from torch.nn import functional as F

__all__ = ["StyleGAN2Discriminator"]

_EPS = 1e-8
#: Images whose features are compared.
_GROUP = 4


def _activate(x):
    return F.leaky_relu(x, 0.2) * sqrt(2)


class _Affine(nn.Module):
    """A linear layer with an equalized learning rate."""

    def __init__(self, n_in, n_out):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_out, n_in))
        self.bias = nn.Parameter(torch.zeros(n_out))

    def forward(self, x):
        return F.linear(x, self.weight * (1 / sqrt(self.weight.shape[1])), self.bias)


class _Conv(nn.Module):
    """A convolution with an equalized learning rate, at half the resolution if `down`."""

    def __init__(self, n_in, n_out, side, *, down=False, bias=True):
        super().__init__()
        self.side, self.down = side, down
        self.weight = nn.Parameter(torch.randn(n_out, n_in, side, side))
        self.bias = nn.Parameter(torch.zeros(n_out)) if bias else None
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("resample_filter", torch.outer(taps, taps), persistent=False)

    def forward(self, x):
        weight = self.weight / sqrt(self.weight[0].numel())
        if not self.down:
            return F.conv2d(x, weight, self.bias, padding=self.side // 2)
        kernel = self.resample_filter.expand(x.shape[1], 1, 4, 4)
        x = F.conv2d(x, kernel, padding=(self.side + 1) // 2, groups=x.shape[1])
        return F.conv2d(x, weight, self.bias, stride=2)


class _ResidualBlock(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.conv0 = _Conv(n_in, n_in, 3)
        self.conv1 = _Conv(n_in, n_out, 3, down=True)
        self.skip = _Conv(n_in, n_out, 1, down=True, bias=False)

    def forward(self, x):
        return (_activate(self.conv1(_activate(self.conv0(x)))) + self.skip(x)) / sqrt(2)


class StyleGAN2Discriminator(nn.Module):
    """Discriminator with one logit per image; `channels` go from the full resolution to 4x4."""

    def __init__(self, channels=(128, 256, 512, 512, 512, 512, 512), in_channels=3):
        super().__init__()
        self.fromrgb = _Conv(in_channels, channels[0], 1)
        pairs = pairwise(channels)
        self.blocks = nn.Sequential(*(_ResidualBlock(n_in, n_out) for n_in, n_out in pairs))
        self.conv = _Conv(channels[-1] + 1, channels[-1], 3)
        self.fc = _Affine(channels[-1] * 16, channels[-1])
        self.out = _Affine(channels[-1], 1)

    def forward(self, x):
        x = self.blocks(_activate(self.fromrgb(x)))
        x = _activate(self.conv(torch.cat([x, _spread(x)], dim=1)))
        return self.out(_activate(self.fc(x.flatten(1)))).flatten()


def _spread(x):
    """Mean deviation of the features within groups of images, as one channel."""
    n_groups = len(x) // gcd(len(x), _GROUP)
    # Images of a group are n_groups apart.
    groups = x.reshape(-1, n_groups, *x.shape[1:])
    spread = (groups.var(dim=0, unbiased=False) + _EPS).sqrt().flatten(1).mean(dim=1)
    return spread.repeat(len(groups))[:, None, None, None].expand(-1, 1, *x.shape[2:])
