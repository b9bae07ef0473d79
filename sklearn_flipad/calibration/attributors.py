"""Calibrators of attributors, and estimators made of several attributors."""

from sklearn.frozen import FrozenEstimator
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _routing_enabled,
    process_routing,
)
from sklearn.utils.metaestimators import _BaseComposition

from sklearn_flipad.base.estimators import step_parameters
from sklearn_flipad.calibration.threshold import FNRThresholdCalibrator

__all__ = ["NamedAttributors", "calibrator_of"]


def calibrator_of(attributor):
    """Return the calibrator that an attributor is, ends with or has found.

    Parameters
    ----------
    attributor : estimator
        A calibrator; a pipeline that ends with one; a search over such, fitted or not; or a
        :class:`~sklearn.frozen.FrozenEstimator` of one.

    Returns
    -------
    estimator
        The last step. It is an :class:`~sklearn_flipad.FNRThresholdCalibrator` if the attributor
        is calibrated.
    """
    if isinstance(attributor, FrozenEstimator):
        return calibrator_of(attributor.estimator)
    if isinstance(attributor, Pipeline):
        return calibrator_of(attributor.steps[-1][1])
    if isinstance(attributor, BaseSearchCV):
        return calibrator_of(getattr(attributor, "best_estimator_", attributor.estimator))
    return attributor


class NamedAttributors(_BaseComposition):
    """Base class of estimators whose ``estimators`` are (name, attributor) pairs.

    Each attributor is a parameter by its name, and its own parameters are
    ``<name>__<parameter>``.
    """

    #: Whether groups of samples matter to ``fit``, since parts of it are held out.
    _calibrates = True

    def get_params(self, deep=True):
        """Get the parameters of this estimator and of its attributors.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the attributors and their parameters, as ``<name>__<parameter>``.

        Returns
        -------
        dict
        """
        return self._get_params("estimators", deep=deep)

    def set_params(self, **params):
        """Set parameters; attributors are replaced by name.

        Parameters
        ----------
        **params : dict
            Parameters.

        Returns
        -------
        self
        """
        self._set_params("estimators", **params)
        return self

    def get_metadata_routing(self):
        """Get the metadata routing: parameters go to the ``fit`` of each attributor.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRouter
        """
        router = MetadataRouter(owner=self)
        mapping = MethodMapping().add(caller="fit", callee="fit")
        for name, estimator in self.estimators:
            router.add(**{name: estimator}, method_mapping=mapping)
        return router

    def _routed(self, params):
        """Parameters of ``fit`` of each attributor, as ``routed[name].fit``."""
        if _routing_enabled():
            return process_routing(self, "fit", **params)
        return {
            name: Bunch(fit=step_parameters(estimator, params))
            for name, estimator in self.estimators
        }

    def _check_attributors(self):
        """Raise ValueError unless `estimators` are pairs of names and calibrated attributors."""
        if not self.estimators:
            raise ValueError("estimators is empty; pass a list of (name, attributor) pairs.")
        for pair in self.estimators:
            if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str)):
                raise ValueError(
                    f"estimators must be a list of (name, attributor) pairs, got {pair!r} in it."
                )
        self._validate_names([name for name, _ in self.estimators])
        for name, attributor in self.estimators:
            last = calibrator_of(attributor)
            if not isinstance(last, FNRThresholdCalibrator):
                raise ValueError(
                    f"The attributor {name!r} is not an FNRThresholdCalibrator and does not end "
                    f"with one, but with {type(last).__name__}; only calibrated scores can be "
                    "compared."
                )
