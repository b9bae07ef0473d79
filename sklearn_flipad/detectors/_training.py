"""Checks and callbacks of DeepSAD's training."""

import numpy as np
import torch
from skorch.callbacks import Callback
from torch.utils.data import DataLoader

from sklearn_flipad.base.progress import progress

__all__ = ["BatchesOnCPU", "Progress", "check_converged", "check_variation", "drop_training"]


class BatchesOnCPU(DataLoader):
    """Batches from memory, whatever default device the caller has set."""

    def __iter__(self):
        with torch.device("cpu"):
            batches = super().__iter__()
        while True:
            with torch.device("cpu"):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch


class Progress(Callback):
    """Progress over the epochs."""

    def __init__(self, verbose):
        self.verbose = verbose

    def on_train_begin(self, net, **kwargs):
        self.bar_ = progress(net.max_epochs, "training the detector, epochs", verbose=self.verbose)

    def on_epoch_end(self, net, **kwargs):
        self.bar_.set_postfix(loss=f"{net.history[-1, 'train_loss']:.4f}")
        self.bar_.update()

    def on_train_end(self, net, **kwargs):
        self.bar_.close()
        del self.bar_  # a bar cannot be pickled


def drop_training(net):
    """Drop what only training needs, several times the size of the network."""
    net.optimizer_.zero_grad(set_to_none=True)
    net.optimizer_ = net.callbacks = None
    net.callbacks_ = []


def check_variation(inliers):
    """Raise ValueError if all inliers are the same.

    Networks without biases cannot map a single point to the center.
    """
    if len(inliers) > 1 and (inliers == inliers[0]).all():
        raise ValueError(
            f"All {len(inliers)} inliers have the same features, from which a network cannot learn "
            "how they vary. If any difference is evidence, pass another detector, such as "
            "sklearn.mixture.GaussianMixture(covariance_type='spherical')."
        )


def check_converged(history):
    """Raise ValueError if the loss of an epoch is not finite."""
    bad = [epoch for epoch, loss in enumerate(history, start=1) if not np.isfinite(loss)]
    if bad:
        raise ValueError(
            f"The training diverged: its loss is NaN or infinite from epoch {bad[0]} on. Scale the "
            "features, for example by InlierScaler, or lower lr."
        )
