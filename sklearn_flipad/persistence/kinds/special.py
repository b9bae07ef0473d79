"""Classes of estimators that need more than their parameters and fitted attributes."""

import numpy as np
from sklearn.base import clone
from sklearn.model_selection._search import BaseSearchCV

from sklearn_flipad.persistence.kinds.probes import check_output, on_cpu, ramps

__all__ = ["Denoisers", "Residuals", "Searches", "Special"]


class Special:
    """Steps beyond storing parameters and fitted attributes: by default none."""

    def to_store(self, estimator, params, fitted):
        """Parameters and fitted attributes as a file holds them; ValueError if it cannot."""
        return params, fitted

    def probe(self, estimator):
        """Outputs of the user's code for a few inputs; None if there is no such code."""

    def check(self, estimator, expected):
        """Raise ValueError if code has other outputs than when it was stored."""
        raise ValueError(f"a {type(estimator).__name__} has no outputs to compare")

    def complete(self, estimator):
        """Finish an estimator whose parameters and fitted attributes are set."""


class Searches(Special):
    """Combined attributors: of a search, what it found is stored, fitted and as a parameter."""

    def to_store(self, estimator, params, fitted):
        if not fitted:
            return params, fitted
        templates, parts = [], []
        for (name, template), part in zip(estimator.estimators, fitted["estimators_"], strict=True):
            if isinstance(part, BaseSearchCV):
                part = part.best_estimator_
                template = clone(part)
            templates.append((name, template))
            parts.append(part)
        named = {name: part for (name, _), part in zip(templates, parts, strict=True)}
        found = {"estimators_": parts, "named_estimators_": named}
        return {**params, "estimators": templates}, {**fitted, **found}


class Residuals(Special):
    """ResidualTransformer: reconstructions of two ramps tell its autoencoder from others."""

    def probe(self, transformer):
        if not hasattr(transformer, "n_features_in_"):
            return None
        shape = getattr(transformer, "_sample_shape", (transformer.n_features_in_,))
        low, high = transformer.output_range or (-1.0, 1.0)
        samples = (low + (high - low) * (ramps(shape) + 1) / 2).numpy()
        with on_cpu(transformer.autoencoder):
            return clone(transformer).set_params(device="cpu").reconstruct(samples)

    def check(self, transformer, expected):
        name = "the autoencoder of the ResidualTransformer"
        check_output(self.probe(transformer), expected, name)


class Denoisers(Special):
    """DenoiserTransformer: samples of fixed noise tell its sampler from others."""

    def probe(self, transformer):
        sampler = transformer.sampler
        noise = np.random.RandomState(0).standard_normal((2, *sampler.latent_shape))
        with on_cpu(sampler):
            return sampler.run(noise.astype(np.float32))

    def check(self, transformer, expected):
        check_output(self.probe(transformer), expected, "the sampler of the DenoiserTransformer")
