"""Networks that guess latents, by the shape of a sample."""

from math import ceil, log, prod

from torch import nn

__all__ = ["make_encoder_network", "n_outputs_of"]

#: Halving ends at sides of at most this many pixels.
_LEAST_SIDE = 4
#: Channels of the first layer at least and at most, and of the last; in between they double.
_NARROWEST, _WIDTH, _LAST_WIDTH = 16, 64, 128


def n_outputs_of(n_features, n_conditions):
    """Length of the vectors that an encoder's network returns: latents, scores of conditions."""
    return n_features + (n_conditions if n_conditions > 1 else 0)


def make_encoder_network(sample_shape, n_outputs):
    """A network from samples to vectors of length `n_outputs`; ValueError for more than three axes.

    Images are halved by convolutions until a side has at most 4 pixels, signals quartered, and
    tables go through linear layers.
    """
    network = nn.Sequential(*_layers(sample_shape, n_outputs))
    network.made_for = (tuple(sample_shape), n_outputs)  # files hold this in place of the code
    return network


def _layers(sample_shape, n_outputs):
    n_axes = len(sample_shape) - 1
    if n_axes == 0:
        return _perceptron(sample_shape[0], n_outputs, 8 * _WIDTH)
    if n_axes > 2:
        raise ValueError(
            f"There is no network for samples of shape {sample_shape}. Pass module=, a network "
            f"that returns {n_outputs} numbers for each."
        )
    convolution, norm = (nn.Conv1d, nn.BatchNorm1d) if n_axes == 1 else (nn.Conv2d, nn.BatchNorm2d)
    kernel, stride, padding = (8, 4, 2) if n_axes == 1 else (4, 2, 1)
    channels, *sides = sample_shape
    layers = []
    # The first layers of a large sample would cost the most and see the least of it.
    n_layers = max(0, ceil(log(min(sides) / _LEAST_SIDE, stride)))
    width = min(max(2 * _LAST_WIDTH >> n_layers, _NARROWEST), _WIDTH)
    while min(sides) > _LEAST_SIDE:
        layers += [
            convolution(channels, width, kernel, stride, padding, bias=False),
            norm(width),
            nn.LeakyReLU(0.2, inplace=True),
        ]
        sides = [(side + 2 * padding - kernel) // stride + 1 for side in sides]
        channels, width = width, min(2 * width, _LAST_WIDTH)
    return [*layers, nn.Flatten(), nn.Linear(channels * prod(sides), n_outputs)]


def _perceptron(n_inputs, n_outputs, width):
    layers = []
    for _ in range(3):
        layers += [nn.Linear(n_inputs, width), nn.LayerNorm(width), nn.LeakyReLU(0.2, inplace=True)]
        n_inputs = width
    return [*layers, nn.Linear(width, n_outputs)]
