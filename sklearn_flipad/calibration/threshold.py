"""Thresholds of detectors for a chosen false-negative rate."""

from copy import deepcopy
from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import _safe_indexing, check_random_state, indexable
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import _num_samples

from sklearn_flipad.base.estimators import (
    adopt_features,
    check_detector,
    last_step,
    metadata_of,
    normality,
    rows_of,
    training_rows,
    window_counts,
)
from sklearn_flipad.base.labels import classes_of
from sklearn_flipad.base.stored import Stored
from sklearn_flipad.calibration._constant_scores import check_scores_differ
from sklearn_flipad.calibration._decisions import DecisionMixin
from sklearn_flipad.calibration._draws import draws_of
from sklearn_flipad.calibration._file_facts import check_facts
from sklearn_flipad.calibration._hold_out import check_size, hold_out, labels_of
from sklearn_flipad.calibration._independence import (
    check_labels_agree,
    check_new,
    warn_of_copies,
    warn_of_divided,
    warn_of_labels,
)
from sklearn_flipad.calibration._joint import check_ratios
from sklearn_flipad.calibration._routing import RoutingMixin
from sklearn_flipad.calibration._strata import (
    check_arguments,
    check_strata,
    grouping,
    of_groups,
    warn_of_merged,
)
from sklearn_flipad.calibration._threshold_checks import check_threshold
from sklearn_flipad.calibration._windows import warn_of_sizes, window_range
from sklearn_flipad.calibration.likelihood_ratios import (
    LR_CALIBRATORS,
    LRCalibrator,
    LRSystem,
    as_lr_system,
)
from sklearn_flipad.calibration.mixin import EvidenceMixin
from sklearn_flipad.calibration.rules import RULES, ThresholdRule, as_rule

__all__ = ["FNRThresholdCalibrator"]

#: Attributes that not every fitted calibrator has.
_OPTIONAL = ("reference_scores_", "reference_name_", "reference_windows_", "calibration_windows_")
_OPTIONAL += ("file_facts_", "lr_", "strata_", "stratum_of_", "calibration_strata_")
_OPTIONAL += ("reference_strata_", "_seen_reference")


class FNRThresholdCalibrator(
    RoutingMixin,
    DecisionMixin,
    EvidenceMixin,
    ClassifierMixin,
    MetaEstimatorMixin,
    BaseEstimator,
):
    """Fit an outlier detector and calibrate its threshold on held-out inliers.

    Some inliers are held out, the detector is fitted on the rest, and the threshold is
    placed by the anomaly scores of the held-out inliers so that the false-negative rate,
    the fraction of the model's samples that are called non-targets, is `fnr`.

    Parameters
    ----------
    estimator : estimator
        Outlier detector or classifier. Its ``score_samples``, ``decision_function`` or
        ``predict_proba``, the first that it has, says how normal a sample is; for detectors
        of PyOD, how anomalous. Detectors of scikit-learn and PyOD that ignore labels, such as
        :class:`sklearn.svm.OneClassSVM`, are fitted to the model's samples alone, all others
        get the labels. An already fitted one is passed as
        :class:`sklearn.frozen.FrozenEstimator`; then all inliers calibrate.
        Transformers that learn from samples, such as :class:`~sklearn_flipad.InlierScaler`,
        belong in here, in a pipeline with the detector: before the calibrator they would
        see the held-out inliers, which would then score lower than new ones.
    fnr : float, default=0.005
        False-negative rate, in (0, 1). What is set after ``fit`` takes effect with the next one,
        as for all parameters; :meth:`evidence` and :meth:`verdict` take another level.
    rule : {"conformal", "quantile", "pac"} or ThresholdRule, default="conformal"
        - ``"conformal"``, :class:`~sklearn_flipad.calibration.Conformal`: the rate is at
          most `fnr` on average over calibration sets, for any number of inliers;
        - ``"quantile"``, :class:`~sklearn_flipad.calibration.Quantile`: the interpolated
          quantile of the paper, whose true rate is larger for few inliers;
        - ``"pac"``, :class:`~sklearn_flipad.calibration.PAC`: the rate is at most `fnr` with
          a confidence of 0.95; ``PAC(confidence=0.99)`` for another one.
    cv : float, cross-validation splitter or iterable, default=0.2
        Fraction of the inliers to hold out, or a splitter or iterable that yields one pair of
        training and test rows, whose test inliers calibrate. Scores of detectors that were
        fitted apart cannot be pooled, so more than one split is refused. Equal samples, and
        those of one of the ``groups`` of :meth:`fit`, are held out together, and one of them
        calibrates.
    reference : str, default=None
        Name of the population of the negatives, for example "camera photographs". If given, `cv`
        holds out negatives too, as the reference population of :meth:`p_reference` and
        :meth:`verdict`; with a fitted detector, all of them. :meth:`calibrate_reference` takes
        another one.
    lr : {"logistic", "isotonic", "kernel_density", "gaussian"}, LRCalibrator, LRSystem or None, \
            default=None
        How :meth:`evidence` turns scores into likelihood ratios of the model against the reference
        population, without which there are none; see
        :class:`~sklearn_flipad.calibration.likelihood_ratios.LRSystem`. None for no ratios.
    strata : callable, default=None
        For :func:`~sklearn_flipad.scoring.score_files`, if `fit` is given strata: a function of
        the facts of a file that returns its stratum, such as a
        :class:`~sklearn_flipad.calibration.FileStrata`. Without it, attributors with strata
        do not score files.
    file_facts : dict of str to dict of str to int, default=None
        Facts about the files of the own samples, as :func:`~sklearn_flipad.datasets.load_images`
        and :func:`~sklearn_flipad.datasets.load_audio` return them.
        :func:`~sklearn_flipad.scoring.score_files` then warns of suspects from other files: of
        another JPEG quality, resized, or reduced to a palette. By default they are unknown.
    random_state : int, RandomState instance or None, default=None
        Seed of the split if `cv` is a fraction.

    Attributes
    ----------
    estimator_ : estimator
        The fitted detector.
    calibration_scores_ : ndarray of float64, shape (n_calibration,)
        Anomaly scores of the held-out inliers, sorted; of all strata together.
    fnr_ : float
        False-negative rate that the threshold was placed for.
    rule_ : ThresholdRule
        Rule that placed it.
    threshold_ : float, or ndarray of shape (n_groups,) with strata
        Largest anomaly score that counts as an inlier.
    offset_ : float, or ndarray of shape (n_groups,) with strata
        Minus the threshold: samples with ``score_samples(X) >= offset_`` are inliers.
    reference_scores_ : ndarray of float64, shape (n_reference,)
        Anomaly scores of the reference population, sorted, if there is one.
    reference_name_ : str
        Name of the reference population.
    lr_ : LRSystem
        How likelihood ratios are made, if `lr` was passed.
    strata_ : dict of str to str
        Name of the group of each stratum, its own or that of strata that were merged, if `fit`
        was given strata. The groups are numbered in the natural order of their names.
    calibration_strata_, reference_strata_ : ndarray of int, shape (n_calibration,), (n_reference,)
        Number of the group of each calibration score and reference score.
    stratum_of_ : callable
        How the stratum of a file is found, if `strata` was passed.
    file_facts_ : dict
        Facts about the files of the own samples, if they were passed.
    calibration_windows_, reference_windows_ : ndarray of int, shape (2,)
        Smallest and largest number of windows of the samples with these scores, if the detector
        is a :class:`~sklearn_flipad.detectors.WindowedDetector`.
    classes_ : ndarray, shape (2,)
        ``[-1, 1]``; ``[0, 1]`` or ``[False, True]`` if y holds those, as scikit-learn's
        meta-estimators encode classes.
    n_features_in_ : int
        Number of features seen in fit, if the detector has it.

    See Also
    --------
    sklearn_flipad.calibration.Conformal : The default rule.
    sklearn.model_selection.TunedThresholdClassifierCV : The similar meta-estimator of
        scikit-learn.

    Notes
    -----
    Of a fitted detector, the samples that it was fitted to must not calibrate: they score lower
    than new ones. Detectors of this library know them by digests, and some of scikit-learn keep
    them, such as nearest neighbors; they are refused. Others cannot tell.

    In :class:`~sklearn.model_selection.HalvingGridSearchCV`, the first rounds must have
    enough inliers for `fnr`: pass ``min_resources``, or another ``resource`` such as the
    detector's ``max_epochs``.

    References
    ----------
    Equation (7) and Appendix G.1 of Laszkiewicz et al., ICML 2024.

    Vovk, Lindsay, Nouretdinov and Gammerman, "Mondrian Confidence Machine", 2003, for strata.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import IsolationForest
    >>> from sklearn_flipad import FNRThresholdCalibrator
    >>> X = np.random.default_rng(0).normal(size=(500, 2))
    >>> detector = FNRThresholdCalibrator(
    ...     IsolationForest(random_state=0), fnr=0.05, random_state=0
    ... ).fit(X)
    >>> detector.predict([[0.0, 0.0], [9.0, 9.0]])
    array([ 1, -1])
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit"])],
        "fnr": [Interval(Real, 0, 1, closed="neither")],
        "rule": [StrOptions(set(RULES)), ThresholdRule],
        "cv": [Interval(Real, 0, 1, closed="neither"), HasMethods("split"), "array-like"],
        "reference": [str, None],
        "lr": [StrOptions(set(LR_CALIBRATORS)), LRCalibrator, LRSystem, None],
        "strata": [callable, None],
        "file_facts": [dict, None],
        "random_state": ["random_state"],
    }
    _stored = Stored(
        (
            *("estimator_", "calibration_scores_", "fnr_", "rule_", "threshold_", "offset_"),
            "classes_",
        ),
        (
            *("n_features_in_", "feature_names_in_", "reference_name_", "reference_scores_"),
            *("calibration_windows_", "reference_windows_", "file_facts_", "lr_", "_seen"),
            *("strata_", "stratum_of_", "calibration_strata_", "reference_strata_"),
            "_seen_reference",
        ),
    )

    def __init__(
        self,
        estimator,
        *,
        fnr=0.005,
        rule="conformal",
        cv=0.2,
        reference=None,
        lr=None,
        strata=None,
        file_facts=None,
        random_state=None,
    ):
        self.estimator = estimator
        self.fnr = fnr
        self.rule = rule
        self.cv = cv
        self.reference = reference
        self.lr = lr
        self.strata = strata
        self.file_facts = file_facts
        self.random_state = random_state

    def check_fit(self, X, y=None, *, groups=None, strata=None, **params):
        """Validate everything that can be before anything is fitted.

        The parameters and labels, both classes if the detector needs them, and the number of
        inliers that `fnr` needs. X may be samples whose features are not yet computed.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Samples, of which the equal ones, their number and the split by `cv` count.
        y : array-like of shape (n,), default=None
            Labels, as in :meth:`fit`.
        groups, strata : array-like of shape (n,), default=None
            As in :meth:`fit`.
        **params : dict
            As in :meth:`fit`.

        Raises
        ------
        ValueError
            As in :meth:`fit`.
        """
        self._check_fit(X, y, groups, strata, params, draws_of(X, groups))

    def _check_fit(self, X, y, groups, strata, params, draws):
        self._validate_params()
        check_arguments(self.strata, strata, self.lr)
        labels_of_strata = None if strata is None else check_strata(strata, _num_samples(X))
        check_facts(self.file_facts)
        if self.lr is not None:
            as_rule(self.rule).p_values([0.0], [0.0])  # evidence needs them
        check_detector(self.estimator)
        labels = labels_of(X, y)
        if not draws.given:
            check_labels_agree(X, labels, draws)
        split = self._routed(groups, params).splitter.split
        rows = self._held_out(X, labels, draws, split, np.random.RandomState(0))
        self._check_size(rows, labels, draws)
        grouping(labels_of_strata, rows, as_rule(self.rule).min_size(self.fnr))
        last, training = last_step(self.estimator), rows.training
        if training is not None and hasattr(last, "check_fit"):
            last.check_fit(_safe_indexing(X, training), None if y is None else labels[training])

    def _check_size(self, rows, labels, draws):
        check_size(
            rows,
            as_rule(self.rule),
            fnr=self.fnr,
            estimator=self.estimator,
            cv=self.cv,
            labels=labels,
            draws=draws.numbers,
        )

    def fit(self, X, y=None, *, groups=None, strata=None, **params):
        """Fit the detector and place its threshold.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Samples or features, as the detector takes them.
        y : array-like of shape (n,), default=None
            +1 for the model's samples, -1 for others, 0 for unlabeled ones, which are
            only trained on. None means that all are the model's. 1 and 0 alone, or True and
            False, are the two classes.
        groups : array-like of shape (n,), default=None
            Groups of samples that are not independent, such as the frames of a clip or the
            samples of a prompt: they are held out as a whole, and one of each calibrates. Equal
            samples are such a group by themselves, unless each sample has a group of its own,
            as in ``groups=np.arange(n)``: then each counts as an independent draw. A splitter
            `cv` gets the groups too.
        strata : array-like of shape (n,), default=None
            Stratum of each sample, such as the format and quality of its file: something that is
            known of suspects before they are scored. Each stratum gets a threshold and p-values
            of its own held-out samples, so that the false-negative rate is `fnr` in each and not
            only on average (Mondrian conformal prediction). Labels are compared as texts.
            A stratum with fewer held-out inliers than the rule needs is merged with its neighbor
            in the natural order of the labels, the smaller one of two, until each has enough.
        **params : dict
            Parameters of the detector's ``fit``, such as ``sample_weight``, restricted to the
            rows that it is fitted to; by metadata routing if that is enabled. Without routing,
            those of a pipeline may have the names of its steps in front, or go to the last one.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter or y is not valid, or `fnr` needs more held-out inliers than
            there are; the message says how many. Nothing is fitted then. Also if the fitted
            detector gives all samples, the model's and others', the same score, if most of the
            model's samples or of the others are labeled both ways, or if a fitted detector was
            fitted to most of the samples that would calibrate. If strata are passed with `lr`, or
            the reference population has no sample of a stratum.

        Warns
        -----
        UserWarning
            If strata are merged.
            If many of the model's samples are copies of each other; samples are labeled both
            ways; a fitted detector was fitted to some of the samples, which are left out; or a
            splitter divides groups, whose other samples are left out.
            If held-out inliers of few windows are missed more or less often than those of many,
            or all of them have the same score. If `lr` is passed without a reference population,
            or the samples support no likelihood ratio but 1.
        """
        X, y = indexable(X, y)
        draws = draws_of(X, groups)
        self._check_fit(X, y, groups, strata, params, draws)
        labels, routed = labels_of(X, y), self._routed(groups, params)
        rng = check_random_state(self.random_state)
        rows = self._held_out(X, labels, draws, routed.splitter.split, rng)
        rows = check_new(self.estimator, X, rows)
        self._check_size(rows, labels, draws)
        rule = as_rule(self.rule)
        strata = None if strata is None else check_strata(strata, len(labels))
        rows, grouped = grouping(strata, rows, rule.min_size(self.fnr))
        if not draws.given:
            warn_of_copies(labels, draws)
            warn_of_labels(labels, draws)
        warn_of_divided(rows, self.cv)
        training, calibration, reference, _ = rows
        own = None
        if grouped is not None:
            own = grouped.own
            warn_of_merged(grouped.strata, rule.min_size(self.fnr), strata[calibration])
        if training is None:
            estimator, training = self.estimator, calibration[:0]
        else:
            # None, not all ones, tells the detector that there are no labels.
            kept, to_fit = training_rows(self.estimator, None if y is None else labels[training])
            training = training[kept]
            options = metadata_of(X, routed.estimator.fit, training)
            samples = rows_of(self.estimator, _safe_indexing(X, training))
            estimator = clone(self.estimator).fit(samples, to_fit, **options)
        scores = -normality(estimator, _safe_indexing(X, calibration))
        thresholds = []
        for part in of_groups(scores, own):
            thresholds.append(rule.threshold(part, self.fnr))
            check_threshold(estimator, part, thresholds[-1])
        threshold = thresholds[0] if own is None else np.array(thresholds)
        check_scores_differ(estimator, scores, X, np.flatnonzero(labels == -1))
        counts = window_counts(estimator, _safe_indexing(X, calibration))
        warn_of_sizes(counts, scores > (threshold if own is None else threshold[own]))
        if self.reference is not None:
            rows = _safe_indexing(X, reference)
            reference_scores = -normality(estimator, rows)
            reference_windows = window_range(window_counts(estimator, rows))
        for name in _OPTIONAL:
            vars(self).pop(name, None)
        if self.reference is not None:
            order = np.argsort(reference_scores, kind="stable")
            self.reference_scores_ = reference_scores[order]
            if grouped is not None:
                self.reference_strata_ = grouped.reference[order]
            self.reference_name_ = self.reference
            self._seen_reference = np.unique(draws.digests[reference])
            if counts is not None:
                self.reference_windows_ = reference_windows
        if self.file_facts is not None:
            self.file_facts_ = deepcopy(self.file_facts)
        if self.lr is not None:
            self.lr_ = as_lr_system(self.lr)
        if counts is not None:
            self.calibration_windows_ = window_range(counts)
        order = np.argsort(scores, kind="stable")
        if grouped is not None:
            self.strata_, self.calibration_strata_ = grouped.strata, own[order]
            if self.strata is not None:
                self.stratum_of_ = self.strata
        self.estimator_ = estimator
        self._seen = draws.digests[np.union1d(training, calibration)]
        self.calibration_scores_ = scores[order]
        self.fnr_, self.rule_ = float(self.fnr), rule
        self.threshold_ = threshold
        self.offset_ = -threshold
        self.classes_ = classes_of(y)
        adopt_features(self, estimator)
        check_ratios(self, getattr(self, "reference_scores_", None))
        return self

    def _held_out(self, X, labels, draws, split, rng):
        return hold_out(
            X,
            labels,
            draws.numbers,
            estimator=self.estimator,
            cv=self.cv,
            reference=self.reference,
            params=split,
            random_state=rng,
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.target_tags.required = False
        tags.input_tags.three_d_array = True
        return tags
