"""Residuals of an autoencoder, whitened, and a detector."""

from sklearn_flipad.features import InlierWhitener, ResidualTransformer
from sklearn_flipad.pipelines._assembly import assemble

__all__ = ["make_residual"]


def make_residual(
    autoencoder,
    *,
    features=None,
    difference="features",
    output_range=(-1.0, 1.0),
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
    """Residuals of an autoencoder: its reconstruction subtracted, whitening, calibrated DeepSAD.

    For models that decode what can be computed of any sample: vocoders, whose spectrograms are
    known, and autoencoders. Needs no search, and tells siblings that spectra do not.

    Parameters
    ----------
    autoencoder, features, difference, output_range
        See :class:`~sklearn_flipad.ResidualTransformer`.
    scaler : estimator or "passthrough", default=None
        :class:`~sklearn_flipad.InlierWhitener` by default.
    detector : estimator, default=None
        :class:`~sklearn_flipad.DeepSADDetector` with ``center="inliers"`` by default: whitened
        residuals of other sources may lie far out. Others as in :func:`make_flipad`.
    fnr, rule, cv, reference, lr, strata
        See :class:`~sklearn_flipad.FNRThresholdCalibrator`.
    windows : int, tuple of int or dict, default=None
        See :func:`make_flipad`. Each window goes through the autoencoder alone. Where that keeps
        one in so many values, pass that number too, as ``{"size": 1024, "unit": 256}``, so that
        windows start where its own steps do.
    device : str or torch.device, default=None
        Where the detector computes, as in :func:`make_flipad`, and the autoencoder, which by
        default runs where it is.
    memory, random_state, verbose
        See :func:`make_flipad`.

    Returns
    -------
    AttributionPipeline
        With the steps ``residual`` and ``detect``, as that of :func:`make_flipad`.

    See Also
    --------
    ReproductionDetector : With ``max_iter=0`` and ``n_newton=0`` it judges by the
        size of the residual alone.
    """
    residual = ResidualTransformer(
        autoencoder,
        features=features,
        difference=difference,
        output_range=output_range,
        device=device,
    )
    return assemble(
        ("residual", residual),
        InlierWhitener() if scaler is None else scaler,
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
        defaults={"center": "inliers"},
    )
