"""Internal: what all rooms build on, but for the names that it exports, which extensions use."""

from sklearn_flipad.base.labels import own_samples
from sklearn_flipad.base.mixins import SampleTransformerMixin
from sklearn_flipad.base.samples import check_samples, record_samples
from sklearn_flipad.base.stored import Stored

__all__ = ["SampleTransformerMixin", "Stored", "check_samples", "own_samples", "record_samples"]
