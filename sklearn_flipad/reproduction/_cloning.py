"""Clones of detectors that hold models."""

from sklearn.base import clone

from sklearn_flipad.reproduction.encoder import LatentEncoder

__all__ = ["SharingMixin", "is_untrained"]


class SharingMixin:
    """Clones that share the parameters which ``_shared_by_clones`` names."""

    def __sklearn_clone__(self):
        params = self.get_params(deep=False).items()
        shared = self._shared_by_clones()
        return type(self)(**{k: v if k in shared else clone(v, safe=False) for k, v in params})


def is_untrained(encoder):
    """Whether an encoder is yet to be trained."""
    return isinstance(encoder, LatentEncoder) and not hasattr(encoder, "module_")
