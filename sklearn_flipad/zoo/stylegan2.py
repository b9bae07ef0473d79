"""The generator of StyleGAN2, configuration F, without mixed precision.

Names of parameters are those of NVIDIA's ``stylegan2-ada-pytorch``. Convolutions are modulated by
scaling their inputs and outputs rather than their weights, which is equivalent. So the layers that
return the image are linear maps of styled inputs, the same for all samples.
"""

from math import sqrt

import torch
from torch import nn
from torch.nn import functional as F

__all__ = ["StyleGAN2Generator"]

_EPS = 1e-8


class _Filtered(nn.Module):
    """A module that changes the resolution of images; the filter sums up to 1."""

    def __init__(self):
        super().__init__()
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("resample_filter", torch.outer(taps, taps), persistent=False)

    def _kernel(self, x):
        return (4 * self.resample_filter).expand(x.shape[1], 1, 4, 4)

    def smooth(self, x):
        return F.conv2d(x, self._kernel(x), padding=1, groups=x.shape[1])

    def upsample(self, x):
        return F.conv_transpose2d(x, self._kernel(x), stride=2, padding=1, groups=x.shape[1])


class _Affine(nn.Module):
    """Linear layer with an equalized learning rate."""

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
    """Map from latents to styles."""

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
    """Modulated convolution, noise and an activation."""

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
            x = self.smooth(x)
        else:
            x = F.conv2d(x, self.weight, padding=1)
        norms = F.linear(style.square(), self.weight.square().sum(dim=(2, 3)))
        x = x * (norms + _EPS).rsqrt()[:, :, None, None] + noise * self.noise_strength
        return _activate(x + self.bias[:, None, None])


class _ToImage(nn.Module):
    """Modulated convolution to an image, without demodulation."""

    def __init__(self, n_in, n_out, style_dim):
        super().__init__()
        self.affine = _Affine(style_dim, n_in, bias=1.0)
        self.weight = nn.Parameter(torch.randn(n_out, n_in, 1, 1))
        self.bias = nn.Parameter(torch.zeros(n_out))

    def forward(self, x, style):
        style = self.affine(style) / sqrt(x.shape[1])
        return F.conv2d(x * style[:, :, None, None], self.weight, self.bias)


class _Block(_Filtered):
    """Layers of one resolution."""

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
    """StyleGAN2 generator with skip connections from each resolution to the image.

    Parameters
    ----------
    latent_dim : int, default=512
        Number of latent dimensions.
    style_dim : int, default=512
        Number of dimensions of a style.
    channels : sequence of int, default=(512, 512, 512, 512, 512, 256, 128)
        Channels at 4x4 pixels, 8x8 and so on; the output has ``4 * 2 ** (len(channels) - 1)``
        pixels per side.
    out_channels : int, default=3
        Channels of the image.
    n_mapping : int, default=8
        Layers of the mapping network.
    noise_mode : {"fixed", "latent"}, default="fixed"
        ``"fixed"`` adds the same noise to all samples, that of the buffers ``noise_const``; in
        training mode, noise is drawn. With ``"latent"``, the noise is part of the latent, after
        its first `latent_dim` elements.
    output : {"clamp", "linear", "tanh"}, default="clamp"
        Function of the sum of the branches. Published generators leave the sum as it is
        (``"linear"``), and the code that writes their images clamps it to [-1, 1].

    Raises
    ------
    ValueError
        If `noise_mode` or `output` is unknown.

    Notes
    -----
    This is configuration F without the truncation trick. For a generator with
    ``output="clamp"``, pass ``activation="identity"`` to
    :meth:`~sklearn_flipad.FinalLayer.from_generator`.

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

    #: Values of black and white pixels.
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
        #: Arguments of the constructor.
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
        """Yield a plane of noise for each convolution, in the order in which they run."""
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
