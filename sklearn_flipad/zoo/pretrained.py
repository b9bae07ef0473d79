"""Generators that are part of the package.

Each is three files in ``weights``: its weights (safetensors, half precision), its model card
(JSON), and 16 of its samples, a grid of images (PNG) or rows of a table (CSV).
"""

from importlib.resources import files

from sklearn_flipad.zoo.files.cards import file_of, load_generator, read_card
from sklearn_flipad.zoo.files.samples import load_grid, load_rows

__all__ = ["list_pretrained", "load_pretrained", "pretrained_card", "pretrained_samples"]

_FOLDER = files(__package__) / "weights"


def list_pretrained(data=None):
    """List the generators that are part of the package.

    Parameters
    ----------
    data : {"fashion", "redwine"}, default=None
        Data set that they were trained on; all by default.

    Returns
    -------
    list of str
        Names for :func:`load_pretrained`.

    Raises
    ------
    ValueError
        If no generator was trained on such data.
    """
    names = sorted(read_card(card)["name"] for card in _FOLDER.glob("*.json"))
    known = sorted({name.partition("/")[0] for name in names})
    if data is not None and data not in known:
        raise ValueError(f"data must be one of {', '.join(known)}, got {data!r}.")
    return [name for name in names if data in (None, name.partition("/")[0])]


def load_pretrained(name):
    """Load a generator that is part of the package.

    Parameters
    ----------
    name : str
        One of :func:`list_pretrained`, as ``"fashion/dcgan-0"``.

    Returns
    -------
    torch.nn.Module
        The generator in eval mode, on the CPU, with attributes ``latent_shape`` and
        ``output_shape``. Generators of tables return standardized columns;
        ``TablePreparer().fit(load_redwine())`` maps them to the units of the table and back.

    Raises
    ------
    ValueError
        If there is no such generator.
    """
    return load_generator(_stem(name))


def pretrained_card(name):
    """Model card of a generator that is part of the package.

    Parameters
    ----------
    name : str
        One of :func:`list_pretrained`.

    Returns
    -------
    dict
        Architecture, data, seed, command, losses and quality: a record of the training. The
        present form of the command is ``python -m benchmarks.zoo NAME``, in the repository.

    Raises
    ------
    ValueError
        If there is no such generator.
    """
    return read_card(file_of(_stem(name), ".json"))


def pretrained_samples(name):
    """Load the samples that are stored with a generator of the package.

    ``sample(load_pretrained(name), 16, random_state=0)``, for a table with ``dtype="float32"``,
    draws the same ones: bit for bit with the version of torch on the card and the same kind of
    processor, elsewhere within one gray level or the rounding of single precision.

    Parameters
    ----------
    name : str
        One of :func:`list_pretrained`.

    Returns
    -------
    ndarray of uint8, shape (16, channels, height, width), or of float32, shape (16, n_columns)

    Raises
    ------
    ValueError
        If there is no such generator.
    """
    rows = file_of(_stem(name), ".csv")
    return load_rows(rows) if rows.is_file() else load_grid(file_of(_stem(name), ".png"))


def _stem(name):
    stem = _FOLDER / name.replace("/", "-")
    if not file_of(stem, ".json").is_file():
        raise ValueError(
            f"Unknown pretrained generator {name!r}; there are {', '.join(list_pretrained())}."
        )
    return stem
