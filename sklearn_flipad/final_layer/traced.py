"""What a trace says of a final layer, and whether the finished layer agrees with it."""

from math import inf

import numpy as np
import torch

from sklearn_flipad.base.modules import evaluating

__all__ = ["check_against_trace", "effective_parameters", "scale_of_columns"]


def effective_parameters(module):
    """Weight and bias that the layer computes with, behind weight or spectral normalization.

    In training mode, reading a spectrally normalized weight would change it.

    Parameters
    ----------
    module : torch.nn.Module
        The layer.

    Returns
    -------
    weight : torch.Tensor
    bias : torch.Tensor or None
    """
    with evaluating(module):
        for hook in module._forward_pre_hooks.values():
            if hasattr(hook, "compute_weight"):  # torch.nn.utils.weight_norm and spectral_norm
                hook(module, None)
        return module.weight.detach(), None if module.bias is None else module.bias.detach()


def scale_of_columns(trace):
    """The deviations of a table's columns before an unbounded activation, None for images.

    For columns that do not vary, but for rounding, their size.

    Parameters
    ----------
    trace : FinalLayerTrace
        What was seen.

    Returns
    -------
    ndarray of float64 or None
    """
    if trace.outputs.ndim != 2 or len(trace.output_shape) != 1:
        return None
    if inf not in map(abs, trace.tail.activation.range) or trace.tail.order is not None:
        return None
    largest = trace.outputs.abs().cpu().double().numpy().max(axis=0)
    varies = trace.output_deviation > 8 * np.finfo(np.float32).eps * largest
    return np.where(varies, trace.output_deviation, np.where(largest > 0, largest, 1.0))


def check_against_trace(layer, trace):
    """Refuse a layer that does not map the generator's activations to its samples.

    Layers that overload ``forward`` do more than their weights tell.

    Parameters
    ----------
    layer : FinalLayer
        The layer that was made of the trace.
    trace : FinalLayerTrace
        What was seen.

    Raises
    ------
    ValueError
        If the linear map or the samples differ from what was seen.
    """
    inputs, outputs, samples = (
        t.cpu().double() for t in (trace.inputs, trace.outputs, trace.samples)
    )
    precision = max(torch.finfo(t.dtype).eps for t in (trace.inputs, trace.outputs))
    allowed = max(1e-2, 8 * precision)
    operator = layer.operator(dtype=torch.float64)
    expected = layer.affine(operator, inputs).reshape(outputs.shape)
    error = float((expected - outputs).abs().max())
    if not error <= allowed * float(outputs.abs().max()):
        raise ValueError(
            f"The last linear layer ({type(trace.module).__name__}) does not compute the "
            f"linear map of its weights (largest difference {error:.3g}): it scales, "
            "modulates or quantizes them. Build the layer by hand with FinalLayer(...)."
        )
    decoded = layer.decode(inputs).clamp(float(samples.min()), float(samples.max()))
    error = float((decoded - samples).abs().max())
    if not error <= allowed * float(samples.abs().max()):
        raise ValueError(
            "The layer that was found does not map the generator's activations to its samples "
            f"(largest difference {error:.3g}). Pass module= to name the final layer."
        )
