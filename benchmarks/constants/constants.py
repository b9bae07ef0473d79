"""Constants of the library beside other values, by what they decide.

Each constant is set to one value after the other, and the same is measured with each: what the
search does with own samples and with those of copies, what an inversion finds, or how long a step
takes. The comment beside the constant says what was found.
"""

from unittest.mock import patch

from benchmarks.attribution import diffusion
from benchmarks.attributors import QUICK
from benchmarks.constants.entries import CONSTANTS
from benchmarks.options import Option, selection

KEYS = ("constant", "value")
#: Options of the diffusion network, which is that of another benchmark.
_OF_NETWORK = ("n_steps", "n_steps_on", "channels")
OPTIONS = (
    selection("constants", CONSTANTS),
    Option("n_suspects", 48, 2, "samples of each source"),
    Option("max_steps", 600, 1, "training steps of the encoders"),
    *(option for option in diffusion.OPTIONS if option.name in _OF_NETWORK),
    Option("n_seeds", 5000, 20, "seeds whose noise is drawn"),
    Option("n_scores", 5000, 30, "scores of likelihood ratios"),
    QUICK,
)


def path_of(name):
    """The place in the package that sets a constant."""
    return f"sklearn_flipad.{name.partition(', ')[0]}"


def run(options, results):
    """Measure with each value of each constant."""
    for name in options.constants:
        constant = CONSTANTS[name]
        for label, value in constant.values.items():
            if results.has(name, label):
                continue
            with patch(path_of(name), value):
                found = constant.measure(options)
            results.add({"constant": name, "value": label, **found})
