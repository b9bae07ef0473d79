"""Feature extractors of DeepSAD (Appendix G.7; Ruff et al., ICLR 2020).

None has a bias or an affine normalization: either would let the network map everything
to the center (Ruff et al., ICML 2018, Section 3.3).
"""

from math import prod

from torch import nn

__all__ = ["MLP", "LeNet"]

#: Convolution, batch norm and pooling by the number of axes of a sample besides its channels.
_LAYERS = {
    1: (nn.Conv1d, nn.BatchNorm1d, nn.MaxPool1d),
    2: (nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d),
}


class LeNet(nn.Module):
    """Convolutions of 5 by 5, or of 5, each followed by batch norm, leaky ReLU and halving.

    Parameters
    ----------
    input_shape : tuple of int
        Shape ``(channels, height, width)`` of one sample, or ``(channels, length)``.
    channels : sequence of int, default=(32, 64, 128)
        Channels of the convolutions. The default is the network for 32x32 images; a
        fourth entry makes the one for 128x128; ``(128, 256, 128)`` is that of FLIPAD.
    rep_dim : int, default=128
        Dimension of the representation.

    References
    ----------
    Appendix G.7 of Laszkiewicz et al., ICML 2024; Ruff et al., "Deep Semi-Supervised
    Anomaly Detection", ICLR 2020.
    """

    def __init__(self, input_shape, channels=(32, 64, 128), rep_dim=128):
        super().__init__()
        width, *sides = input_shape
        convolution, norm, pooling = _LAYERS[len(sides)]
        layers = []
        for n_channels in channels:
            layers += [
                convolution(width, n_channels, 5, padding=2, bias=False),
                norm(n_channels, eps=1e-4, affine=False),
                nn.LeakyReLU(inplace=True),
            ]
            if min(sides) > 1:
                layers.append(pooling(2))
                sides = [side // 2 for side in sides]
            width = n_channels
        layers += [nn.Flatten(), nn.Linear(width * prod(sides), rep_dim, bias=False)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x)


class MLP(nn.Module):
    """Linear layers, each but the last followed by batch norm and leaky ReLU.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one sample; it is flattened.
    hidden : sequence of int, default=(512, 1024, 512, 256)
        Widths of the hidden layers.
    rep_dim : int, default=128
        Dimension of the representation.

    References
    ----------
    Appendix G.7 of Laszkiewicz et al., ICML 2024.
    """

    def __init__(self, input_shape, hidden=(512, 1024, 512, 256), rep_dim=128):
        super().__init__()
        width = prod(input_shape)
        layers = [nn.Flatten()]
        for n_units in hidden:
            layers += [
                nn.Linear(width, n_units, bias=False),
                nn.BatchNorm1d(n_units, eps=1e-4, affine=False),
                nn.LeakyReLU(inplace=True),
            ]
            width = n_units
        layers.append(nn.Linear(width, rep_dim, bias=False))
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x)
