"""The distance in features of Inception-V3 (SM-Inv_inc)."""

from pathlib import Path

import torch

from sklearn_flipad.reproduction.distances import FeatureDistance
from sklearn_flipad.storage.checkpoints import read_checkpoint

__all__ = ["inception_distance"]


def inception_distance(weights):
    """The :class:`FeatureDistance` of pooled features of Inception-V3, by torchvision's weights.

    References: Zhang et al., "On Attribution of Deepfakes", arXiv:2008.09194.
    """
    if weights is None or not Path(weights).is_file():
        raise FileNotFoundError(
            f"distance='inception' needs the weights of Inception-V3, but inception_weights="
            f"{weights!r} is no file. They are the file inception_v3_google-*.pth of "
            "torchvision.models.Inception_V3_Weights.IMAGENET1K_V1; download it once and pass "
            "its path."
        )
    try:
        from torchvision.models import inception_v3
    except (ImportError, RuntimeError) as error:
        raise ImportError(
            "distance='inception' needs a torchvision that fits your torch: pip install torchvision"
        ) from error
    network = inception_v3(weights=None, init_weights=False, transform_input=False)
    network.load_state_dict(read_checkpoint(weights))
    network.fc = torch.nn.Identity()
    return FeatureDistance(torch.nn.Sequential(_ToInception(), network.eval()))


class _ToInception(torch.nn.Module):
    """Images in [-1, 1] as Inception-V3 takes them: 3 channels of 299x299 pixels."""

    def forward(self, x):
        if x.shape[1] == 1:
            x = x.expand(-1, 3, -1, -1)
        return torch.nn.functional.interpolate(x, (299, 299), mode="bilinear", antialias=True)
