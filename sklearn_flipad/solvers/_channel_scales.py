"""Step sizes of the channels of a layer, found on a small trial image."""

import torch

from sklearn_flipad.solvers.problem import LassoProblem

__all__ = ["channel_scales"]

#: Positions of the trial's activations, and its images and iterations.
_N_POSITIONS = 144
_N_IMAGES = 16
_N_ITERATIONS = 60
#: Least size of a channel's activations, relative to the largest.
_LEAST_SIZE = 0.2
#: Standard deviation of the channels' own parts of a trial image, relative to the shared part.
_COLORFULNESS = 0.15


def channel_scales(operator, solver):
    """One factor per channel, float64, by which the steps of a splitting method gain, or None.

    The solutions of the lasso use some channels of activations far more than others, and which
    ones is a property of the kernel: of columns that compete, the one with the largest reach is
    used. A method that moves all channels at the same rate waits for the largest. The factors are
    the square roots of the root mean square activations in the solutions for a few random images
    with the spectrum of natural ones, on a small grid of positions; their mean square is about 1,
    and they are rounded so that they are the same on any machine. There are none if inputs have no
    channels and positions, as in a dense layer.
    """
    if operator.image is None:
        return None
    small = _on_few_positions(operator.image.to(device="cpu", dtype=torch.float64))
    images = _natural_images(_N_IMAGES, small.output_shape)
    problem = LassoProblem(small, images, 1e-3)
    z = solver.solve(problem, tol=1e-3, max_iter=_N_ITERATIONS).z
    sizes = z.square().transpose(0, 1).flatten(1).mean(dim=1).sqrt()
    if not sizes.any():
        return None
    scales = sizes.clamp_min(_LEAST_SIZE * float(sizes.max())).sqrt()
    return (scales / scales.square().mean().sqrt()).round(decimals=2)


def _on_few_positions(operator):
    """The same kernel on a grid of about :data:`_N_POSITIONS`."""
    size = operator.input_shape[1:]
    side = round(_N_POSITIONS ** (1 / len(size)))
    pairs = zip(size, operator.reach, strict=True)
    return operator.resized(tuple(min(s, max(side, reach)) for s, reach in pairs))


def _natural_images(n, shape):
    """Random images with the spectrum of natural ones, float64, shape ``(n, *shape)``.

    The part that all channels share has amplitudes that fall with the square of the frequency;
    each channel's own part is weaker and falls with its power 1.5.
    """
    generator = torch.Generator("cpu").manual_seed(0)
    frequencies = [torch.fft.fftfreq(side, dtype=torch.float64, device="cpu") for side in shape[1:]]
    frequency = torch.stack(torch.meshgrid(*frequencies, indexing="ij")).norm(dim=0)
    frequency = frequency.clamp_min(1 / max(shape[1:]))

    def noise(channels, power):
        white = torch.randn(
            n, channels, *shape[1:], dtype=torch.float64, generator=generator, device="cpu"
        )
        axes = tuple(range(2, white.ndim))
        colored = torch.fft.ifftn(torch.fft.fftn(white, dim=axes) / frequency**power, dim=axes)
        return colored.real / colored.real.std()

    return noise(1, 2) + _COLORFULNESS * noise(shape[0], 1.5)
