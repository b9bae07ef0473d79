"""Distances between samples and their reconstructions, for SM-Inv."""

from pathlib import Path

import torch

from sklearn_flipad.base.modules import evaluating

__all__ = ["FeatureDistance", "euclidean_distance", "inception_distance"]


def euclidean_distance(x, reconstruction):
    """Euclidean distance over the number of elements.

    Parameters
    ----------
    x, reconstruction : torch.Tensor, shape (n, *sample_shape)
        Samples and reconstructions.

    Returns
    -------
    torch.Tensor, shape (n,)
    """
    difference = (x - reconstruction).flatten(1)
    # The square root has no gradient at 0, where a sample is reconstructed exactly.
    square = torch.square(difference).sum(dim=1)
    return square.clamp_min(torch.finfo(square.dtype).tiny).sqrt() / difference.shape[1]


class FeatureDistance:
    """Euclidean distance between the features of a frozen network.

    Parameters
    ----------
    extractor : torch.nn.Module
        Maps samples ``(n, *sample_shape)`` to features ``(n, ...)``. It runs in eval
        mode.

    Examples
    --------
    >>> import torch
    >>> from sklearn_flipad.reproduction import FeatureDistance
    >>> distance = FeatureDistance(torch.nn.Flatten())
    >>> distance(torch.zeros(1, 1, 1, 2), torch.ones(1, 1, 1, 2))
    tensor([0.7071])
    """

    def __init__(self, extractor):
        self.extractor = extractor

    def __call__(self, x, reconstruction):
        """Distance of each pair, a tensor of shape (n,)."""
        extractor = self.extractor.to(x.device)
        with evaluating(extractor), torch.enable_grad():
            features, others = extractor(x), extractor(reconstruction)
        return euclidean_distance(features, others)


def inception_distance(weights):
    """Distance in the pooled features of Inception-V3 (SM-Inv_inc).

    Parameters
    ----------
    weights : path-like
        File with the state dict of torchvision's ``inception_v3``, as
        ``inception_v3_google-*.pth``.

    Returns
    -------
    FeatureDistance

    Raises
    ------
    ImportError
        If torchvision is missing.
    FileNotFoundError
        If there is no such file; the message says where to get it.

    References
    ----------
    Zhang et al., "On Attribution of Deepfakes", arXiv:2008.09194.
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
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    network.fc = torch.nn.Identity()
    return FeatureDistance(torch.nn.Sequential(_ToInception(), network.eval()))


class _ToInception(torch.nn.Module):
    """Images in [-1, 1] as Inception-V3 takes them: 3 channels of 299x299 pixels."""

    def forward(self, x):
        if x.shape[1] == 1:
            x = x.expand(-1, 3, -1, -1)
        return torch.nn.functional.interpolate(x, (299, 299), mode="bilinear", antialias=True)
