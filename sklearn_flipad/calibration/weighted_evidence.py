"""Evidence about suspects whose content differs from that of the calibration samples."""

from dataclasses import dataclass, fields, replace

import numpy as np
from sklearn.base import clone
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples, check_is_fitted

from sklearn_flipad.base.estimators import normality
from sklearn_flipad.base.sample_lists import sample_digests
from sklearn_flipad.calibration._draws import draws_of
from sklearn_flipad.calibration._strata import check_unstratified
from sklearn_flipad.calibration._weighing import Calibration
from sklearn_flipad.calibration._weights import weighted_thresholds
from sklearn_flipad.calibration.content import ContentWeights
from sklearn_flipad.calibration.evidence import Evidence
from sklearn_flipad.calibration.mixin import EvidenceMixin
from sklearn_flipad.calibration.rules import Conformal
from sklearn_flipad.calibration.weighted import select_with_fdr_weighted, weighted_p_values

__all__ = ["WeightedEvidence", "weighted_evidence"]


@dataclass(frozen=True, eq=False, kw_only=True)
class WeightedEvidence(Evidence):
    """Evidence whose p-values against the model are weighted by content.

    As :class:`~sklearn_flipad.Evidence`, with the following differences. ``p_own`` are weighted
    p-values, ``threshold`` is an array with a threshold for each suspect, and suspects of too small
    an effective size are ``"undecided"``. ``p_reference`` is not weighted.

    Attributes
    ----------
    calibration_scores : ndarray of float64, shape (n_own,)
        Anomaly scores of the own samples.
    calibration_weights : ndarray of float64, shape (n_own,)
        Their weights.
    weights : ndarray of float64, shape (n,)
        Weights of the suspects.
    effective_sizes : ndarray of float64, shape (n,)
        Effective number of own samples that each suspect is compared with, see
        :class:`~sklearn_flipad.calibration.ContentWeights`. A decision at level `fnr` takes
        ``1 / fnr - 1``.
    """

    calibration_scores: np.ndarray
    calibration_weights: np.ndarray
    weights: np.ndarray
    effective_sizes: np.ndarray

    @property
    def verdicts(self):
        """Verdicts; ``"undecided"`` also where the effective size is too small."""
        is_small = self.effective_sizes < self.rule.min_size(self.fnr)
        return np.where(is_small, "undecided", super().verdicts)

    def selected(self, *, fdr=0.05, random_state=None):
        """Suspects that the model did not make, with a controlled false discovery rate.

        Parameters
        ----------
        fdr : float, default=0.05
            False discovery rate, in (0, 1).
        random_state : int, RandomState instance or None, default=None
            Seed, to be chosen before the suspects are seen.

        Returns
        -------
        ndarray of bool, shape (n,)
            As :func:`~sklearn_flipad.calibration.select_with_fdr_weighted`.
        """
        return select_with_fdr_weighted(
            self.calibration_scores,
            self.anomaly_scores,
            self.calibration_weights,
            self.weights,
            fdr=fdr,
            random_state=random_state,
        )

    def to_frame(self, index=None):
        """The evidence as a table, a row for each suspect.

        Parameters
        ----------
        index : array-like of shape (n,), default=None
            Names of the rows, for example of files.

        Returns
        -------
        pandas.DataFrame
            With the columns of :class:`~sklearn_flipad.Evidence`'s and ``effective_size``.
        """
        return super().to_frame(index).assign(effective_size=self.effective_sizes)


def weighted_evidence(attributor, X, X_own, *, content=None, fnr=None, fpr=0.05):
    """Evidence about suspects, by own samples weighted to have the content of the suspects.

    For suspects whose content is distributed in another way than that of the samples which
    calibrated the attributor: other subjects magnified by a super-resolution network, other
    pictures decoded by an autoencoder. It takes own samples whose contents include those of the
    suspects, however rarely; those that resemble the suspects count more. The attributor stays as
    it is. Its detector is used, and its calibration scores and rule are not.

    At most `fnr` of those own samples are called "not own" whose content is distributed as that of
    all suspects passed together, on average over calibration sets and up to the error of the
    estimated weights. So pass suspects of one provenance together, and those of another apart.

    Parameters
    ----------
    attributor : estimator
        Fitted attributor, as a ``make_*`` function returns it, or a fitted calibrator.
    X : array-like, shape (n, ...)
        Suspects.
    X_own : array-like, shape (n_own, ...)
        Samples of the model which ``fit`` has not seen. Of equal ones and near-duplicates, the
        first counts.
    content : ContentWeights, default=None
        How weights are estimated; by default ``ContentWeights()``. Samples that are no images
        need ``ContentWeights(features=...)``.
    fnr : float, default=None
        Level at which the model is rejected, in (0, 1); by default ``fnr_`` of the calibrator.
    fpr : float, default=0.05
        Level at which the reference population is rejected, in (0, 1).

    Returns
    -------
    WeightedEvidence

    Raises
    ------
    ValueError
        If the attributor was calibrated by strata, own samples were seen in ``fit``, they are too
        few for `fnr`, or no suspect has content that enough of them have. Or as
        ``score_samples``, and as `content` when it is fitted.

    See Also
    --------
    sklearn_flipad.FNRThresholdCalibrator.evidence : The same without weights.

    References
    ----------
    Tibshirani, Foygel Barber, Candès and Ramdas, "Conformal prediction under covariate shift",
    NeurIPS 2019.
    """
    if not isinstance(attributor, EvidenceMixin):
        raise TypeError(
            "weighted_evidence takes a calibrated attributor, as make_rawpad returns, got "
            f"{type(attributor).__name__}; of a search pass best_estimator_."
        )
    check_is_fitted(attributor)
    calibrator = attributor._calibrator()
    check_unstratified(calibrator, "The attributor", "attributor.in_stratum(name)")
    firsts = np.sort(np.unique(draws_of(X_own, perceptual=True).numbers, return_index=True)[1])
    if len(firsts) < _num_samples(X_own):
        X_own = _safe_indexing(X_own, firsts)
    calibration = Calibration(
        rule=Conformal(),
        own_scores=np.zeros(len(firsts)),  # until all else is checked
        fnr=calibrator.fnr_ if fnr is None else fnr,
        reference_scores=getattr(calibrator, "reference_scores_", None),
        reference_name=getattr(calibrator, "reference_name_", None),
        fpr=fpr,
    )
    content = (ContentWeights() if content is None else clone(content)).fit(X_own, X)
    _check_overlap(content.effective_sizes_, calibration)
    features = attributor._features(X_own)
    _check_unseen(features, calibrator)
    own_scores = -normality(calibrator.estimator_, features)
    calibration = replace(calibration, own_scores=own_scores)
    plain = calibration.weigh(-attributor.score_samples(X))
    weights = content.calibration_weights_, content.weights_
    found = {field.name: getattr(plain, field.name) for field in fields(plain)} | {
        "p_own": weighted_p_values(own_scores, plain.anomaly_scores, *weights),
        "threshold": weighted_thresholds(own_scores, *weights, calibration.fnr),
    }
    return WeightedEvidence(
        **found,
        calibration_scores=own_scores,
        calibration_weights=content.calibration_weights_,
        weights=content.weights_,
        effective_sizes=content.effective_sizes_,
    )


def _check_unseen(features, calibrator):
    """Raise ValueError if own samples were trained on or calibrate."""
    known = np.isin(sample_digests(features), getattr(calibrator, "_seen", ()))
    if known.any():
        raise ValueError(
            f"{known.sum()} of {len(known)} own samples were seen in fit, and may score lower than "
            "new ones. Pass new samples of the model, or those that were not seen: "
            "X_own[~attributor.was_seen(X_own)]."
        )


def _check_overlap(sizes, calibration):
    """Raise ValueError if no suspect has an effective size that suffices for a decision."""
    needed = calibration.rule.min_size(calibration.fnr)
    if (sizes < needed).all():
        raise ValueError(
            "The contents of own samples and suspects hardly overlap: "
            f"{len(calibration.own_scores)} own samples count as {sizes.max():.1f} or fewer for "
            f"each suspect, and fnr={calibration.fnr:g} takes {needed}. Pass own samples with "
            "content like that of the suspects, or ask for a larger fnr."
        )
