"""The layers and images that the benchmark of the solvers solves."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from benchmarks.attributors import final_layer
from benchmarks.data.generators import public_dcgan
from sklearn_flipad import FinalLayer
from sklearn_flipad.generators import sample
from sklearn_flipad.solvers import LassoProblem
from sklearn_flipad.zoo import LSGANGenerator, load_pretrained

LAM = 1e-3


@dataclass(frozen=True)
class Case:
    """A layer and samples, whose targets are solved."""

    layer: FinalLayer
    samples: np.ndarray

    def problem(self, dtype=torch.float32, n=None):
        """The lasso problems of the first `n` samples."""
        x = torch.from_numpy(self.samples[:n])
        if x.dtype == torch.uint8:
            x = x.double() / 127.5 - 1
        b = self.layer.shifted_target(x.double()).to(dtype)
        return LassoProblem(self.layer.operator(dtype=dtype), b, LAM)


def _of_generator(make, n_samples, folder):
    generator = make(folder)
    return Case(final_layer(generator, 1000), sample(generator, n_samples, random_state=1))


def _of_table(n_samples, folder):
    torch.manual_seed(0)
    layer = FinalLayer.from_module(torch.nn.Linear(100, 11), input_shape=(100,))
    return Case(layer, np.random.default_rng(0).normal(size=(n_samples, 11)))


def _untrained(n_samples, folder):
    torch.manual_seed(0)
    # It has four times the activations of the DCGAN.
    return _of_generator(lambda _: LSGANGenerator(), min(n_samples, 8), folder)


def _shipped(name):
    return partial(_of_generator, lambda _: load_pretrained(f"fashion/{name}-0"))


#: Functions of a number of samples and the folder of packages, which return a case.
CASES = {
    "DCGAN 64x64 RGB (public)": partial(_of_generator, public_dcgan),
    "dcgan 32x32 (shipped)": _shipped("dcgan"),
    "lsgan 32x32 (shipped)": _shipped("lsgan"),
    "Linear 100 to 11": _of_table,
    "LSGAN-like 64x64 RGB (untrained)": _untrained,
}
