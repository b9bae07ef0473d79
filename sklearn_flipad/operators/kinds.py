"""The kinds of linear layers: one table of what is known of each."""

from dataclasses import dataclass

from torch import nn

from sklearn_flipad.operators import ConvOperator, ConvTransposeOperator, DenseOperator

__all__ = ["KINDS", "LINEAR_LAYERS", "LayerKind", "kind_of"]


@dataclass(frozen=True)
class LayerKind:
    """What distinguishes one kind of linear layer.

    Attributes
    ----------
    modules : tuple of type
        Torch's classes.
    operator : type
        The linear map, called as ``operator(weight, input_shape, **arguments)``.
    arguments : tuple of str
        What it takes from the torch layer by name.
    bias_axis : int
        Axis of the map's output, without the batch, along which the bias varies.
    weight_axes : tuple of int
        Numbers of axes that its weights can have.
    """

    modules: tuple
    operator: type
    arguments: tuple
    bias_axis: int
    weight_axes: tuple


#: By the name that a saved layer has for it.
KINDS = {
    "linear": LayerKind((nn.Linear,), DenseOperator, (), -1, (2,)),
    "conv": LayerKind(
        (nn.Conv1d, nn.Conv2d, nn.Conv3d),
        ConvOperator,
        ("stride", "padding", "dilation", "groups", "padding_mode"),
        0,
        (3, 4, 5),
    ),
    "conv_transpose": LayerKind(
        (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
        ConvTransposeOperator,
        ("stride", "padding", "output_padding", "dilation", "groups"),
        0,
        (3, 4, 5),
    ),
}

#: All of torch's classes that can be a final layer.
LINEAR_LAYERS = tuple(module for kind in KINDS.values() for module in kind.modules)


def kind_of(module):
    """Name of a torch layer's kind.

    Parameters
    ----------
    module : torch.nn.Module
        A layer.

    Returns
    -------
    str
        A key of `KINDS`.

    Raises
    ------
    ValueError
        If the layer is of no known kind.
    """
    for name, kind in KINDS.items():
        if isinstance(module, kind.modules):
            return name
    known = ", ".join(module.__name__ for module in LINEAR_LAYERS)
    raise ValueError(f"module must be one of {known}, got {type(module).__name__}.")
