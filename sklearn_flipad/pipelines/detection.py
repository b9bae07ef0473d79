"""FLIPAD, its siblings and whitening: features, a scaler and a detector."""

from sklearn_flipad.detectors import MLP, DeepSADDetector
from sklearn_flipad.features import (
    DCTTransformer,
    FinalLayerInverter,
    InlierScaler,
    InlierWhitener,
    PreactivationTransformer,
    RawTransformer,
    SpectrogramTransformer,
)
from sklearn_flipad.final_layer import window_geometry
from sklearn_flipad.pipelines._assembly import assemble, window_parameters

__all__ = ["make_dctpad", "make_flipad", "make_rawpad", "make_spectral", "make_whitened"]


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
    reference=None,
    lr=None,
    strata=None,
    windows=None,
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
        Transformer of the features in front of the detector, fitted together with it:
        :class:`~sklearn_flipad.InlierScaler` by default, or
        :class:`~sklearn_flipad.InlierWhitener`.
    detector : estimator, default=None
        Outlier detector or classifier; :class:`~sklearn_flipad.DeepSADDetector` by default.
        One of scikit-learn, PyOD or another library is put into an
        :class:`~sklearn_flipad.detectors.ExternalDetector`. It is refitted with the scaler;
        to keep fitted ones, set ``detect__estimator`` to a frozen pipeline of both.
    fnr, rule, cv, reference, lr, strata
        See :class:`~sklearn_flipad.FNRThresholdCalibrator`.
    windows : int, tuple of int or dict, default=None
        For samples of any size: sides of the windows that each is cut into, or a dict of
        parameters of :class:`~sklearn_flipad.detectors.WindowedDetector` with ``"size"`` among
        them. The layer is then replaced by its :meth:`~sklearn_flipad.FinalLayer.window`. By
        default all samples have the layer's size.
    device : str or torch.device, default=None
        Where to compute; CUDA if there is one, else the CPU.
    memory : str or joblib.Memory, default=None
        Cache of the pipeline's transformers.
    random_state : int, RandomState instance or None, default=None
        Seed of the hold-out and of the detector, where that has none of its own.
    verbose : int, default=0
        Whether to show progress.

    Returns
    -------
    AttributionPipeline
        With the steps ``invert`` and ``detect``, the calibrator. Its estimator is a
        pipeline with the steps ``scale`` and ``detector``. Each can be replaced or
        grid-searched. With `windows`, the calibrator is the only step, its estimator is a
        :class:`~sklearn_flipad.detectors.WindowedDetector`, and that one's the pipeline of all
        three: ``detect__estimator__estimator__invert__lam``.

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
    windows = window_parameters(windows)
    if windows is not None and windows["size"] is not None:
        found = window_geometry(final_layer)
        windows = {"margin": found.margin, "unit": found.period, **windows}
        final_layer = final_layer.window(windows["size"])
    invert = FinalLayerInverter(
        final_layer, lam=lam, pool_size=pool_size, device=device, verbose=verbose
    )
    return assemble(
        ("invert", invert),
        InlierScaler() if scaler is None else scaler,
        detector,
        fnr=fnr,
        rule=rule,
        cv=cv,
        reference=reference,
        lr=lr,
        strata=strata,
        windows=windows,
        device=device,
        memory=memory,
        random_state=random_state,
        verbose=verbose,
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
    reference=None,
    lr=None,
    strata=None,
    windows=None,
    device=None,
    memory=None,
    random_state=None,
    verbose=0,
):
    """DCTPAD: logarithmic DCT spectra, scaling by inliers, calibrated DeepSAD.

    Parameters
    ----------
    crop_size : int, default=None
        Side, or length, of the central crop of the spectra; no crop by default.
    output_range, image_shape
        See :class:`~sklearn_flipad.DCTTransformer`.
    scaler, detector, fnr, rule, cv, reference, lr, strata, windows, device, memory, random_state, \
verbose
        See :func:`make_flipad`.

    Returns
    -------
    AttributionPipeline
        With the steps ``dct`` and ``detect``, as that of :func:`make_flipad`.

    References
    ----------
    Section 4.1 and Appendix G.7 of Laszkiewicz et al., ICML 2024.
    """
    dct = DCTTransformer(crop_size=crop_size, output_range=output_range, image_shape=image_shape)
    return assemble(
        ("dct", dct),
        InlierScaler() if scaler is None else scaler,
        detector,
        fnr=fnr,
        rule=rule,
        cv=cv,
        reference=reference,
        lr=lr,
        strata=strata,
        windows=windows,
        device=device,
        memory=memory,
        random_state=random_state,
        verbose=verbose,
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
    reference=None,
    lr=None,
    strata=None,
    windows=None,
    device=None,
    memory=None,
    random_state=None,
    verbose=0,
):
    """RawPAD: pixels or the values of signals, calibrated DeepSAD.

    Parameters
    ----------
    size : int, default=None
        Side, or length, to which the samples are resized or cropped; unchanged by default.
    mode : {"nearest", "crop"}, default="nearest"
        See :class:`~sklearn_flipad.RawTransformer`.
    output_range, image_shape
        See :class:`~sklearn_flipad.RawTransformer`.
    scaler : estimator or "passthrough", default=None
        Transformer of the pixels in front of the detector, fitted together with it; none by
        default, since the paper does not scale pixels.
    detector, fnr, rule, cv, reference, lr, strata, windows, device, memory, random_state, verbose
        See :func:`make_flipad`.

    Returns
    -------
    AttributionPipeline
        With the steps ``raw`` and ``detect``, as that of :func:`make_flipad`.

    References
    ----------
    Section 4.1 and Appendix G.7 of Laszkiewicz et al., ICML 2024.
    """
    raw = RawTransformer(size=size, mode=mode, output_range=output_range, image_shape=image_shape)
    return assemble(
        ("raw", raw),
        "passthrough" if scaler is None else scaler,
        detector,
        fnr=fnr,
        rule=rule,
        cv=cv,
        reference=reference,
        lr=lr,
        strata=strata,
        windows=windows,
        device=device,
        memory=memory,
        random_state=random_state,
        verbose=verbose,
    )


def make_spectral(
    *,
    n_fft=512,
    hop_length=None,
    average=True,
    eps=1e-5,
    output_range=(-1.0, 1.0),
    image_shape=None,
    scaler=None,
    detector=None,
    fnr=0.005,
    rule="conformal",
    cv=0.2,
    reference=None,
    lr=None,
    strata=None,
    windows=None,
    device=None,
    memory=None,
    random_state=None,
    verbose=0,
):
    """Short-time spectra of signals in DCTPAD's place: scaling by inliers, calibrated DeepSAD.

    Needs nothing of the model but its samples.

    Parameters
    ----------
    n_fft, hop_length
        See :class:`~sklearn_flipad.SpectrogramTransformer`.
    average : bool, default=True
        Whether the features are the means of the spectra over time, rather than all of them.
    eps, output_range, image_shape
        See :class:`~sklearn_flipad.SpectrogramTransformer`.
    scaler, detector, fnr, rule, cv, reference, lr, strata, windows, device, memory, random_state, \
verbose
        See :func:`make_flipad`.

    Returns
    -------
    AttributionPipeline
        With the steps ``spectrogram`` and ``detect``, as that of :func:`make_flipad`.

    See Also
    --------
    make_dctpad : Takes signals too, and transforms them whole.
    """
    spectrogram = SpectrogramTransformer(
        n_fft=n_fft,
        hop_length=hop_length,
        average=average,
        eps=eps,
        output_range=output_range,
        image_shape=image_shape,
    )
    return assemble(
        ("spectrogram", spectrogram),
        InlierScaler() if scaler is None else scaler,
        detector,
        fnr=fnr,
        rule=rule,
        cv=cv,
        reference=reference,
        lr=lr,
        strata=strata,
        windows=windows,
        device=device,
        memory=memory,
        random_state=random_state,
        verbose=verbose,
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
    reference=None,
    lr=None,
    strata=None,
    windows=None,
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
    fnr, rule, cv, reference, lr, strata, windows, device, memory, random_state, verbose
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
    preactivation = PreactivationTransformer(
        activation, output_range=output_range, clip_eps=clip_eps
    )
    return assemble(
        ("preactivation", preactivation),
        InlierWhitener() if whitener is None else whitener,
        detector,
        fnr=fnr,
        rule=rule,
        cv=cv,
        reference=reference,
        lr=lr,
        strata=strata,
        windows=windows,
        device=device,
        memory=memory,
        random_state=random_state,
        verbose=verbose,
    )
