"""Checks of the values that make up a final layer, which may come from a file."""

import numpy as np

__all__ = ["check_order", "check_scale", "check_values"]

#: Beyond, products and their squares leave single precision.
_LARGEST = 1e12


def check_order(order, n_outputs):
    """Raise ValueError if an order is no permutation of the outputs."""
    if order.shape != (n_outputs,) or not np.array_equal(np.sort(order), np.arange(n_outputs)):
        raise ValueError(f"output_order must be a permutation of 0 to {n_outputs - 1}.")


def check_scale(scale, output_shape):
    """Raise ValueError if scales are not positive, one per column, or the layer makes no table."""
    if len(output_shape) != 1 or scale.shape != tuple(output_shape):
        raise ValueError(
            f"output_scale must hold one value for each column of a table, got shape {scale.shape} "
            f"for a layer with outputs of shape {tuple(output_shape)}."
        )
    if not ((scale > 0) & np.isfinite(scale)).all():
        raise ValueError("output_scale must hold positive, finite values.")


def check_values(layer, weights):
    """Raise ValueError if single precision cannot work with the values of a layer."""
    for name, values in (
        ("weight", weights),
        ("bias", [layer.bias]),
        ("mean_activation", [layer.mean_activation]),
    ):
        for value in values:
            if value is not None and not (np.abs(value) <= _LARGEST).all():
                raise ValueError(f"{name} holds NaN, infinity, or values above {_LARGEST:g}.")
    for weight in weights:
        if not weight.any():
            raise ValueError("All weights are 0: nothing of a sample depends on the activations.")
        # The scales of a table's columns belong to its last layer.
        scaled = layer.output_scale is not None and weight is weights[-1] and weight.ndim == 2
        largest = np.abs(weight / (layer.output_scale[:, None] if scaled else 1.0)).max()
        if not 1 / _LARGEST <= largest <= _LARGEST:
            raise ValueError(
                f"The largest weight is {largest:.3g} in size; single precision needs it between "
                f"{1 / _LARGEST:g} and {_LARGEST:g}. Scale the layer and what comes before it."
            )
