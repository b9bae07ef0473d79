"""The links of a linear tail: one table of what is known of each kind."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from sklearn_flipad.final_layer.checks import check_arguments, check_link, check_shape
from sklearn_flipad.operators import (
    BranchesOperator,
    ChainOperator,
    CropOperator,
    PadOperator,
    PermuteOperator,
    PixelShuffleOperator,
    PixelUnshuffleOperator,
    ReshapeOperator,
    ResizeOperator,
    ScaleOperator,
    SumOperator,
)
from sklearn_flipad.operators.kinds import KINDS

__all__ = [
    "LINK_KINDS",
    "Link",
    "build_chain",
    "checked_links",
    "flatten",
    "unflatten",
    "weights_of",
]

#: Kinds without weights, by the name that a saved layer has for them.
_BUILDERS: dict[str, Callable] = {
    "resize": ResizeOperator,
    "pad": PadOperator,
    "crop": CropOperator,
    "pixel_shuffle": PixelShuffleOperator,
    "pixel_unshuffle": PixelUnshuffleOperator,
    "reshape": ReshapeOperator,
    "permute": PermuteOperator,
}
#: All kinds of links.
LINK_KINDS = (*KINDS, "scale", *_BUILDERS, "sum", "branches")


#: Those that consist of other chains.
_TERMED = ("sum", "branches")


@dataclass(frozen=True, eq=False)
class Link:
    """One of the maps that a linear tail is a chain of.

    Parameters
    ----------
    kind : str
        ``"linear"``, ``"conv"`` or ``"conv_transpose"``, as for
        :class:`~sklearn_flipad.FinalLayer`; ``"scale"`` for factors that broadcast over its
        input; ``"resize"``, ``"pad"``, ``"crop"``, ``"pixel_shuffle"``, ``"pixel_unshuffle"``,
        ``"reshape"`` or ``"permute"``; ``"sum"`` of chains that have the same input; or
        ``"branches"``, the sum of chains that have inputs of their own, which are the parts of
        one row.
    weight : array-like, default=None
        Weights of the first four, in torch's layout. A bias belongs to the whole tail.
    arguments : dict
        What the map is built with: stride and so on, as torch names them, or the arguments of
        the operators in ``sklearn_flipad.operators``; ``{"terms": chains}`` for a sum, and
        for branches also ``"shapes"``, those of their inputs.

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
            raise ValueError(f"kind must be one of {', '.join(LINK_KINDS)}, got {self.kind!r}.")
        has_weight = self.kind in KINDS or self.kind == "scale"
        if has_weight != (self.weight is not None):
            raise ValueError(
                f"A link of kind {self.kind!r} has {'a' if has_weight else 'no'} weight."
            )
        arguments = dict(self.arguments)
        if self.weight is not None:
            weight = np.array(self.weight, dtype=np.float32)
            weight.setflags(write=False)
            object.__setattr__(self, "weight", weight)
        if self.kind in KINDS:
            axes = KINDS[self.kind].weight_axes
            if weight.ndim not in axes:
                raise ValueError(
                    f"weight must have {' or '.join(map(str, axes))} axes for "
                    f"kind={self.kind!r}, got shape {weight.shape}."
                )
            arguments = check_arguments(arguments, KINDS[self.kind].arguments, weight.ndim - 2)
        elif self.kind in _TERMED:
            arguments = _checked_terms(self.kind, arguments)
        else:
            arguments = check_link(self.kind, arguments)
        object.__setattr__(self, "arguments", arguments)

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
        if self.kind == "sum":
            terms = self.arguments["terms"]
            return SumOperator([build_chain(term, input_shape) for term in terms])
        if self.kind == "branches":
            pairs = zip(self.arguments["terms"], self.arguments["shapes"], strict=True)
            operator = BranchesOperator([build_chain(term, shape) for term, shape in pairs])
            if operator.input_shape != tuple(input_shape):
                raise ValueError(
                    f"Branches with {operator.n_inputs} inputs in all do not fit inputs of shape "
                    f"{tuple(input_shape)}."
                )
            return operator
        if self.weight is None:
            return _BUILDERS[self.kind](input_shape, **self.arguments)
        weight = torch.from_numpy(self.weight.copy())
        if self.kind == "scale":
            return ScaleOperator(weight, input_shape)
        return KINDS[self.kind].operator(weight, input_shape, **self.arguments)

    def __repr__(self):
        if self.kind in _TERMED:
            separator = " + " if self.kind == "sum" else " | "
            return separator.join(_joined(term) for term in self.arguments["terms"])
        return self.kind


def _joined(links):
    return "(" + " > ".join(map(repr, links)) + ")"


def _checked_terms(kind, arguments):
    terms = arguments.get("terms", ())
    names = {"terms"} if kind == "sum" else {"terms", "shapes"}
    if set(arguments) != names or len(terms) < 2 or not all(terms):
        raise ValueError(f"A link of kind {kind!r} needs two terms or more, each a chain of links.")
    checked = {"terms": tuple(tuple(term) for term in terms)}
    if kind == "branches":
        shapes = arguments["shapes"]
        if not isinstance(shapes, tuple | list) or len(shapes) != len(terms):
            raise ValueError(f"There must be one shape for each of {len(terms)} branches.")
        checked["shapes"] = tuple(check_shape("shapes", shape) for shape in shapes)
    return checked


def build_chain(links, input_shape):
    """The operator of links that follow each other.

    Parameters
    ----------
    links : sequence of Link
        The links, in the order in which they run.
    input_shape : tuple of int
        Shape of one input of the first.

    Returns
    -------
    LinearOperator

    Raises
    ------
    ValueError
        If a link does not fit the output of the one before it.
    """
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


def checked_links(links):
    """Links as a tuple.

    Parameters
    ----------
    links : sequence of Link
        A chain.

    Returns
    -------
    tuple of Link

    Raises
    ------
    ValueError
        If it is empty or holds something else.
    """
    links = tuple(links)
    if not links or not all(isinstance(link, Link) for link in links):
        raise ValueError("links must be a sequence of Link objects, at least one.")
    return links


def weights_of(links):
    """Yield all weights of a chain, those of sums included.

    Parameters
    ----------
    links : sequence of Link
        The chain.

    Yields
    ------
    ndarray
    """
    for link in links:
        if link.weight is not None:
            yield link.weight
        for term in link.arguments.get("terms", ()):
            yield from weights_of(term)


def flatten(links, arrays):
    """Return a chain as JSON values.

    Parameters
    ----------
    links : sequence of Link
        The chain.
    arrays : dict of str to ndarray
        Its weights are put here, numbered in order.

    Returns
    -------
    list of dict
    """
    entries = []
    for link in links:
        entry = {"kind": link.kind, "arguments": link.arguments}
        if link.kind in _TERMED:
            terms = [flatten(term, arrays) for term in link.arguments["terms"]]
            entry["arguments"] = {**link.arguments, "terms": terms}
        if link.weight is not None:
            entry["weight"] = f"weight.{len(arrays)}"
            arrays[entry["weight"]] = link.weight
        entries.append(entry)
    return entries


def unflatten(entries, arrays):
    """Return the chain that :func:`flatten` took apart.

    Parameters
    ----------
    entries : list of dict
        JSON values.
    arrays : dict of str to ndarray
        Its weights.

    Returns
    -------
    tuple of Link
    """
    links = []
    for entry in entries:
        arguments = {name: _as_tuple(value) for name, value in entry["arguments"].items()}
        if entry["kind"] in _TERMED:
            arguments["terms"] = [unflatten(term, arrays) for term in entry["arguments"]["terms"]]
        weight = arrays[entry["weight"]] if "weight" in entry else None
        links.append(Link(entry["kind"], weight, arguments))
    return tuple(links)


def _as_tuple(value):
    return tuple(map(_as_tuple, value)) if isinstance(value, list) else value
