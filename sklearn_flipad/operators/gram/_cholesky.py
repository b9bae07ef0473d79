"""Inverses of symmetric, positive definite matrices."""

import torch

__all__ = ["inverse"]


def inverse(matrix):
    """The inverse of positive definite matrices, by Cholesky factorization."""
    return torch.cholesky_inverse(torch.linalg.cholesky(matrix))
