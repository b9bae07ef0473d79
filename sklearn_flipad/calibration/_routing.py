"""Routing of the parameters of a calibrator's fit."""

from sklearn.utils import Bunch
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _routing_enabled,
    process_routing,
)

from sklearn_flipad.base.estimators import last_step, step_parameters
from sklearn_flipad.calibration._draws import FoundDraws

__all__ = ["RoutingMixin"]


class RoutingMixin:
    """Parameters of ``fit`` for the calibrator itself, its splitter and its detector."""

    #: By metadata routing, these come here without a request.
    __metadata_request__fit = {"groups": True, "strata": True}
    __metadata_request__decision_function = {"strata": True}
    __metadata_request__predict = {"strata": True}
    __metadata_request__score = {"strata": True}

    def _routed(self, groups, params):
        """Parameters of fit by their destination, ``splitter.split`` and ``estimator.fit``."""
        given = {} if groups is None else {"groups": groups}
        nothing = {"splitter": Bunch(split={}), "estimator": Bunch(fit={})}
        if not _routing_enabled():
            to_fit = {**params, **given} if _holds_calibrators(self.estimator) else params
            fit = step_parameters(self.estimator, to_fit)
            to_split = {} if isinstance(groups, FoundDraws) else given
            return Bunch(splitter=Bunch(split=to_split), estimator=Bunch(fit=fit))
        if not {**given, **params}:
            return Bunch(**nothing)
        return Bunch(**{**nothing, **process_routing(self, "fit", **given, **params)})

    def get_metadata_routing(self):
        """Get the metadata routing.

        ``groups`` come to the calibrator without a request, and to the splitter and the detector
        if they ask for them; all other parameters of ``fit`` go to the detector.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRouter
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self).add_self_request(self)
        router.add(estimator=self.estimator, method_mapping=mapping)
        if hasattr(self.cv, "get_metadata_routing"):
            mapping = MethodMapping().add(caller="fit", callee="split")
            return router.add(splitter=self.cv, method_mapping=mapping)
        return router


def _holds_calibrators(estimator):
    """Whether an estimator calibrates parts of its own, which hold out groups too."""
    return getattr(last_step(estimator), "_calibrates", False)
