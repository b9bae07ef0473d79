"""One linear map as a value, and chains of them as operators."""

from dataclasses import dataclass, field

import numpy as np
import torch

from sklearn_flipad.base.numbers import plain_numbers
from sklearn_flipad.operators.composition import ChainOperator
from sklearn_flipad.operators.links.checks import check_shape
from sklearn_flipad.operators.links.kinds import LINK_KINDS

__all__ = ["Link", "build_chain", "joined_links", "weights_of"]


@dataclass(frozen=True, eq=False)
class Link:
    """One of the linear maps that a final layer is a chain of.

    Parameters
    ----------
    kind : str
        ``"linear"``, ``"conv"`` or ``"conv_transpose"`` for torch's layers; ``"scale"`` for
        factors that broadcast over the input; ``"resize"``, ``"pad"``, ``"crop"``,
        ``"pixel_shuffle"``, ``"pixel_unshuffle"``, ``"reshape"`` or ``"permute"``; ``"sum"`` of
        chains that have the same input; ``"branches"``, the sum of chains that have inputs of
        their own, which are the parts of one row; or a kind that was registered with
        :func:`~sklearn_flipad.final_layer.register_link_kind`.
    weight : array-like, default=None
        Weights of the first four, in torch's layout. A bias belongs to the whole final layer.
    arguments : dict
        Stride and so on, as torch names them, or the arguments of the operators in
        ``sklearn_flipad.operators``; ``{"terms": chains}`` for a sum, and for branches also
        ``"shapes"``, those of their inputs.

    Raises
    ------
    ValueError
        If the kind is unknown, or the weight or the arguments do not belong to it.
    """

    kind: str
    weight: np.ndarray | None = None
    arguments: dict = field(default_factory=dict)

    def __post_init__(self):
        if self.kind not in LINK_KINDS:
            raise ValueError(
                f"kind must be one of {', '.join(LINK_KINDS)}, got {self.kind!r}. If it is a kind "
                "of your own, import the module that registers it first."
            )
        axes = self.row.weight_axes
        if (axes is not None) != (self.weight is not None):
            raise ValueError(
                f"A link of kind {self.kind!r} has {'no' if axes is None else 'a'} weight."
            )
        if self.weight is not None:
            if np.iscomplexobj(self.weight):
                raise ValueError(
                    f"A link of kind {self.kind!r} needs real weights, got {self.weight.dtype}. "
                    "Write the layer as one of real and imaginary parts."
                )
            weight = np.array(self.weight, dtype=np.float32)
            weight.setflags(write=False)
            object.__setattr__(self, "weight", weight)
            if axes and weight.ndim not in axes:
                raise ValueError(
                    f"weight must have {' or '.join(map(str, axes))} axes for "
                    f"kind={self.kind!r}, got shape {weight.shape}."
                )
        arguments = {name: plain_numbers(value) for name, value in self.arguments.items()}
        object.__setattr__(self, "arguments", self.row.check(arguments, self.weight))

    @property
    def row(self):
        """The :class:`LinkKind` of the link's kind."""
        return LINK_KINDS[self.kind]

    @property
    def terms(self):
        """The chains that a sum or branches consist of."""
        return self.arguments.get("terms", ())

    def build(self, input_shape):
        """Return the link's operator in float32.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of one input.

        Returns
        -------
        LinearOperator
        """
        if self.weight is None:
            return self.row.build(input_shape, **self.arguments)
        return self.row.build(torch.from_numpy(self.weight.copy()), input_shape, **self.arguments)

    def __repr__(self):
        if not self.terms:
            return self.kind
        separator = " | " if "shapes" in self.arguments else " + "
        return separator.join(f"({' > '.join(map(repr, term))})" for term in self.terms)


def build_chain(links, input_shape):
    """The operator of links that follow each other; ValueError if they do not fit."""
    parts, shape = [], tuple(input_shape)
    for number, link in enumerate(links):
        try:
            part = link.build(shape)
        except (RuntimeError, TypeError, IndexError) as error:
            raise ValueError(
                f"Link {number} ({link.kind}) does not fit inputs of shape {shape}: {error}"
            ) from error
        parts.append(part)
        shape = check_shape("The output of a link", part.output_shape)
    return parts[0] if len(parts) == 1 else ChainOperator(parts)


def weights_of(links):
    """Yield all weights of a chain, those of sums and branches included."""
    for link in links:
        if link.weight is not None:
            yield link.weight
        for term in link.terms:
            yield from weights_of(term)


def joined_links(links):
    """A chain of fewer links that does the same: one reshaping, one padding convolution."""
    done = []
    for link in links:
        done.append(link)
        while len(done) > 1 and (joined := done[-1].row.join(*done[-2:])) is not None:
            done[-2:] = joined
    return done
