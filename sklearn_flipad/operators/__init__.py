"""Batched linear operators on torch tensors: forward, adjoint and spectral norm."""

from sklearn_flipad.operators.base import LinearOperator
from sklearn_flipad.operators.convolution import ConvOperator, ConvTransposeOperator
from sklearn_flipad.operators.linear import DenseOperator

__all__ = ["ConvOperator", "ConvTransposeOperator", "DenseOperator", "LinearOperator"]
