"""Scores of attributors as differentiable functions of gray levels, for who knows the attributor.

Of methods whose features are simple functions of the pixels: they are written down again in torch,
followed by the fitted scaler and network.
"""

import numpy as np
import torch
from scipy import fft

__all__ = ["GRADIENTS", "differentiable_scores", "gradient_for"]


def _pixels(attributor):
    return lambda x: x


def _preactivations(attributor):
    step = attributor["preactivation"]
    return lambda x: step.activation.inverse(x, step.clip_eps)


def _spectra(attributor):
    eps = attributor["dct"].eps

    def features(x):
        rows, columns = (
            torch.from_numpy(fft.dct(np.eye(side), norm="ortho", axis=0)) for side in x.shape[2:]
        )
        return torch.log((rows @ x @ columns.T).abs() + eps)

    return features


#: Features of a method, a function of an attributor and then of values in [-1, 1].
GRADIENTS = {"whitened": _preactivations, "rawpad": _pixels, "dctpad": _spectra}


def differentiable_scores(method, attributor):
    """``decision_function`` of float64 gray levels, a differentiable function of tensors."""
    features, calibrator = GRADIENTS[method](attributor), attributor["detect"]
    scale, detector = (calibrator.estimator_[name] for name in ("scale", "detector"))
    module, center = detector.net_.module_.eval(), detector.net_.criterion_.center.cpu()
    shape = attributor[0].transform(np.zeros((1, *attributor[0]._sample_shape), np.uint8)).shape[1:]
    if scale != "passthrough":
        # Scaling and whitening are affine: their matrix is read off the images of a basis.
        basis = np.eye(int(np.prod(shape)), dtype=np.float64).reshape(-1, *shape)
        offset = scale.transform(np.zeros_like(basis[:1]))
        matrix = (scale.transform(basis) - offset).reshape(len(basis), -1)
        matrix, offset = torch.from_numpy(matrix), torch.from_numpy(offset)

    def score(levels):
        # Rounded as the attributor does it, since logarithms magnify it.
        found = features((levels / 127.5 - 1).float().double())
        if scale != "passthrough":
            found = (found.flatten(1) @ matrix).reshape(-1, *offset.shape[1:]) + offset
        represented = module(found.float())
        return -torch.linalg.vector_norm(represented - center, dim=1) - calibrator.offset_

    return score


def gradient_for(method, attributor):
    """Function of float64 gray levels that returns the gradients of their scores."""
    score = differentiable_scores(method, attributor)

    def gradient(X):
        with torch.enable_grad():
            levels = torch.from_numpy(np.asarray(X, dtype=np.float64)).requires_grad_()
            score(levels).sum().backward()
        return levels.grad.numpy()

    return gradient
