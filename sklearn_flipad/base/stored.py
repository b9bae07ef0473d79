"""Declarations of the fitted attributes that files hold."""

from dataclasses import dataclass

__all__ = ["Stored"]

#: Attributes that ``record_samples`` sets, and those that it sets for some samples.
_RECORDED = ("n_features_in_", "_saw_levels", "_saw_whole_numbers")
_LAYOUT = ("_sample_shape", "feature_names_in_")


@dataclass(frozen=True)
class Stored:
    """Names of fitted attributes, the value of an estimator's class attribute ``_stored``.

    Instances with other attributes are not saved, so that none is left out unnoticed.

    Parameters
    ----------
    fitted : tuple of str, default=()
        Attributes of every fitted instance.
    optional : tuple of str, default=()
        Attributes of some instances.
    """

    fitted: tuple = ()
    optional: tuple = ()

    @classmethod
    def with_samples(cls, *fitted):
        """Return names for a class whose ``fit`` calls :func:`record_samples`.

        Parameters
        ----------
        *fitted : str
            Further attributes of every fitted instance.

        Returns
        -------
        Stored
        """
        return cls((*fitted, *_RECORDED), (*_LAYOUT, "_seen"))

    @classmethod
    def stateless(cls, *optional):
        """Return names for a class that also works without ``fit``.

        Parameters
        ----------
        *optional : str
            Attributes of some instances, besides those of :func:`record_samples`.

        Returns
        -------
        Stored
        """
        return cls((), (*optional, *_RECORDED, *_LAYOUT))
