"""The paper's attributors as plain scikit-learn pipelines.

The steps before the last treat each sample alone. What is fitted to samples, the scaler
and the detector, is inside the calibrator: the samples that calibrate the threshold must
be as new to it as suspects will be, or the false-negative rate does not hold.
"""

from collections.abc import Mapping

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from sklearn_flipad.calibration import FNRThresholdCalibrator
from sklearn_flipad.detectors import CombinedDetector, DeepSADDetector, FingerprintDetector
from sklearn_flipad.features import (
    DCTTransformer,
    FinalLayerInverter,
    InlierScaler,
    RawTransformer,
)
from sklearn_flipad.reproduction import ReconstructionDetector

__all__ = [
    "make_combined",
    "make_dctpad",
    "make_flipad",
    "make_rawpad",
    "make_smf",
    "make_sminv",
]


def make_flipad(
    final_layer,
    *,
    lam=1e-3,
    pool_size=None,
    detector=None,
    fnr=0.005,
    method="conformal",
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
        The final layer of the model at hand.
    lam : float, default=1e-3
        Penalty of the inversion, see :class:`~sklearn_flipad.FinalLayerInverter`.
    pool_size : int, default=None
        Max-pooling of the activations; no pooling by default.
    detector : estimator, default=None
        Outlier detector; :class:`~sklearn_flipad.DeepSADDetector` by default. It is refitted
        with the scaler; to keep fitted ones, set ``detect__estimator`` to a frozen pipeline
        of both.
    fnr, method, cv
        See :class:`~sklearn_flipad.FNRThresholdCalibrator`.
    device : str or torch.device, default=None
        Where to compute; CUDA if there is one, else the CPU.
    memory : str or joblib.Memory, default=None
        Cache of the pipeline's transformers.
    random_state : int, RandomState instance or None, default=None
        Seed of the default detector and of the hold-out.
    verbose : int, default=0
        Whether to show progress bars.

    Returns
    -------
    sklearn.pipeline.Pipeline
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
    if detector is None:
        detector = DeepSADDetector(device=device, random_state=random_state, verbose=verbose)
    return _assemble(
        [("invert", invert)],
        _scaled(InlierScaler(), detector),
        fnr=fnr,
        method=method,
        cv=cv,
        random_state=random_state,
        memory=memory,
    )


def make_dctpad(
    *,
    crop_size=None,
    detector=None,
    fnr=0.005,
    method="conformal",
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
    detector, fnr, method, cv, device, memory, random_state, verbose
        See :func:`make_flipad`.

    Returns
    -------
    sklearn.pipeline.Pipeline
        With the steps ``dct`` and ``detect``, as that of :func:`make_flipad`.

    References
    ----------
    Section 4.1 and Appendix G.7 of Laszkiewicz et al., ICML 2024.
    """
    if detector is None:
        detector = DeepSADDetector(device=device, random_state=random_state, verbose=verbose)
    return _assemble(
        [("dct", DCTTransformer(crop_size=crop_size))],
        _scaled(InlierScaler(), detector),
        fnr=fnr,
        method=method,
        cv=cv,
        random_state=random_state,
        memory=memory,
    )


def make_rawpad(
    *,
    size=None,
    mode="nearest",
    detector=None,
    fnr=0.005,
    method="conformal",
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
    detector, fnr, method, cv, device, memory, random_state, verbose
        See :func:`make_flipad`.

    Returns
    -------
    sklearn.pipeline.Pipeline
        With the steps ``raw`` and ``detect``, as that of :func:`make_flipad`, but that
        ``scale`` is ``"passthrough"``: the paper does not scale pixels.

    References
    ----------
    Section 4.1 and Appendix G.7 of Laszkiewicz et al., ICML 2024.
    """
    if detector is None:
        detector = DeepSADDetector(device=device, random_state=random_state, verbose=verbose)
    return _assemble(
        [("raw", RawTransformer(size=size, mode=mode))],
        _scaled("passthrough", detector),
        fnr=fnr,
        method=method,
        cv=cv,
        random_state=random_state,
        memory=memory,
    )


def make_smf(
    *,
    fnr=0.005,
    method="conformal",
    cv=0.2,
    n_jobs=None,
    random_state=None,
    verbose=0,
):
    """SM-F: the PRNU fingerprint of a model, calibrated.

    Parameters
    ----------
    fnr, method, cv
        See :class:`~sklearn_flipad.FNRThresholdCalibrator`.
    n_jobs : int, default=None
        Threads; 1 by default, -1 for all cores.
    random_state : int, RandomState instance or None, default=None
        Seed of the hold-out.
    verbose : int, default=0
        Whether to show a progress bar.

    Returns
    -------
    sklearn.pipeline.Pipeline
        With the one step ``detect``.

    References
    ----------
    Appendix E of Laszkiewicz et al., ICML 2024.
    """
    detector = FingerprintDetector(n_jobs=n_jobs, verbose=verbose)
    return _assemble([], detector, fnr=fnr, method=method, cv=cv, random_state=random_state)


def make_sminv(
    generator,
    *,
    distance="l2",
    n_restarts=10,
    optimizer="adam",
    max_iter=1000,
    fnr=0.005,
    method="conformal",
    device=None,
    random_state=0,
    verbose=0,
):
    """SM-Inv: the distance to the best reconstruction, calibrated.

    Nothing is trained, so all samples of the model calibrate the threshold.

    Parameters
    ----------
    generator : torch.nn.Module
        The model at hand.
    distance, n_restarts, optimizer, max_iter
        See :class:`~sklearn_flipad.ReconstructionDetector`.
    fnr, method
        See :class:`~sklearn_flipad.FNRThresholdCalibrator`.
    device, random_state, verbose
        See :class:`~sklearn_flipad.ReconstructionDetector`.

    Returns
    -------
    sklearn.pipeline.Pipeline
        With the one step ``detect``.

    References
    ----------
    Appendices E and G.7 of Laszkiewicz et al., ICML 2024.
    """
    detector = ReconstructionDetector(
        generator,
        distance=distance,
        n_restarts=n_restarts,
        optimizer=optimizer,
        max_iter=max_iter,
        device=device,
        random_state=random_state,
        verbose=verbose,
    )
    return _assemble([], FrozenEstimator(detector), fnr=fnr, method=method)


def make_combined(
    attributors,
    *,
    rule="max",
    fnr=0.005,
    method="conformal",
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
    rule : {"max", "mean"}, default="max"
        See :class:`~sklearn_flipad.CombinedDetector`.
    fnr, method, cv
        Of the joint decision, see :class:`~sklearn_flipad.FNRThresholdCalibrator`.
    random_state : int, RandomState instance or None, default=None
        Seed of the joint hold-out.

    Returns
    -------
    sklearn.pipeline.Pipeline
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
    detector = CombinedDetector(list(attributors.items()), rule=rule)
    return _assemble([], detector, fnr=fnr, method=method, cv=cv, random_state=random_state)


def _scaled(scaler, detector):
    return Pipeline([("scale", scaler), ("detector", detector)])


def _assemble(features, detector, *, memory=None, **calibration):
    return Pipeline(
        [*features, ("detect", FNRThresholdCalibrator(detector, **calibration))], memory=memory
    )
