"""Tables, figures, examples and theorem of the paper, and the experiments that measure them."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

__all__ = ["ENTRIES", "Entry", "numbers"]

_SMALL = "four architectures on CelebA and on LSUN; here on Fashion-MNIST, three seeds of each"
_FOUR = ("SM-F", "RawPAD", "DCTPAD", "FLIPAD")
_ALL = ("SM-F", "SM-Inv l2", "SM-Inv features", "RawPAD", "DCTPAD", "FLIPAD")
_PADS = _FOUR[1:]
_FULL = "n_tr 10,000, n_val and n_test 1,000, 50 epochs"
_UNSEEN = "other architectures; real images are negatives"
_SEEDS = "other seeds of the architecture; real images are negatives"


@dataclass(frozen=True)
class Entry:
    """A table, figure, example or theorem.

    `experiment` names those whose rows it shows; without any, it is shown by the committed tables
    of another `benchmark`, and without both, drawn from what is shipped. `sizes` and `runs` are the
    paper's. `options` of the benchmark give it the paper's sizes.
    """

    name: str
    caption: str
    sources: str
    methods: tuple = ()
    sizes: str = _FULL
    runs: int = 5
    held_out: str = _UNSEEN
    claim: str = ""
    experiment: str = ""
    benchmark: str = ""
    options: str = ""
    tables: tuple = ()
    figure: bool = False

    @property
    def paper(self):
        """The paper's numbers by row and column, in its units."""
        found = numbers()
        found = found[found["entry"] == self.name]
        return found.set_index(["row", "column"])["value"].to_dict()


@cache
def numbers():
    """The numbers of the paper's tables: entry, row, column and value."""
    return pd.read_csv(Path(__file__).with_name("numbers.csv"))


_SD = "Stable Diffusion v2-1 and four versions; here autoencoders of latent diffusion"
_STYLE = "StyleGAN2 and three others on FFHQ; here two style-based generators and the shipped ones"
_MEDICAL = "DCGAN, WGAN-GP and c-DCGAN on mammograms; here on slices of a head"
_TABLE_4 = {
    "sources": "; ".join((_SD, _STYLE, _MEDICAL)),
    "methods": _FOUR,
    "sizes": "n_tr 2,000, n_val 100, n_test 200 for Stable Diffusion; 10,000, 1,000, 1,000 else",
    "held_out": "all but one other generator, whose samples are the negatives",
    "benchmark": "latent_diffusion stylegan2 medical",
    "tables": ("latent_diffusion", "stylegan2", "medical"),
}
_ROWS = {
    "methods": ("SM-Inv l2", "RawPAD", "FLIPAD"),
    "sizes": "n_tr 100,000, n_val and n_test 10,000, 100 epochs",
    "held_out": "CTGAN and CopulaGAN; rows of TVAE are negatives",
    "benchmark": "tabular",
    "options": "--n-train 100000 --n-calibration 10000 --n-pool 10000 --max-epochs 100",
    "tables": ("tabular",),
}
_FIGURES = {"held_out": "all sources are shown", "runs": 1, "figure": True}

ENTRIES = (
    Entry(
        "table-1",
        "accuracy against real images and other architectures",
        _SMALL,
        _ALL,
        claim="FLIPAD is above 97.5 % for each generator; the other methods are not",
        experiment="attribution searched",
        tables=("paper_table_1", "paper_losses", "paper_pairs"),
    ),
    Entry(
        "table-2",
        "accuracy against other seeds",
        _SMALL,
        _PADS,
        held_out=_SEEDS,
        claim="FLIPAD tells seeds apart, though less reliably than architectures",
        experiment="attribution",
        tables=("paper_table_2",),
    ),
    Entry(
        "table-3",
        "accuracy of immunized methods on perturbed samples, fnr 0.005",
        _SMALL,
        _PADS,
        claim="FLIPAD survives blur and crop, and loses most to noise and JPEG",
        experiment="perturbed",
        tables=("paper_table_3",),
    ),
    Entry(
        "table-4",
        "accuracy for diffusion, style-based and medical generators",
        claim="FLIPAD generalizes to versions it has not seen; RawPAD and DCTPAD may not",
        **_TABLE_4,
    ),
    Entry(
        "table-5",
        "accuracy for synthesizers of Redwine",
        "KL-WGAN, TVAE, CTGAN and CopulaGAN on Redwine",
        claim="FLIPAD is the most accurate",
        **_ROWS,
    ),
    Entry(
        "table-6",
        "minutes of the essential computations",
        _SMALL,
        _ALL,
        sizes="1,000 samples of CelebA and LSUN, 100 of Stable Diffusion, one A40",
        runs=1,
        claim="SM-F is the cheapest, then RawPAD and DCTPAD, FLIPAD, and SM-Inv by far the last",
        experiment="attribution searched",
        tables=("paper_table_6",),
    ),
    Entry(
        "table-8",
        "accuracy of each generator against each source",
        _SMALL,
        _ALL,
        claim="the details of table-1",
        experiment="attribution searched",
        tables=("paper_table_8",),
    ),
    Entry(
        "table-9",
        "areas under the curve, sources as in table-1",
        _SMALL,
        _ALL,
        claim="areas are more favorable than accuracies at a threshold",
        experiment="attribution",
        tables=("paper_table_9",),
    ),
    Entry(
        "table-10",
        "standard deviations of table-1, times 100",
        _SMALL,
        _ALL,
        experiment="attribution",
        tables=("paper_table_10",),
    ),
    Entry(
        "table-11",
        "standard deviations of table-2, times 100",
        _SMALL,
        _PADS,
        held_out=_SEEDS,
        experiment="attribution",
        tables=("paper_table_11",),
    ),
    Entry(
        "table-12",
        "accuracy of FLIPAD by the number of training samples",
        _SMALL,
        ("FLIPAD",),
        sizes="n_tr 1,000, 5,000 and 10,000, else as in table-1",
        claim="a tenth of the samples is enough except for LSGAN, where fnr 0.05 helps",
        experiment="fewer attribution",
        tables=("paper_table_12",),
    ),
    Entry(
        "table-13",
        "table-3 at fnr 0.05",
        _SMALL,
        _PADS,
        claim="a rate of 0.05 improves the accuracy under noise and JPEG",
        experiment="perturbed",
        tables=("paper_table_13",),
    ),
    Entry("table-14", "standard deviations of table-4, times 100", **_TABLE_4),
    Entry(
        "table-15",
        "accuracy for synthesizers of Whitewine",
        "KL-WGAN, TVAE, CTGAN and CopulaGAN on Whitewine",
        claim="SM-Inv is the most accurate",
        **_ROWS,
    ),
    Entry(
        "table-16",
        "standard deviations of table-5 and table-15, times 1,000",
        "as in table-5 and table-15",
        **_ROWS,
    ),
    Entry(
        "figure-4",
        "average reconstructed activations of a DCGAN by source, one channel",
        _SMALL,
        ("FLIPAD",),
        claim="the average of own samples is near the mean activation, that of others is not",
        experiment="averages",
        tables=("paper_averages",),
        **_FIGURES,
    ),
    Entry(
        "figure-7",
        "samples of the generators and real images",
        _SMALL,
        **_FIGURES,
    ),
    Entry(
        "figure-8",
        "mean activations of the four generators on CelebA, three channels; here seed 0",
        _SMALL,
        claim="mean activations of different generators look different",
        experiment="averages",
        **_FIGURES,
    ),
    Entry(
        "figure-9",
        "mean activations of the four generators on LSUN, three channels; here seed 1",
        _SMALL,
        claim="mean activations of different generators look different",
        experiment="averages",
        **_FIGURES,
    ),
    Entry(
        "figure-10",
        "mean activations of the decoders of five versions of Stable Diffusion",
        "Stable Diffusion; here three small autoencoders, and one whose decoder was trained on",
        claim="decoders that share a training differ less than those of other trainings",
        experiment="decoders",
        tables=("paper_decoders",),
        **_FIGURES,
    ),
    Entry(
        "figure-11",
        "average images by source",
        _SMALL,
        ("RawPAD",),
        claim="average images look alike",
        experiment="averages",
        tables=("paper_averages",),
        **_FIGURES,
    ),
    Entry(
        "figure-12",
        "average DCT features by source",
        _SMALL,
        ("DCTPAD",),
        claim="average spectra look alike",
        experiment="averages",
        tables=("paper_averages",),
        **_FIGURES,
    ),
    Entry(
        "figure-13",
        "figure-4 for another channel",
        _SMALL,
        ("FLIPAD",),
        claim="as for figure-4",
        experiment="averages",
        tables=("paper_averages",),
        **_FIGURES,
    ),
    Entry(
        "figure-14",
        "figure-4 for four penalties and three channels on CelebA, and accuracies; here seed 0",
        _SMALL,
        ("FLIPAD",),
        sizes="alpha 0.0001, 0.0005, 0.001 and 0.1; " + _FULL,
        claim="over a decade the penalty hardly matters; 0.1 costs more than ten points",
        experiment="penalties averages",
        tables=("paper_penalties",),
        **_FIGURES,
    ),
    Entry(
        "figure-15",
        "figure-14 on LSUN",
        "as in figure-14; here of seed 1",
        ("FLIPAD",),
        sizes="alpha 0.0001, 0.0005, 0.001 and 0.1; " + _FULL,
        claim="as for figure-14",
        experiment="penalties averages",
        tables=("paper_penalties",),
        **_FIGURES,
    ),
    Entry(
        "figure-16",
        "an image under each perturbation",
        _SMALL,
        **_FIGURES,
    ),
    Entry(
        "example-4.1",
        "an output outside the range of a transposed convolution",
        "a 2x2 kernel",
        sizes="3x3 outputs",
        runs=1,
        held_out="nothing",
        claim="an output arbitrarily close to a possible one has no input",
        experiment="examples",
        tables=("paper_examples",),
    ),
    Entry(
        "example-4.2",
        "an output that one of two linear generators is unlikely to give",
        "two diagonal matrices",
        sizes="two dimensions",
        runs=1,
        held_out="nothing",
        claim="log-probabilities of -7.16 and -6.06",
        experiment="examples",
        tables=("paper_examples",),
    ),
    Entry(
        "example-4.3",
        "an output that has a sparse input for one of two linear generators",
        "two invertible matrices",
        sizes="d dimensions, here 8",
        runs=1,
        held_out="nothing",
        claim="one generator needs d nonzero inputs, the other one",
        experiment="examples",
        tables=("paper_examples",),
    ),
    Entry(
        "theorem-4.5",
        "recovery of sparse activations by the lasso, and its unique solution",
        "random 2D convolutions",
        sizes="none given; here 12x12 outputs, 3x3 kernels",
        runs=1,
        held_out="nothing",
        claim="sparse activations are recovered; the solution is unique",
        experiment="recovery",
        tables=("paper_recovery",),
    ),
    Entry(
        "variants",
        "what was tried where FLIPAD is weak, not in the paper",
        "WGAN-GP and EBGAN, as in table-1",
        ("FLIPAD",),
        claim="convolutions, more epochs or whitening in blocks improve FLIPAD",
        experiment="variants attribution",
        tables=("paper_variants",),
    ),
    Entry(
        "again",
        "cells of each table measured once more, not in the paper",
        _SMALL,
        _FOUR,
        runs=1,
        claim="other hold-outs and other seeds give what the tables say",
        experiment="again",
        tables=("paper_again",),
    ),
)
