"""Rows of maps that consist of chains: sums of one input, and branches with inputs of their own."""

from sklearn_flipad.operators.composition import BranchesOperator, SumOperator
from sklearn_flipad.operators.links.checks import check_shape
from sklearn_flipad.operators.links.kinds import LinkKind, register_link_kind
from sklearn_flipad.operators.links.link import build_chain


def _build_sum(input_shape, *, terms):
    return SumOperator([build_chain(term, input_shape) for term in terms])


def _build_branches(input_shape, *, terms, shapes):
    pairs = zip(terms, shapes, strict=True)
    operator = BranchesOperator([build_chain(term, shape) for term, shape in pairs])
    if operator.input_shape != tuple(input_shape):
        raise ValueError(
            f"Branches with {operator.n_inputs} inputs in all do not fit inputs of shape "
            f"{tuple(input_shape)}."
        )
    return operator


def _check_terms(kind, arguments, names):
    terms = arguments.get("terms", ())
    if set(arguments) != names or len(terms) < 2 or not all(terms):
        raise ValueError(f"A link of kind {kind!r} needs two terms or more, each a chain of links.")
    return tuple(tuple(term) for term in terms)


def _check_sum(arguments, weight):
    return {"terms": _check_terms("sum", arguments, {"terms"})}


def _check_branches(arguments, weight):
    terms = _check_terms("branches", arguments, {"terms", "shapes"})
    shapes = arguments["shapes"]
    if not isinstance(shapes, tuple | list) or len(shapes) != len(terms):
        raise ValueError(f"There must be one shape for each of {len(terms)} branches.")
    return {"terms": terms, "shapes": tuple(check_shape("shapes", shape) for shape in shapes)}


def _mixes_channels(link):
    return any(part.row.mixes_channels(part) for term in link.terms for part in term)


register_link_kind(
    "sum",
    LinkKind(
        build=_build_sum,
        check=_check_sum,
        mixes_channels=_mixes_channels,
        # Without their paddings, terms would have outputs of different sizes.
        inner=lambda link: None,
    ),
)
register_link_kind(
    "branches",
    LinkKind(build=_build_branches, check=_check_branches, mixes_channels=_mixes_channels),
)
