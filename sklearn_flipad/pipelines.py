"""The paper's attributors as plain scikit-learn pipelines.

The steps before the last treat each sample alone. What is fitted to samples, the scaler
and the detector, is inside the calibrator: the samples that calibrate the threshold must
be as new to it as suspects will be, or the false-negative rate does not hold.
"""

from collections.abc import Mapping

from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state, get_tags

from sklearn_flipad.calibration import FNRThresholdCalibrator
from sklearn_flipad.detectors import (
    MLP,
    CombinedDetector,
    DeepSADDetector,
    ExternalDetector,
    FingerprintDetector,
)
from sklearn_flipad.features import (
    DCTTransformer,
    FinalLayerInverter,
    InlierScaler,
    InlierWhitener,
    PreactivationTransformer,
    RawTransformer,
)
from sklearn_flipad.reproduction import ReconstructionDetector

__all__ = [
    "AttributionPipeline",
    "make_combined",
    "make_dctpad",
    "make_flipad",
    "make_rawpad",
    "make_smf",
    "make_sminv",
    "make_whitened",
]


class AttributionPipeline(Pipeline):
    """A pipeline whose last step is a calibrator, which is asked before the others run.

    Labels, and whether there are enough samples for the false-negative rate, are checked before
    the first feature is computed. Everything else is as in
    :class:`sklearn.pipeline.Pipeline`.

    Parameters
    ----------
    steps : list of (str, estimator)
        Names and estimators; the last is an :class:`~sklearn_flipad.FNRThresholdCalibrator`.
    transform_input : list of str, default=None
        Metadata that the transformers also transform.
    memory : str or joblib.Memory, default=None
        Cache of the fitted transformers.
    verbose : bool, default=False
        Whether to print how long each step takes.
    """

    def check_fit(self, X, y=None, **params):
        """Check what can be known before anything is fitted.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Samples.
        y : array-like of shape (n,), default=None
            Labels, as in ``fit``.
        **params : dict
            As in ``fit``.

        Raises
        ------
        ValueError
            As in :meth:`FNRThresholdCalibrator.check_fit`.
        """
        name, last = self.steps[-1]
        if hasattr(last, "check_fit"):
            groups = params.get(f"{name}__groups", params.get("groups"))
            last.check_fit(X, y, **({} if groups is None else {"groups": groups}))

    def fit(self, X, y=None, **params):
        """Check, fit the transformers one after the other, and fit the calibrator.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Samples.
        y : array-like of shape (n,), default=None
            +1 for the model's samples, -1 for others, 0 for unlabeled.
        **params : dict
            Parameters of the steps, see :class:`sklearn.pipeline.Pipeline`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If something is not valid; what can be known before the transformers run is
            checked before.
        """
        self.check_fit(X, y, **params)
        return super().fit(X, y, **params)


def make_flipad(
    final_layer,
    *,
    lam=1e-3,
    pool_size=None,
    scaler=None,
    detector=None,
    fnr=0.005,
    rule="conformal",
    cv=0.2,
    device=None,
    memory=None,
    random_state=None,
    verbose=0,
):
    """FLIPAD: final-layer inversion, scaling by inliers, calibrated DeepSAD.

    Parameters
    ----------
    final_layer : FinalLayer
        The final layer of the target model.
    lam : float, default=1e-3
        Penalty of the inversion, see :class:`~sklearn_flipad.FinalLayerInverter`.
    pool_size : int, default=None
        Max-pooling of the activations; no pooling by default.
    scaler : estimator or "passthrough", default=None
        What is fitted to the features before the detector, with it:
        :class:`~sklearn_flipad.InlierScaler` by default, or
        :class:`~sklearn_flipad.InlierWhitener`.
    detector : estimator, default=None
        Outlier detector or classifier; :class:`~sklearn_flipad.DeepSADDetector` by default.
        One of scikit-learn, PyOD or another library is put into an
        :class:`~sklearn_flipad.detectors.ExternalDetector`. It is refitted with the scaler;
        to keep fitted ones, set ``detect__estimator`` to a frozen pipeline of both.
    fnr, rule, cv
        See :class:`~sklearn_flipad.FNRThresholdCalibrator`.
    device : str or torch.device, default=None
        Where to compute; CUDA if there is one, else the CPU.
    memory : str or joblib.Memory, default=None
        Cache of the pipeline's transformers.
    random_state : int, RandomState instance or None, default=None
        Seed of the hold-out and of the detector, where that has none of its own.
    verbose : int, default=0
        Whether to show progress bars.

    Returns
    -------
    AttributionPipeline
        With the steps ``invert`` and ``detect``, the calibrator. Its estimator is a
        pipeline with the steps ``scale`` and ``detector``. Each can be replaced or
        grid-searched.

    References
    ----------
    Section 4.3 and Appendix G.7 of Laszkiewicz et al., ICML 2024.

    Examples
    --------
    >>> from sklearn_flipad import FinalLayer, make_flipad
    >>> from sklearn_flipad.zoo import load_pretrained
    >>> generator = load_pretrained("fashion/dcgan-0")
    >>> layer = FinalLayer.from_generator(generator, n_samples=100, random_state=0)
    >>> [name for name, _ in make_flipad(layer, lam=1e-2).steps]
    ['invert', 'detect']
    """
    invert = FinalLayerInverter(
        final_layer, lam=lam, pool_size=pool_size, device=device, verbose=verbose
    )
    detector = _prepared(detector, device, random_state, verbose)
    return _assemble(
        [("invert", invert)],
        _scaled(scaler, InlierScaler(), detector),
        fnr=fnr,
        rule=rule,
        cv=cv,
        random_state=random_state,
        memory=memory,
    )


def make_dctpad(
    *,
    crop_size=None,
    output_range=(-1.0, 1.0),
    image_shape=None,
    scaler=None,
    detector=None,
    fnr=0.005,
    rule="conformal",
    cv=0.2,
    device=None,
    memory=None,
    random_state=None,
    verbose=0,
):
    """DCTPAD: logarithmic DCT spectra, scaling by inliers, calibrated DeepSAD.

    Parameters
    ----------
    crop_size : int, default=None
        Side of the central crop of the spectra; no crop by default.
    output_range, image_shape
        See :class:`~sklearn_flipad.DCTTransformer`.
    scaler, detector, fnr, rule, cv, device, memory, random_state, verbose
        See :func:`make_flipad`.

    Returns
    -------
    AttributionPipeline
        With the steps ``dct`` and ``detect``, as that of :func:`make_flipad`.

    References
    ----------
    Section 4.1 and Appendix G.7 of Laszkiewicz et al., ICML 2024.
    """
    detector = _prepared(detector, device, random_state, verbose)
    dct = DCTTransformer(crop_size=crop_size, output_range=output_range, image_shape=image_shape)
    return _assemble(
        [("dct", dct)],
        _scaled(scaler, InlierScaler(), detector),
        fnr=fnr,
        rule=rule,
        cv=cv,
        random_state=random_state,
        memory=memory,
    )


def make_rawpad(
    *,
    size=None,
    mode="nearest",
    output_range=(-1.0, 1.0),
    image_shape=None,
    scaler=None,
    detector=None,
    fnr=0.005,
    rule="conformal",
    cv=0.2,
    device=None,
    memory=None,
    random_state=None,
    verbose=0,
):
    """RawPAD: pixels, calibrated DeepSAD.

    Parameters
    ----------
    size : int, default=None
        Side to which the images are resized or cropped; unchanged by default.
    mode : {"nearest", "crop"}, default="nearest"
        See :class:`~sklearn_flipad.RawTransformer`.
    output_range, image_shape
        See :class:`~sklearn_flipad.RawTransformer`.
    scaler : estimator or "passthrough", default=None
        What is fitted to the pixels before the detector; nothing by default, since the paper
        does not scale pixels.
    detector, fnr, rule, cv, device, memory, random_state, verbose
        See :func:`make_flipad`.

    Returns
    -------
    AttributionPipeline
        With the steps ``raw`` and ``detect``, as that of :func:`make_flipad`.

    References
    ----------
    Section 4.1 and Appendix G.7 of Laszkiewicz et al., ICML 2024.
    """
    detector = _prepared(detector, device, random_state, verbose)
    raw = RawTransformer(size=size, mode=mode, output_range=output_range, image_shape=image_shape)
    return _assemble(
        [("raw", raw)],
        _scaled(scaler, "passthrough", detector),
        fnr=fnr,
        rule=rule,
        cv=cv,
        random_state=random_state,
        memory=memory,
    )


def make_whitened(
    activation="tanh",
    *,
    output_range=None,
    clip_eps=1e-4,
    whitener=None,
    detector=None,
    fnr=0.005,
    rule="conformal",
    cv=0.2,
    device=None,
    memory=None,
    random_state=None,
    verbose=0,
):
    """Whitened preactivations: the output activation undone, whitening, calibrated DeepSAD.

    Needs nothing of the model but its samples and its output activation. Tells other seeds of
    one architecture apart where pixels and activations scaled one by one do not. The
    covariance takes more training samples of the model than a sample has elements.

    Parameters
    ----------
    activation, output_range, clip_eps
        See :class:`~sklearn_flipad.PreactivationTransformer`; of a traced model
        ``layer.activation`` and ``layer.output_range``.
    whitener : estimator, default=None
        :class:`~sklearn_flipad.InlierWhitener` by default.
    detector : estimator, default=None
        :class:`~sklearn_flipad.DeepSADDetector` with one hidden layer of 256 by default.
        Others as in :func:`make_flipad`.
    fnr, rule, cv, device, memory, random_state, verbose
        See :func:`make_flipad`.

    Returns
    -------
    AttributionPipeline
        With the steps ``preactivation`` and ``detect``, as that of :func:`make_flipad`;
        ``scale`` is the whitener.

    See Also
    --------
    make_flipad : Takes the whitener too, as ``scaler``.

    Examples
    --------
    >>> from sklearn_flipad import InlierWhitener, make_whitened
    >>> pipeline = make_whitened("tanh", whitener=InlierWhitener(exponent=0.5))
    >>> pipeline["detect"].estimator["scale"]
    InlierWhitener(exponent=0.5)
    """
    if detector is None:
        detector = DeepSADDetector(
            module=MLP,
            module_params={"hidden": (256,)},
            device=device,
            verbose=verbose,
        )
    detector = _prepared(detector, device, random_state, verbose)
    preactivation = PreactivationTransformer(
        activation, output_range=output_range, clip_eps=clip_eps
    )
    return _assemble(
        [("preactivation", preactivation)],
        _scaled(whitener, InlierWhitener(), detector),
        fnr=fnr,
        rule=rule,
        cv=cv,
        random_state=random_state,
        memory=memory,
    )


def make_smf(
    *,
    output_range=(-1.0, 1.0),
    image_shape=None,
    fnr=0.005,
    rule="conformal",
    cv=0.2,
    n_jobs=None,
    random_state=None,
    verbose=0,
):
    """SM-F: the PRNU fingerprint of a model, calibrated.

    Parameters
    ----------
    output_range, image_shape
        See :class:`~sklearn_flipad.FingerprintDetector`.
    fnr, rule, cv
        See :class:`~sklearn_flipad.FNRThresholdCalibrator`.
    n_jobs : int, default=None
        Threads; 1 by default, -1 for all cores.
    random_state : int, RandomState instance or None, default=None
        Seed of the hold-out.
    verbose : int, default=0
        Whether to show a progress bar.

    Returns
    -------
    AttributionPipeline
        With the one step ``detect``.

    References
    ----------
    Appendix E of Laszkiewicz et al., ICML 2024.
    """
    detector = FingerprintDetector(
        output_range=output_range, image_shape=image_shape, n_jobs=n_jobs, verbose=verbose
    )
    return _assemble([], detector, fnr=fnr, rule=rule, cv=cv, random_state=random_state)


def make_sminv(
    generator,
    *,
    encoder=None,
    latent_shape=None,
    sampler=None,
    distance="l2",
    processing=None,
    n_restarts="auto",
    optimizer="adam",
    max_iter="auto",
    output_range=None,
    fnr=0.005,
    rule="conformal",
    cv=0.2,
    device=None,
    random_state=0,
    verbose=0,
):
    """SM-Inv: the distance to the best reconstruction, calibrated.

    With an encoder it is the strongest evidence that the whole generator can give; without, the
    paper's baseline, in which nothing is trained and all samples of the model calibrate the
    threshold.

    Parameters
    ----------
    generator : torch.nn.Module
        The target model.
    encoder : LatentEncoder or torch.nn.Module, default=None
        Guesses where to start the search. A :class:`~sklearn_flipad.LatentEncoder` that is not
        fitted is trained in ``fit``.
    latent_shape, sampler, distance, processing, n_restarts, optimizer, max_iter, output_range
        See :class:`~sklearn_flipad.ReconstructionDetector`.
    fnr, rule
        See :class:`~sklearn_flipad.FNRThresholdCalibrator`.
    cv
        What is held out to calibrate, where there is an encoder; see
        :class:`~sklearn_flipad.FNRThresholdCalibrator`.
    device, random_state, verbose
        See :class:`~sklearn_flipad.ReconstructionDetector`.

    Returns
    -------
    AttributionPipeline
        With the one step ``detect``.

    References
    ----------
    Appendices E and G.7 of Laszkiewicz et al., ICML 2024; see
    :class:`~sklearn_flipad.ReconstructionDetector` for the search from an encoder's guess.

    Examples
    --------
    >>> from sklearn_flipad import LatentEncoder, make_sminv
    >>> from sklearn_flipad.zoo import load_pretrained
    >>> generator = load_pretrained("fashion/dcgan-0")
    >>> attributor = make_sminv(generator, encoder=LatentEncoder(max_steps=500), fnr=0.01)
    """
    detector = ReconstructionDetector(
        generator,
        encoder=encoder,
        latent_shape=latent_shape,
        sampler=sampler,
        distance=distance,
        processing=processing,
        n_restarts=n_restarts,
        optimizer=optimizer,
        max_iter=max_iter,
        output_range=output_range,
        device=device,
        random_state=random_state,
        verbose=verbose,
    )
    if encoder is None:
        return _assemble([], FrozenEstimator(detector), fnr=fnr, rule=rule)
    return _assemble([], detector, fnr=fnr, rule=rule, cv=cv, random_state=random_state)


def make_combined(
    attributors,
    *,
    combine="max",
    fnr=0.005,
    rule="conformal",
    cv=0.2,
    random_state=None,
):
    """Several attributors, one calibrated decision.

    Of the model's samples, a part is held out to calibrate the joint threshold; the
    attributors are given the rest, and hold out a part of that to calibrate their own. With
    the defaults of all, a false-negative rate of 0.5 % takes 1,244 samples of the model.

    Parameters
    ----------
    attributors : dict of str to estimator
        Names and attributors, for example of :func:`make_flipad` and :func:`make_rawpad`.
        Their own thresholds serve as units of their scores.
    combine : {"max", "mean"}, default="max"
        See :class:`~sklearn_flipad.CombinedDetector`.
    fnr, rule, cv
        Of the joint decision, see :class:`~sklearn_flipad.FNRThresholdCalibrator`.
    random_state : int, RandomState instance or None, default=None
        Seed of the joint hold-out.

    Returns
    -------
    AttributionPipeline
        With the one step ``detect``.

    Raises
    ------
    TypeError
        If `attributors` is no dict.

    Examples
    --------
    >>> from sklearn_flipad import make_combined, make_dctpad, make_rawpad
    >>> combined = make_combined({"raw": make_rawpad(), "dct": make_dctpad()}, fnr=0.05)
    >>> combined.get_params()["detect__estimator__raw__detect__fnr"]
    0.005
    """
    if not isinstance(attributors, Mapping):
        raise TypeError(
            "attributors must be a dict of names and attributors, "
            f"got {type(attributors).__name__}."
        )
    detector = CombinedDetector(list(attributors.items()), combine=combine)
    return _assemble([], detector, fnr=fnr, rule=rule, cv=cv, random_state=random_state)


def _prepared(detector, device, random_state, verbose):
    """The default detector, or a copy of a given one that is seeded and takes any samples."""
    if detector is None:
        return DeepSADDetector(device=device, random_state=random_state, verbose=verbose)
    detector = clone(detector)
    if random_state is not None and hasattr(detector, "get_params"):
        unset = [
            name
            for name, value in sorted(detector.get_params().items())
            if value is None and name.rpartition("__")[2] == "random_state"
        ]
        rng = check_random_state(random_state)
        detector.set_params(**{name: int(rng.randint(2**31 - 1)) for name in unset})
    if isinstance(detector, Pipeline | FrozenEstimator) or _takes_images(detector):
        return detector
    return ExternalDetector(detector)


def _takes_images(detector):
    """Whether a detector takes samples of any shape and scores them."""
    try:
        return get_tags(detector).input_tags.three_d_array and hasattr(detector, "score_samples")
    except (AttributeError, TypeError):  # PyOD's detectors have no tags
        return False


def _scaled(scaler, default, detector):
    scaler = default if scaler is None else clone(scaler, safe=False)
    return Pipeline([("scale", scaler), ("detector", detector)])


def _assemble(features, detector, *, memory=None, **calibration):
    calibrator = FNRThresholdCalibrator(detector, **calibration)
    return AttributionPipeline([*features, ("detect", calibrator)], memory=memory)
