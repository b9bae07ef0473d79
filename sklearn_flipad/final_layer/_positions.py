"""Layers that treat all positions of a sample alike."""

from sklearn_flipad.operators.links.link import build_chain

__all__ = ["TOL", "image_of", "middle", "size_for"]

#: Largest difference of two rows of an axis map that count as equal; they are sums of products.
TOL = 1e-9


def image_of(layer):
    """The operator of a layer that has windows; ValueError for others."""
    operator = build_chain(layer.links, layer.input_shape)
    rearranged = layer.output_order is not None or layer.output_shape != operator.output_shape
    if operator.image is None or rearranged or len(operator.output_shape) < 2:
        raise ValueError(
            f"Windows are for layers that treat all positions of a sample alike, such as "
            f"convolutions; {layer!r} does not. Samples of its own size need no windows."
        )
    return operator.image


def size_for(operator, size):
    """Size of the input for which the middle of the output, of `size`, is far from the borders."""
    axes = zip(size, operator.period, operator.input_period, operator.reach, strict=True)
    # Reflections and intermediate paddings lie within the kernels' reach.
    return tuple(
        needed * (-(-side // period) + 4 * (-(-reach // needed) + 2))
        for side, period, needed, reach in axes
    )


def middle(n_outputs, size, period):
    """Start of the rows in the middle of an axis, at a multiple of the period."""
    return period * ((n_outputs - size) // 2 // period)
