"""Models with the same final layer."""

import warnings

from sklearn.frozen import FrozenEstimator

from sklearn_flipad.final_layer import FinalLayer

__all__ = ["warn_of_shared_layers"]


def warn_of_shared_layers(estimators):
    """Warn of models whose attributors invert the same final layer."""
    sharing = {}
    for name, estimator in estimators:
        estimator = estimator.estimator if isinstance(estimator, FrozenEstimator) else estimator
        values = estimator.get_params().values()
        for digest in {v.map_fingerprint for v in values if isinstance(v, FinalLayer)}:
            sharing.setdefault(digest, []).append(repr(name))
    for names in sharing.values():
        if len(names) > 1:
            warnings.warn(
                f"{', '.join(names[:-1])} and {names[-1]} have the same final layer, as diffusion "
                "models with the same autoencoder do: its inversion cannot tell their samples "
                "apart. Make them one model, or expect both in the sets of such samples.",
                stacklevel=4,
            )
