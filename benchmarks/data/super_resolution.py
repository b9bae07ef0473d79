"""Super-resolution networks that others trained, and photographs to run them on.

Everything is taken from packages, which are not installed, and kept in a folder: the residual dense
networks of ``@upscalerjs/esrgan-slim`` (MIT), which magnify by 2, 3, 4 and 8, and photographs of
Debian's ``mate-backgrounds``. Needs npm.
"""

import json

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from benchmarks.data.packages import debian_files, npm_files

__all__ = ["SCALES", "SIDE", "SuperResolution", "network", "resized", "tiles"]

SCALES = (2, 3, 4, 8)
#: Pixels of a side of what is judged.
SIDE = 64
_PHOTOGRAPHS = "/usr/share/backgrounds/mate/nature"
#: Photographs that nothing is trained or calibrated on.
_TEST = ("Dune.jpg", "Garden.jpg", "RainDrops.jpg", "Wood.jpg")
#: Tiles are taken of photographs of this width.
_WIDTH = 1000
#: The networks' outputs are not bounded: what is dark or bright would be cut off.
_DARKEST, _BRIGHTEST = 32, 223


class SuperResolution(nn.Module):
    """A residual dense network that magnifies low-resolution gray levels by `scale`.

    Its inputs are drawn from `low`, uint8 of shape (n, 3, height, width).
    """

    def __init__(self, scale, low):
        super().__init__()
        self.scale, self.low = scale, low
        sizes = {
            "F_m1": (3, 64, 3),
            "F_0": (64, 64, 3),
            "F_1_1": (64, 4, 3),
            "LFF_1": (68, 64, 1),
            "F_2_1": (64, 4, 3),
            "LFF_2": (68, 64, 1),
            "GFF_1": (128, 64, 1),
            "GFF_2": (64, 64, 3),
            "UPN1": (64, 64, 5),
            "UPN2": (64, 32, 3),
            "UPN3": (32, 3 * scale**2, 3),
            "SR": (3 * scale**2, 3, 3),
        }
        for name, (n_in, n_out, side) in sizes.items():
            self.add_module(name, nn.Conv2d(n_in, n_out, side, padding=side // 2))

    def forward(self, x):
        shallow = self.F_m1(x)
        first = self.F_0(shallow)
        second = self.LFF_1(torch.cat([first, functional.relu(self.F_1_1(first))], 1)) + first
        third = self.LFF_2(torch.cat([second, functional.relu(self.F_2_1(second))], 1)) + second
        deep = self.GFF_2(self.GFF_1(torch.cat([second, third], 1))) + shallow
        wide = functional.relu(self.UPN2(functional.relu(self.UPN1(deep))))
        wide = functional.interpolate(self.UPN3(wide), scale_factor=self.scale, mode="nearest")
        return self.SR(wide)

    def sampler(self, n, rng):
        """Low-resolution images at random."""
        return torch.from_numpy(self.low[rng.randint(len(self.low), size=n)]).float()


def network(scale, folder, low):
    """The network that magnifies by `scale`, with its weights; `low` is what it is run on."""
    root = npm_files("@upscalerjs/esrgan-slim@1.0.0", folder)
    made = SuperResolution(scale, low)
    made.load_state_dict(_weights(root / "models" / f"x{scale}"))
    return made.eval().requires_grad_(False)


def _weights(folder):
    """The state dict of a network of TensorFlow's, which has channels last."""
    (group,) = json.loads((folder / "model.json").read_text())["weightsManifest"]
    values = np.fromfile(folder / group["paths"][0], dtype="<f4")
    state, start = {}, 0
    for weight in group["weights"]:
        size = int(np.prod(weight["shape"]))
        value = torch.from_numpy(values[start : start + size].reshape(weight["shape"]))
        name, _, kind = weight["name"].partition("/")
        if kind == "kernel":
            state[f"{name}.weight"] = value.permute(3, 2, 0, 1).contiguous()
        else:
            state[f"{name}.{kind}"] = value
        start += size
    return state


def tiles(n, folder, *, side=SIDE, test=False, seed=0):
    """Square parts of photographs with less contrast, uint8 of shape (n, 3, side, side).

    There are as many of each photograph, of those that are for tests alone, or of the others.
    """
    paths = sorted(debian_files("mate-backgrounds", _PHOTOGRAPHS, folder).glob("*.jpg"))
    paths = [path for path in paths if (path.name in _TEST) == test]
    rng = np.random.default_rng(seed)
    found = np.empty((n, 3, side, side), dtype=np.uint8)
    for i, path in enumerate(paths):
        image = Image.open(path).convert("RGB")
        image = image.resize((_WIDTH, round(_WIDTH * image.height / image.width)), Image.LANCZOS)
        pixels = np.asarray(image).transpose(2, 0, 1) / 255
        pixels = np.rint(_DARKEST + (_BRIGHTEST - _DARKEST) * pixels)
        for tile in found[i :: len(paths)]:
            top, left = (rng.integers(size - side + 1) for size in pixels.shape[1:])
            tile[:] = pixels[:, top : top + side, left : left + side]
    return found[rng.permutation(n)]


def resized(X, side):
    """Images, made larger or smaller bicubically."""
    size = (side, side)
    images = [Image.fromarray(x.transpose(1, 2, 0)).resize(size, Image.BICUBIC) for x in X]
    return np.stack([np.asarray(image) for image in images]).transpose(0, 3, 1, 2)
