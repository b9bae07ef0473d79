"""The figures of the paper, drawn from results or from what is shipped."""

from types import SimpleNamespace

import numpy as np

from benchmarks.paper.attribution import ALPHA, PERTURBATIONS
from benchmarks.paper.averages import decode_map
from benchmarks.paper.judgments import rows_of
from benchmarks.paper.scales import SCALES
from benchmarks.paper.sources import ARCHITECTURES, architecture, generator_of, real_images
from sklearn_flipad.generators import sample

__all__ = ["FIGURES", "draw"]

_FIRST = f"alpha {ALPHA}"


def draw(name, rows, folder):
    """Draw a figure into a folder and return its path, None where it is not measured yet."""
    grid = FIGURES[name](rows)
    if not grid:
        return None
    import matplotlib.pyplot as plt

    lines, columns = list(grid), list(next(iter(grid.values())))
    size = (0.9 * len(columns) + 1, 0.95 * len(lines) + 0.3)
    fig, axes = plt.subplots(
        len(lines), len(columns), figsize=size, squeeze=False, layout="constrained"
    )
    for axis_line, line in zip(axes, lines, strict=True):
        # One scale of gray for what is compared.
        values = np.concatenate([image.ravel() for image in grid[line].values()])
        for ax, (column, image) in zip(axis_line, grid[line].items(), strict=True):
            ax.imshow(image, cmap="gray", vmin=values.min(), vmax=values.max())
            ax.set(xticks=[], yticks=[])
            if ax in axes[0]:
                ax.set_title(column, fontsize=7)
        axis_line[0].set_ylabel(line, fontsize=7)
    path = folder / f"paper_{name.replace('-', '_')}.png"
    fig.savefig(path, dpi=80)
    plt.close(fig)
    return path


def _rows(rows, which):
    """Rows of averages of the first or second set of generators, by owner and setting."""
    found = rows_of(rows, "averages")
    if not found:
        return {}
    pictured = SCALES[found[0]["scale"]].pictured
    if which >= len(pictured):
        return {}
    names = {pictured[which].format(kind) for kind in ARCHITECTURES}
    return {(row["owner"], row["setting"]): row for row in found if row["owner"] in names}


def _name(source, owner):
    return "own" if source == owner else architecture(source) or source


def _maps(row, channel):
    """Maps of a channel by source."""
    return {_name(name, row["owner"]): decode_map(x)[channel] for name, x in row["maps"].items()}


def _of_dcgan(rows, which, setting):
    found = _rows(rows, which)
    return next((x for (o, s), x in found.items() if s == setting and "/dcgan" in o), None)


def _channel(setting, index):
    """Figure with the maps of one channel."""

    def grid(rows):
        row = _of_dcgan(rows, 0, setting)
        return row and {f"channel {row['channels'][index]}": _maps(row, index)}

    return grid


def _mean_activations(which):
    """Figure with three channels of the mean activations of all architectures."""

    def grid(rows):
        found = [row for (_, s), row in _rows(rows, which).items() if s == _FIRST]
        if not found:
            return None
        return {
            f"{index + 1}": {
                architecture(row["owner"]): decode_map(row["maps"]["mean activation"])[index]
                for row in found
            }
            for index in range(3)
        }

    return grid


def _penalties(which):
    """Figure with three channels for each penalty."""

    def grid(rows):
        settings = sorted(
            {s for _, s in _rows(rows, which) if s.startswith("alpha")},
            key=lambda setting: float(setting.split()[1]),
        )
        found = [_of_dcgan(rows, which, setting) for setting in settings]
        return {
            f"{row['setting'].removeprefix('alpha ')}, {row['channels'][index]}": _maps(row, index)
            for row in found
            for index in range(3)
        } or None

    return grid


def _samples(rows):
    """Real images and samples of each shipped architecture."""
    nothing = SimpleNamespace()
    grid = {"real": real_images("fashion", nothing)[:6]}
    for kind in ARCHITECTURES:
        grid[kind] = sample(generator_of(f"fashion/{kind}-0", nothing), 6, random_state=0)
    return {
        line: {str(index): image[0] for index, image in enumerate(images)}
        for line, images in grid.items()
    }


def _perturbations(rows):
    """An image of the shipped DCGAN under each perturbation."""
    images = sample(generator_of("fashion/dcgan-0", SimpleNamespace()), 2, random_state=0)
    changed = {name: make(32).fit_transform(images) for name, make in PERTURBATIONS.items()}
    return {
        str(line): {"none": images[line, 0]} | {name: X[line, 0] for name, X in changed.items()}
        for line in range(2)
    }


def _decoders(rows):
    """Three channels of the mean activations of decoders."""
    found = rows_of(rows, "decoders")
    return found and {
        f"channel {channel}": {name: decode_map(x)[i] for name, x in found[0]["maps"].items()}
        for i, channel in enumerate(found[0]["channels"])
    }


#: Functions of rows that return images by line and column.
FIGURES = {
    "figure-4": _channel(_FIRST, 0),
    "figure-7": _samples,
    "figure-8": _mean_activations(0),
    "figure-9": _mean_activations(1),
    "figure-10": _decoders,
    "figure-11": _channel("pixels", 0),
    "figure-12": _channel("DCT", 0),
    "figure-13": _channel(_FIRST, 1),
    "figure-14": _penalties(0),
    "figure-15": _penalties(1),
    "figure-16": _perturbations,
}
