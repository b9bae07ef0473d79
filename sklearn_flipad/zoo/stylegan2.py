"""StyleGAN2: its generator and discriminator, configuration F, without mixed precision.

Names of parameters are those of NVIDIA's ``stylegan2-ada-pytorch``. Convolutions are modulated by
scaling their inputs and outputs rather than their weights, which is the same: so the layers that
make the image are linear maps that all samples share, of their styled inputs.
"""

from itertools import pairwise
from math import gcd, sqrt

import torch
from torch import nn
from torch.nn import functional as F

__all__ = ["StyleGAN2Discriminator", "StyleGAN2Generator"]

_EPS = 1e-8
#: Images whose features are compared by the discriminator.
_GROUP = 4


def resampling_filter():
    """The filter of all changes of resolution, which sums up to 1."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    return torch.outer(taps, taps)


class _Filtered(nn.Module):
    """A module that filters images; the filter is no part of its state."""

    def __init__(self):
        super().__init__()
        self.register_buffer("resample_filter", resampling_filter(), persistent=False)

    def smooth(self, x, padding, gain=1.0):
        kernel = (gain * self.resample_filter).expand(x.shape[1], 1, 4, 4)
        return F.conv2d(x, kernel, padding=padding, groups=x.shape[1])

    def upsample(self, x):
        kernel = (4 * self.resample_filter).expand(x.shape[1], 1, 4, 4)
        return F.conv_transpose2d(x, kernel, stride=2, padding=1, groups=x.shape[1])


class _Affine(nn.Module):
    """A linear layer with an equalized learning rate."""

    def __init__(self, n_in, n_out, bias=0.0, lr_multiplier=1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_out, n_in) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((n_out,), bias))
        self._gains = lr_multiplier / sqrt(n_in), lr_multiplier

    def forward(self, x):
        weight_gain, bias_gain = self._gains
        return F.linear(x, self.weight * weight_gain, self.bias * bias_gain)


def _activate(x):
    return F.leaky_relu(x, 0.2) * sqrt(2)


class _Mapping(nn.Module):
    """From latents to styles."""

    def __init__(self, latent_dim, style_dim, n_layers):
        super().__init__()
        for index in range(n_layers):
            n_in = latent_dim if index == 0 else style_dim
            self.add_module(f"fc{index}", _Affine(n_in, style_dim, lr_multiplier=0.01))

    def forward(self, z):
        z = z * (z.square().mean(dim=1, keepdim=True) + _EPS).rsqrt()
        for layer in self.children():
            z = _activate(layer(z))
        return z


class _StyledConv(_Filtered):
    """A modulated convolution, noise and an activation."""

    def __init__(self, n_in, n_out, style_dim, side, *, up):
        super().__init__()
        self.side, self.up = side, up
        self.affine = _Affine(style_dim, n_in, bias=1.0)
        self.weight = nn.Parameter(torch.randn(n_out, n_in, 3, 3))
        self.bias = nn.Parameter(torch.zeros(n_out))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise_const", torch.randn(side, side))

    def forward(self, x, style, noise):
        style = self.affine(style)
        x = x * style[:, :, None, None]
        if self.up:
            x = F.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2)
            x = self.smooth(x, padding=1, gain=4.0)
        else:
            x = F.conv2d(x, self.weight, padding=1)
        norms = F.linear(style.square(), self.weight.square().sum(dim=(2, 3)))
        x = x * (norms + _EPS).rsqrt()[:, :, None, None] + noise * self.noise_strength
        return _activate(x + self.bias[:, None, None])


class _ToImage(nn.Module):
    """A modulated convolution that makes an image, without demodulation."""

    def __init__(self, n_in, n_out, style_dim):
        super().__init__()
        self.affine = _Affine(style_dim, n_in, bias=1.0)
        self.weight = nn.Parameter(torch.randn(n_out, n_in, 1, 1))
        self.bias = nn.Parameter(torch.zeros(n_out))

    def forward(self, x, style):
        style = self.affine(style) / sqrt(x.shape[1])
        return F.conv2d(x * style[:, :, None, None], self.weight, self.bias)


class _Block(_Filtered):
    """All that happens at one resolution."""

    def __init__(self, n_in, n_out, style_dim, side, out_channels):
        super().__init__()
        if n_in is None:
            self.const = nn.Parameter(torch.randn(n_out, side, side))
            self.conv0 = None
        else:
            self.conv0 = _StyledConv(n_in, n_out, style_dim, side, up=True)
        self.conv1 = _StyledConv(n_out, n_out, style_dim, side, up=False)
        self.torgb = _ToImage(n_out, out_channels, style_dim)

    def forward(self, x, image, style, noises):
        if self.conv0 is None:
            x = self.const.expand(len(style), *self.const.shape)
        else:
            x = self.conv0(x, style, next(noises))
        x = self.conv1(x, style, next(noises))
        part = self.torgb(x, style)
        return x, part if image is None else self.upsample(image) + part


class StyleGAN2Generator(nn.Module):
    """StyleGAN2 with skip connections from each resolution to the image (configuration F).

    Parameters
    ----------
    latent_dim : int, default=512
        Number of latent dimensions.
    style_dim : int, default=512
        Number of dimensions of a style.
    channels : sequence of int, default=(512, 512, 512, 512, 512, 256, 128)
        Channels of 4x4, 8x8 and so on; the output has ``4 * 2 ** (len(channels) - 1)`` pixels
        per side.
    out_channels : int, default=3
        Channels of the image.
    n_mapping : int, default=8
        Layers of the mapping network.
    noise_mode : {"fixed", "latent"}, default="fixed"
        ``"fixed"`` adds the same noise to all samples, that of the buffers ``noise_const``; in
        training mode, it is drawn. With ``"latent"``, the noise is part of the latent, behind
        its first `latent_dim` elements.
    output : {"clamp", "linear", "tanh"}, default="clamp"
        What becomes of the sum of the branches. Published generators leave it as it is, and what
        writes their images clamps it to [-1, 1].

    Notes
    -----
    The truncation trick is left out, as in the training. To be given to
    :meth:`~sklearn_flipad.FinalLayer.from_generator`, a generator with ``output="clamp"`` needs
    ``activation="identity"``.

    References
    ----------
    Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020.

    Examples
    --------
    >>> from sklearn_flipad import FinalLayer
    >>> from sklearn_flipad.zoo import StyleGAN2Generator
    >>> generator = StyleGAN2Generator(8, 8, (8, 4), out_channels=1, output="tanh").eval()
    >>> layer = FinalLayer.from_generator(generator, n_samples=100, random_state=0)
    >>> layer.branch_shapes
    ((8, 4, 4), (4, 8, 8))
    """

    #: Values of black and white.
    output_range = (-1.0, 1.0)

    def __init__(
        self,
        latent_dim=512,
        style_dim=512,
        channels=(512, 512, 512, 512, 512, 256, 128),
        out_channels=3,
        n_mapping=8,
        noise_mode="fixed",
        output="clamp",
    ):
        super().__init__()
        if noise_mode not in ("fixed", "latent"):
            raise ValueError(f"noise_mode must be 'fixed' or 'latent', got {noise_mode!r}.")
        if output not in ("clamp", "linear", "tanh"):
            raise ValueError(f"output must be 'clamp', 'linear' or 'tanh', got {output!r}.")
        #: What the constructor was called with.
        self.arguments = {
            "latent_dim": latent_dim,
            "style_dim": style_dim,
            "channels": tuple(channels),
            "out_channels": out_channels,
            "n_mapping": n_mapping,
            "noise_mode": noise_mode,
            "output": output,
        }
        self.latent_dim, self.noise_mode, self.output = latent_dim, noise_mode, output
        self.mapping = _Mapping(latent_dim, style_dim, n_mapping)
        self.synthesis = nn.Module()
        n_in, side = None, 4
        for n_out in channels:
            block = _Block(n_in, n_out, style_dim, side, out_channels)
            self.synthesis.add_module(f"b{side}", block)
            n_in, side = n_out, 2 * side
        self.output_shape = (out_channels, side // 2, side // 2)
        convs = [part for part in self.modules() if isinstance(part, _StyledConv)]
        self._noise = [conv.side for conv in convs]
        n_noise = sum(s * s for s in self._noise) if noise_mode == "latent" else 0
        self.latent_shape = (latent_dim + n_noise,)

    def forward(self, z):
        z = z.reshape(len(z), *self.latent_shape)
        style = self.mapping(z[:, : self.latent_dim])
        x = image = None
        noises = self._noises(z)
        for block in self.synthesis.children():
            x, image = block(x, image, style, noises)
        if self.output == "tanh":
            return torch.tanh(image)
        return image.clamp(-1, 1) if self.output == "clamp" else image

    def _noises(self, z):
        """One plane of noise for each convolution, in the order in which they run."""
        if self.noise_mode == "latent":
            start = self.latent_dim
            for side in self._noise:
                yield z[:, start : start + side * side].reshape(len(z), 1, side, side)
                start += side * side
            return
        for part in self.modules():
            if isinstance(part, _StyledConv):
                drawn = self.training
                side = part.side
                yield torch.randn(len(z), 1, side, side).to(z) if drawn else part.noise_const


class _Conv(_Filtered):
    """A convolution with an equalized learning rate, down to half the resolution if asked."""

    def __init__(self, n_in, n_out, side, *, down=False, bias=True):
        super().__init__()
        self.side, self.down = side, down
        self.weight = nn.Parameter(torch.randn(n_out, n_in, side, side))
        self.bias = nn.Parameter(torch.zeros(n_out)) if bias else None

    def forward(self, x):
        weight = self.weight / sqrt(self.weight[0].numel())
        if not self.down:
            return F.conv2d(x, weight, self.bias, padding=self.side // 2)
        x = self.smooth(x, padding=(self.side + 1) // 2)
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
    """The residual discriminator of StyleGAN2; it returns one logit per image.

    Parameters
    ----------
    channels : sequence of int, default=(128, 256, 512, 512, 512, 512, 512)
        Channels from the image's resolution down to 4x4, which halves at each step.
    in_channels : int, default=3
        Channels of the image.

    References
    ----------
    Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020.
    """

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
    """How much the images of a group differ, as one channel."""
    n_groups = len(x) // gcd(len(x), _GROUP)
    # Images of a group are n_groups apart.
    groups = x.reshape(-1, n_groups, *x.shape[1:])
    spread = (groups.var(dim=0, unbiased=False) + _EPS).sqrt().flatten(1).mean(dim=1)
    return spread.repeat(len(groups))[:, None, None, None].expand(-1, 1, *x.shape[2:])
