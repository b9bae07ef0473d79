"""The table of the kinds of links: one row for each."""

from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = [
    "LINK_KINDS",
    "LinkKind",
    "Operation",
    "kind_of_module",
    "layer_modules",
    "one_to_one",
    "read_operation",
    "register_link_kind",
]


@dataclass(frozen=True, eq=False)
class Operation:
    """An operation that a generator ran, as the readers of link kinds see it.

    Attributes
    ----------
    name : str
        Name of torch's operation without its namespace, such as "convolution".
    arguments : dict of str to object
        Arguments by the names of the operation's schema, but for the input.
    source : str
        Name of the argument that is the input: the only one that depends on the latents.
    input_shape, output_shape : tuple of int
        Shapes of the input and the output, with the axis of the batch.
    """

    name: str
    arguments: dict
    source: str
    input_shape: tuple
    output_shape: tuple


def _no_arguments(arguments, weight):
    if arguments:
        raise ValueError(f"Unknown arguments {sorted(arguments)}; this kind of link has none.")
    return arguments


def _as_it_is(link):
    return [link]


def _never(*links):
    return None


@dataclass(frozen=True, eq=False, kw_only=True)
class LinkKind:
    """A kind of linear map that final layers are chains of: one row of the table of kinds.

    Only `build` is needed. The rest says how links of the kind are checked, found in a
    generator, and simplified.

    Parameters
    ----------
    build : callable
        ``build(weight, input_shape, **arguments)`` returns the
        :class:`~sklearn_flipad.operators.LinearOperator` of a link in float32. For kinds without
        weights it is ``build(input_shape, **arguments)``.
    check : callable, optional
        ``check(arguments, weight)`` returns the arguments of a link, a dict of JSON values with
        tuples for lists, or raises ValueError. It also sees arguments from files. By default,
        a kind has no arguments.
    weight_axes : tuple of int, default=None
        Numbers of axes that the weights can have; an empty tuple allows any number. By default,
        a kind has no weights.
    readers : dict of str to callable, default={}
        By the name of torch's operation, as in ``torch.ops.aten``: ``read(operation)`` returns
        the links, one after the other, that an :class:`Operation` is but for a constant that it
        adds, or None if it is no such map.
    modules : tuple of type, default=()
        Torch modules of the kind, with the attributes ``weight`` and ``bias``. A final layer
        needs at least one link of a kind that has modules.
    module_arguments : tuple of str, default=()
        Attributes of these modules that are the arguments of a link.
    bias_axis : int, default=0
        Axis of the output, without the batch, along which a bias of one axis varies.
    one_to_one : bool, default=False
        Whether each output is one input times a constant, and each input is used once: the
        output activation may then precede such an operation.
    mixes_channels : callable, optional
        ``mixes_channels(link)`` returns whether outputs of one channel depend on several input
        channels by weights. By default, they do not.
    inner : callable, optional
        ``inner(link)`` returns the links that compute the same away from the borders of an
        image without padding, or None if such links would not fit. By default, the link itself.
    join : callable, optional
        ``join(previous, link)`` returns fewer or simpler links that do the same as a link of any
        kind and one of this kind, or None. By default, links stay as they are.
    """

    build: Callable
    # As plain defaults, the functions would be methods.
    check: Callable = field(default_factory=lambda: _no_arguments)
    weight_axes: tuple | None = None
    readers: dict = field(default_factory=dict)
    modules: tuple = ()
    module_arguments: tuple = ()
    bias_axis: int = 0
    one_to_one: bool = False
    mixes_channels: Callable = field(default_factory=lambda: _never)
    inner: Callable = field(default_factory=lambda: _as_it_is)
    join: Callable = field(default_factory=lambda: _never)


#: By the name that a saved layer has for it.
LINK_KINDS = {}


def register_link_kind(name, kind):
    """Add a kind of links, for layers made by hand, found in generators, and read from files.

    Parameters
    ----------
    name : str
        Name of the kind, as files have it.
    kind : LinkKind
        The row.

    Raises
    ------
    ValueError
        If there is another kind of that name.
    """
    if name in LINK_KINDS:
        raise ValueError(f"There is a kind of links named {name!r} already.")
    LINK_KINDS[name] = kind


def layer_modules():
    """Classes of torch modules that can be a final layer."""
    return tuple(module for kind in LINK_KINDS.values() for module in kind.modules)


def kind_of_module(module):
    """Name of the kind of a torch layer; ValueError if it is of none."""
    for name, kind in LINK_KINDS.items():
        if isinstance(module, kind.modules):
            return name
    known = ", ".join(module.__name__ for module in layer_modules())
    raise ValueError(f"module must be one of {known}, got {type(module).__name__}.")


def read_operation(operation):
    """Links that an operation is, but for a constant, or None."""
    for kind in LINK_KINDS.values():
        read = kind.readers.get(operation.name)
        links = None if read is None else read(operation)
        if links is not None:
            return list(links)
    return None


def one_to_one(name):
    """Whether the kinds that read an operation are one-to-one; None if there are no such kinds."""
    kinds = [kind for kind in LINK_KINDS.values() if name in kind.readers]
    return all(kind.one_to_one for kind in kinds) if kinds else None
