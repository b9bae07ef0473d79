"""P-values and verdicts of calibrators and of pipelines that end with one."""

from copy import copy

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _num_samples, check_is_fitted

from sklearn_flipad.base.estimators import normality, window_counts
from sklearn_flipad.base.sample_lists import sample_digests
from sklearn_flipad.calibration._draws import DrawNumbers, FoundDraws, draws_of
from sklearn_flipad.calibration._hold_out import check_name, labels_of
from sklearn_flipad.calibration._independence import check_copies
from sklearn_flipad.calibration._joint import check_ratios, warn_of_joint
from sklearn_flipad.calibration._seen import check_fresh, seen_in_fit
from sklearn_flipad.calibration._strata import groups_of, in_group, parts_of, sorted_out
from sklearn_flipad.calibration._weighing import Calibration, StratifiedCalibration
from sklearn_flipad.calibration._windows import window_range

__all__ = ["EvidenceMixin"]


def _is_calibrated(estimator):
    return isinstance(estimator._calibrator(), EvidenceMixin)


class EvidenceMixin:
    """Weigh ``score_samples`` against calibration scores.

    Everything is validated before samples are scored. A class that is not a calibrator itself
    overrides ``_calibrator`` and ``_features``.
    """

    def _calibrator(self):
        """The calibrator, whose scores and rule are used."""
        return self

    def _features(self, X):
        """Samples as the calibrator takes them."""
        return X

    @available_if(_is_calibrated)
    def calibrate_reference(self, X, *, name, strata=None):
        """Score samples of a reference population, for :meth:`p_reference` and :meth:`verdict`.

        It replaces an earlier one; the detector and its threshold stay as they are.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Samples of one population, drawn as the suspects would be if they came from there,
            that the detector was not fitted to.
        name : str
            Name of the population, for example "camera photographs, JPEG".
        strata : array-like of shape (n,), default=None
            Stratum of each sample, if the attributor was calibrated by strata. Samples of other
            strata are left out.

        Returns
        -------
        self

        Raises
        ------
        TypeError
            If `name` is not a string.
        ValueError
            If `name` is blank, most samples are those that the detector was fitted to, or as
            :meth:`score_samples`.

        Warns
        -----
        UserWarning
            If some samples are equal to those that the detector was fitted to, or likelihood ratios
            were asked for and the samples support none.
        """
        check_is_fitted(self)
        check_name(name)
        calibrator = self._calibrator()
        X, numbers = sorted_out(calibrator, X, strata)
        features = self._features(X)
        check_fresh(features, getattr(calibrator, "_seen", ()))
        scores = -normality(calibrator.estimator_, features)
        order = np.argsort(scores, kind="stable")
        scores = scores[order]
        windows = window_range(window_counts(calibrator.estimator_, features))
        check_ratios(calibrator, scores)
        calibrator.reference_scores_, calibrator.reference_name_ = scores, name
        calibrator._seen_reference = np.unique(sample_digests(features))
        if numbers is not None:
            calibrator.reference_strata_ = numbers[order]
        if windows is not None:
            calibrator.reference_windows_ = windows
        return self

    @available_if(_is_calibrated)
    def p_own(self, X, *, strata=None):
        """P-values of the hypothesis that the model made each suspect.

        How often a sample of the model scores at least as badly. A small p-value is evidence
        against the model: a sample of the model gets one of at most a with probability at most
        a, however good the detector is. A large one is no evidence for the model, since samples
        of others may score as well. The calibrator's rule computes them: with "conformal" they
        are valid on average over calibration sets, with "pac" they are upper bounds that hold
        with its confidence.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Suspects.
        strata : array-like of shape (n,), default=None
            Stratum of each suspect, if the attributor was calibrated by strata.

        Returns
        -------
        ndarray of float64, shape (n,)

        Raises
        ------
        NotImplementedError
            If the rule is "quantile", which has no p-values.
        ValueError
            As ``score_samples``.
        """
        calibrator, rule = self._checked()
        parts = parts_of(calibrator, strata, _num_samples(X))
        scores = -self.score_samples(X)
        found = np.empty(len(scores))
        for rows, group in parts:
            own = in_group(calibrator, group).calibration_scores_
            found[rows] = rule.p_values(own, scores[rows])
        return found

    @available_if(_is_calibrated)
    def p_reference(self, X, *, strata=None):
        """P-values of the hypothesis that each suspect is from the reference population.

        How often a sample of that population scores at least as well. A small p-value is evidence
        that the suspect is not from there: a sample of that population gets one of at most a with
        probability at most a. It says nothing about others: another model's samples may get small
        ones too.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Suspects.
        strata : array-like of shape (n,), default=None
            Stratum of each suspect, if the attributor was calibrated by strata.

        Returns
        -------
        ndarray of float64, shape (n,)

        Raises
        ------
        NotFittedError
            If there is no reference population.
        NotImplementedError
            If the rule is "quantile", which has no p-values.
        ValueError
            As ``score_samples``.
        """
        calibrator, rule = self._checked()
        references = [
            (rows, -_reference_scores(in_group(calibrator, group)))
            for rows, group in parts_of(calibrator, strata, _num_samples(X))
        ]
        scores = self.score_samples(X)
        found = np.empty(len(scores))
        for rows, reference in references:
            found[rows] = rule.p_values(reference, scores[rows])
        return found

    @available_if(_is_calibrated)
    def joint_lr(self, X):
        """Likelihood ratio of suspects that come from one source, all from it or none.

        The product of their ratios. It holds if the scores are independent given the source: not
        for copies, frames of a clip, or variants of a sample, whose product overstates what they
        show.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Suspects.

        Returns
        -------
        LikelihoodRatios
            Of shape (). The interval takes into account that all ratios share the calibration
            samples.

        Raises
        ------
        NotFittedError
            If there is no reference population.
        ValueError
            If the calibrator was fitted without ``lr``, or as ``score_samples``.

        Warns
        -----
        UserWarning
            That independence is assumed, and of equal suspects.
        """
        calibrator, _ = self._checked()
        system = getattr(calibrator, "lr_", None)
        if system is None:
            raise ValueError(
                "Likelihood ratios are chosen before suspects are seen: pass lr='logistic', or "
                "another calibrator, to the FNRThresholdCalibrator and fit again."
            )
        reference = _reference_scores(calibrator)
        scores = -self.score_samples(X)
        warn_of_joint(scores)
        return system.weigh_together(calibrator.calibration_scores_, reference, scores)

    @available_if(_is_calibrated)
    def evidence(self, X, *, fnr=None, fpr=0.05, strata=None):
        """P-values, thresholds and verdicts from one scoring of the suspects.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Suspects.
        fnr : float, default=None
            Level at which the model is rejected, in (0, 1); by default ``fnr_`` of the
            calibrator, for which ``fit`` placed the threshold.
        fpr : float, default=0.05
            Level at which the reference population is rejected, in (0, 1); without effect if
            there is none.
        strata : array-like of shape (n,), default=None
            Stratum of each suspect, if the attributor was calibrated by strata.

        Returns
        -------
        Evidence

        Raises
        ------
        NotImplementedError
            If the rule is "quantile", which has no p-values.
        ValueError
            If a level is not in (0, 1) or needs more calibration or reference samples than there
            are; the message says how many. Or as ``score_samples``.
        """
        calibration = self._calibration(fnr, fpr, strata, _num_samples(X))
        return calibration.weigh(-self.score_samples(X))

    @available_if(_is_calibrated)
    def weigh(self, anomaly_scores, *, fnr=None, fpr=0.05, strata=None):
        """Evidence from scores that were computed before.

        Parameters
        ----------
        anomaly_scores : array-like of shape (n,)
            Minus ``score_samples``, as ``anomaly_scores`` of
            :class:`~sklearn_flipad.calibration.Evidence`.
        fnr, fpr, strata
            As in :meth:`evidence`.

        Returns
        -------
        Evidence

        Raises
        ------
        NotImplementedError, ValueError
            As in :meth:`evidence`.
        """
        n = _num_samples(anomaly_scores)
        return self._calibration(fnr, fpr, strata, n).weigh(anomaly_scores)

    @available_if(_is_calibrated)
    def verdict(self, X, *, fnr=None, fpr=0.05, strata=None):
        """Decide for the model, against it, or not at all.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Suspects.
        fnr, fpr, strata
            As in :meth:`evidence`.

        Returns
        -------
        ndarray of str, shape (n,)
            - ``"own"``: the reference population is rejected, the model is not;
            - ``"not own"``: the model is rejected, the reference population is not;
            - ``"undecided"``: neither is rejected, or both.

            At most `fnr` of the model's samples are called "not own", and at most `fpr` of the
            reference population's are called "own", in the sense of the calibrator's rule.
            Without a reference population, nothing is called "own".

        Raises
        ------
        NotImplementedError, ValueError
            As in :meth:`evidence`.
        """
        return self.evidence(X, fnr=fnr, fpr=fpr, strata=strata).verdicts

    @available_if(_is_calibrated)
    def in_stratum(self, stratum):
        """The attributor of one stratum, of those that were calibrated.

        It has the threshold and the calibration samples of that stratum, or of those that it was
        merged with, takes no `strata`, and shares the detector. Plots and attributors of several
        models take such ones.

        Parameters
        ----------
        stratum : str
            A key of the calibrator's ``strata_``.

        Returns
        -------
        estimator

        Raises
        ------
        ValueError
            If there is no such stratum.
        """
        check_is_fitted(self)
        calibrator = self._calibrator()
        (_, group), *_ = parts_of(calibrator, [stratum], 1)
        part = in_group(calibrator, group)
        if calibrator is self:
            return part
        found = copy(self)
        found.steps = [*self.steps[:-1], (self.steps[-1][0], part)]
        return found

    @available_if(_is_calibrated)
    def was_seen(self, X):
        """Whether samples are equal to those that the attributor was fitted or calibrated with.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Samples.

        Returns
        -------
        ndarray of bool, shape (n,)
            False for all if the attributor was written by a version that kept no digests, or none
            of this kind.

        Raises
        ------
        ValueError
            As ``score_samples``.
        """
        check_is_fitted(self)
        calibrator, features = self._calibrator(), self._features(X)
        of_reference = getattr(calibrator, "_seen_reference", ())
        known = seen_in_fit(calibrator, features)
        return known | np.isin(sample_digests(features), of_reference)

    def _draws(self, X, y, groups):
        """Numbers of the independent draws of samples, from which features are to be computed.

        ValueError if most of a class is labeled both ways; warnings of copies.
        """
        draws = draws_of(X, groups, perceptual=True)
        if not draws.given:
            check_copies(X, labels_of(X, y), draws)
        return draws.numbers.view(FoundDraws if groups is None else DrawNumbers)

    def _calibration(self, fnr, fpr, strata, n):
        """The calibration of n suspects; ValueError if the levels need more scores."""
        calibrator, rule = self._checked()
        parts = parts_of(calibrator, strata, n)

        def of(group):
            part = in_group(calibrator, group)
            reference = getattr(part, "reference_scores_", None)
            return Calibration(
                rule=rule,
                own_scores=part.calibration_scores_,
                fnr=calibrator.fnr_ if fnr is None else fnr,
                lr=None if reference is None else getattr(part, "lr_", None),
                reference_scores=reference,
                reference_name=getattr(part, "reference_name_", None),
                fpr=fpr,
                stratum=group,
            )

        if strata is None:
            return of(None)
        # Of all groups, so that a level does not fail for some suspects alone.
        calibrations = {group: of(group) for group in groups_of(calibrator.strata_)}
        return StratifiedCalibration([(rows, calibrations[group]) for rows, group in parts])

    def _checked(self):
        """The fitted calibrator and its rule, which has p-values."""
        check_is_fitted(self)
        calibrator = self._calibrator()
        rule = calibrator.rule_
        rule.p_values(calibrator.calibration_scores_, calibrator.calibration_scores_[:1])
        return calibrator, rule


def _reference_scores(calibrator):
    """Sorted scores of the reference population; NotFittedError if there is none."""
    if getattr(calibrator, "reference_scores_", None) is None:
        raise NotFittedError(
            "There is no reference population. Call calibrate_reference(X, name=...) with "
            "samples of one that the detector was not trained on, or hold out negatives: "
            "pass their name as reference= to the calibrator and fit again."
        )
    return calibrator.reference_scores_
