"""Encoders that are yet to be trained."""

from sklearn_flipad.reproduction.encoder import LatentEncoder

__all__ = ["is_untrained"]


def is_untrained(encoder):
    """Whether an encoder is yet to be trained."""
    return isinstance(encoder, LatentEncoder) and not hasattr(encoder, "module_")
