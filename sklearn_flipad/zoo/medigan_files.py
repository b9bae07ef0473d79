"""Weights of published generators of mammograms, in the layout of medigan.

The training code of Szafranowska et al. keeps a generator's convolutions under ``main``, its first
ones also under ``first_layers``, and the layers that map a condition to a vector under
``embed_nn``, which an unconditional generator has too, unused.
"""

import re
from pathlib import Path

import torch
from torch.nn import functional

from sklearn_flipad.zoo.architectures import ConditionalDCGANGenerator, DCGANGenerator
from sklearn_flipad.zoo.files.weights import differing_shapes, read_weights

__all__ = ["load_medigan"]

#: Default of torch's batch normalization; files do not store it.
_EPS = 1e-5
_ADVICE = "Convert it where you trust it: torch.save(generator.state_dict(), path)."


def load_medigan(path, *, conditions=(0.0, 1.0), leakiness=0.1):
    """Read a DCGAN, WGAN-GP or C-DCGAN generator of medigan from a local file.

    Parameters
    ----------
    path : path-like
        A safetensors file, or one that ``torch.load(..., weights_only=True)`` reads: the ``.pt``
        of a model of medigan, whose ``generator`` is taken, or the state dict of a generator.
        Nothing is unpickled.
    conditions : sequence of float, default=(0.0, 1.0)
        For a C-DCGAN whose condition is a number: the value of each class, in order.
    leakiness : float, default=0.1
        For a C-DCGAN: slope of the leaky ReLU of its condition, which files do not store.

    Returns
    -------
    DCGANGenerator or ConditionalDCGANGenerator
        In eval mode, on the CPU, without gradients, with the sizes of the weights.

    Raises
    ------
    ValueError
        If the file is damaged or would have to be unpickled, or holds another network; the
        message names the first key that differs.

    Notes
    -----
    medigan maps a condition, an embedding or a number, to a vector by a linear layer and a leaky
    ReLU. The vectors of the classes are the embedding of the returned generator.

    Code that comes with models of this layout writes images as ``255 (x + 1)``, truncated to
    integers: black is -1 and white 0, and values above 0 overflow. For such files, pass
    ``output_range=(-1, 0)`` and own samples that the same code has written.

    References
    ----------
    Appendix G.5 of Laszkiewicz et al., ICML 2024; Szafranowska et al., "Sharing Generative Models
    Instead of Private Data", IWBI 2022; Osuala et al., "medigan", Journal of Medical Imaging, 2023.

    Examples
    --------
    >>> import tempfile, torch
    >>> from sklearn_flipad.zoo import DCGANGenerator, load_medigan
    >>> generator = DCGANGenerator(channels=(16, 8), out_channels=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     torch.save({"generator": generator.state_dict()}, f"{folder}/500.pt")
    ...     load_medigan(f"{folder}/500.pt").output_shape
    (1, 16, 16)
    """
    state = read_weights(Path(path), "generator", _ADVICE)
    convolutions = _convolutions(state, path)
    sizes = [weight.shape[0] for weight in convolutions]
    channels, out_channels = tuple(sizes[1:]), convolutions[-1].shape[1]
    main = _main(state, path)
    condition = {key.removeprefix("embed_nn."): state[key] for key in state if "embed_nn." in key}
    n_inputs = sizes[0]
    if condition and n_inputs == 2 * _width(condition, path):
        table = _table(condition, conditions, leakiness, path)
        n_classes, width = table.shape
        generator = ConditionalDCGANGenerator(
            n_inputs - width, channels, out_channels, n_classes, width
        )
        main["embedding.weight"] = table
    else:
        generator = DCGANGenerator(n_inputs, channels, out_channels)
    _check(main, generator, path)
    generator.load_state_dict(main)
    return generator.eval().requires_grad_(False)


def _convolutions(state, path):
    """Weights of the transposed convolutions, in their order."""
    numbers = [re.fullmatch(r"main\.(\d+)\.weight", key) for key in state]
    keys = sorted((int(match[1]), match[0]) for match in numbers if match)
    found = [state[key] for _, key in keys if state[key].ndim == 4]
    if len(found) < 2:
        raise ValueError(
            f"{path} is not in medigan's layout: it has no convolutions under 'main', but "
            f"{', '.join(list(state)[:4])}."
        )
    return found


def _main(state, path):
    """State dict of ``main``; raise ValueError if ``first_layers`` differs, or for other keys."""
    main = {}
    for key, value in state.items():
        place, _, rest = key.partition(".")
        if place == "main":
            main[key] = value.float() if value.is_floating_point() else value
        elif place == "first_layers":
            other = state.get(f"main.{rest}")
            if other is None or not torch.equal(value, other):
                raise ValueError(f"{path} has another value for {key} than for main.{rest}.")
        elif place != "embed_nn":
            raise ValueError(f"{path} is not in medigan's layout: it has {key}.")
    return main


def _check(main, generator, path):
    """Raise ValueError if weights are missing, unknown or of another shape."""
    for key, (found, expected) in differing_shapes(main, generator.state_dict()).items():
        raise ValueError(
            f"{path} does not hold a DCGAN generator: {key} is {found} instead of {expected}."
        )


def _width(condition, path):
    """Number of values that a condition is mapped to."""
    linear = condition.get("1.weight" if _is_categorical(condition) else "0.weight")
    if linear is None or linear.ndim != 2:
        raise ValueError(f"{path} has no linear layer under 'embed_nn'.")
    return linear.shape[0]


def _is_categorical(condition):
    return "0.bias" not in condition


def _table(condition, conditions, leakiness, path):
    """Vector of each class, shape (n_classes, n_values)."""
    try:
        if _is_categorical(condition):
            linear = functional.linear(
                condition["0.weight"], condition["1.weight"], condition["1.bias"]
            )
        else:
            values = torch.tensor(conditions, dtype=torch.float32)[:, None]
            linear = functional.linear(values, condition["0.weight"], condition["0.bias"])
            linear = functional.batch_norm(
                linear,
                condition["1.running_mean"],
                condition["1.running_var"],
                condition["1.weight"],
                condition["1.bias"],
                eps=_EPS,
            )
    except KeyError as error:
        raise ValueError(f"{path} has no embed_nn.{error.args[0]}.") from error
    return functional.leaky_relu(linear, leakiness)
