"""Shorter chains that do the same, and chains that are added."""

import numpy as np

from sklearn_flipad.final_layer.links import Link

__all__ = ["merged", "total"]


def merged(links):
    """Fewer links that do the same: one reshaping, one padding convolution.

    Parameters
    ----------
    links : sequence of Link
        A chain.

    Returns
    -------
    list of Link
    """
    done = []
    for link in links:
        done.append(link)
        while len(done) > 1 and (joined := _joined(*done[-2:])) is not None:
            done[-2:] = joined
    return done


def _joined(first, second):
    """What two links are together, None if they stay two."""
    if first.kind == second.kind == "reshape":
        return [second]
    if first.kind == second.kind == "permute":
        axes = [first.arguments["axes"][axis] for axis in second.arguments["axes"]]
        return [] if axes == sorted(axes) else [Link("permute", None, {"axes": tuple(axes)})]
    if first.kind == second.kind == "crop":
        pairs = zip(first.arguments["margins"], second.arguments["margins"], strict=True)
        margins = tuple((a + c, b + d) for (a, b), (c, d) in pairs)
        return [Link("crop", None, {"margins": margins})]
    if (first.kind, second.kind) == ("pad", "conv"):
        margins, mode = first.arguments["margins"], first.arguments["mode"]
        is_even = all(before == after for before, after in margins)
        padded = any(np.ravel(second.arguments["padding"]))
        if is_even and not padded:
            names = {"constant": "zeros"}
            arguments = {
                **second.arguments,
                "padding": tuple(before for before, _ in margins),
                "padding_mode": names.get(mode, mode),
            }
            return [Link("conv", second.weight, arguments)]
    return None


def total(terms, n_axes):
    """The sum of chains of the same input.

    Parameters
    ----------
    terms : sequence of list of Link
        The chains; one without links is the identity.
    n_axes : int
        Number of axes of their input.

    Returns
    -------
    Link
    """
    unit = Link("scale", np.ones([1] * n_axes))
    return Link("sum", None, {"terms": [merged(term) or [unit] for term in terms]})
