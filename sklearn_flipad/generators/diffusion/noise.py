"""Noise from a seed, as pipelines of diffusers draw it."""

from dataclasses import dataclass

import torch

__all__ = ["TorchNoise"]


@dataclass(frozen=True)
class TorchNoise:
    """Unit normal noise of ``torch.Generator().manual_seed(seed)``.

    It is what a pipeline of diffusers draws that is called with such a generator for a batch, or
    with a list of generators, one for each image, whose noise is that of ``batch_size=1``. Called
    with a seed, an int, it returns a tensor of shape ``(batch_size, *shape)``.

    Parameters
    ----------
    shape : tuple of int
        Shape of one image's noise, such as ``(4, 64, 64)``.
    batch_size : int, default=1
        Images that one generator makes. The noise of an image depends on it.
    dtype : {"float32", "float16", "bfloat16", "float64"}, default="float32"
        Type in which the noise is drawn, that of the network's weights.
    device : str, default="cpu"
        Device of the generator. The CPU and CUDA have different noise for a seed.

    Notes
    -----
    On the CPU, torch uses the last 32 bits of a seed: seeds that differ by 2³² have the same noise.

    Examples
    --------
    >>> from sklearn_flipad.generators import TorchNoise
    >>> TorchNoise((4, 8, 8))(seed=3).shape
    torch.Size([1, 4, 8, 8])
    """

    shape: tuple
    batch_size: int = 1
    dtype: str = "float32"
    device: str = "cpu"

    def __call__(self, seed):
        """Noise of a seed, a tensor of shape (batch_size, *shape)."""
        generator = torch.Generator(self.device).manual_seed(int(seed))
        return torch.randn(
            (self.batch_size, *self.shape),
            generator=generator,
            device=self.device,
            dtype=getattr(torch, self.dtype),
        )
