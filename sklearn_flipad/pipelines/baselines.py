"""The paper's baselines SM-F and SM-Inv (Appendix E), and the posterior of latents of a table."""

from sklearn.frozen import FrozenEstimator

from sklearn_flipad.detectors import FingerprintDetector
from sklearn_flipad.pipelines._assembly import calibrated
from sklearn_flipad.reproduction import LatentPosteriorDetector, SMInvDetector

__all__ = ["make_posterior", "make_smf", "make_sminv"]


def make_smf(
    *,
    output_range=(-1.0, 1.0),
    image_shape=None,
    fnr=0.005,
    rule="conformal",
    cv=0.2,
    reference=None,
    lr=None,
    strata=None,
    n_jobs=None,
    random_state=None,
    verbose=0,
):
    """SM-F: the PRNU fingerprint of a model, calibrated.

    Parameters
    ----------
    output_range, image_shape
        See :class:`~sklearn_flipad.FingerprintDetector`.
    fnr, rule, cv, reference, lr, strata
        See :class:`~sklearn_flipad.FNRThresholdCalibrator`.
    n_jobs : int, default=None
        Threads; 1 by default, -1 for all cores.
    random_state : int, RandomState instance or None, default=None
        Seed of the hold-out.
    verbose : int, default=0
        Whether to show progress.

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
    return calibrated(
        detector,
        fnr=fnr,
        rule=rule,
        cv=cv,
        reference=reference,
        lr=lr,
        strata=strata,
        random_state=random_state,
    )


def make_sminv(
    generator,
    *,
    latent_shape=None,
    sampler=None,
    distance="l2",
    n_restarts=10,
    optimizer="adam",
    max_iter=1000,
    output_range=None,
    fnr=0.005,
    rule="conformal",
    reference=None,
    lr=None,
    strata=None,
    device=None,
    random_state=0,
    verbose=0,
):
    """SM-Inv: the distance to the best reconstruction from random starts, calibrated.

    Nothing is trained, and nothing is held out: all samples of the model calibrate the threshold,
    and all negatives are the reference population, if it has a name.

    Parameters
    ----------
    generator : torch.nn.Module
        The target model.
    latent_shape, sampler, distance, n_restarts, optimizer, max_iter, output_range
        See :class:`~sklearn_flipad.SMInvDetector`.
    fnr, rule, reference, lr, strata
        See :class:`~sklearn_flipad.FNRThresholdCalibrator`.
    device, random_state, verbose
        See :class:`~sklearn_flipad.SMInvDetector`.

    Returns
    -------
    AttributionPipeline
        With the one step ``detect``.

    References
    ----------
    Appendices E and G.7 of Laszkiewicz et al., ICML 2024.

    Examples
    --------
    >>> from sklearn_flipad import make_sminv
    >>> from sklearn_flipad.zoo import load_pretrained
    >>> attributor = make_sminv(load_pretrained("fashion/dcgan-0"), optimizer="lbfgs", fnr=0.01)
    """
    detector = SMInvDetector(
        generator,
        latent_shape=latent_shape,
        sampler=sampler,
        distance=distance,
        n_restarts=n_restarts,
        optimizer=optimizer,
        max_iter=max_iter,
        output_range=output_range,
        device=device,
        random_state=random_state,
        verbose=verbose,
    )
    return calibrated(
        FrozenEstimator(detector), fnr=fnr, rule=rule, reference=reference, lr=lr, strata=strata
    )


def make_posterior(
    generator,
    *,
    noise=0.01,
    score="evidence",
    fnr=0.005,
    rule="conformal",
    reference=None,
    lr=None,
    strata=None,
    **search,
):
    """Density of the most probable latents of a row, calibrated; for generators of tables.

    Nothing is trained: all samples of the model calibrate the threshold.

    Parameters
    ----------
    generator : torch.nn.Module
        The target model.
    noise, score
        See :class:`~sklearn_flipad.reproduction.LatentPosteriorDetector`.
    fnr, rule, reference, lr, strata
        See :class:`~sklearn_flipad.FNRThresholdCalibrator`.
    **search
        Further parameters of :class:`~sklearn_flipad.reproduction.LatentPosteriorDetector`.

    Returns
    -------
    AttributionPipeline
        With the one step ``detect``.

    Examples
    --------
    >>> from sklearn_flipad import make_posterior
    >>> from sklearn_flipad.generators import sample
    >>> from sklearn_flipad.zoo import load_pretrained
    >>> generator = load_pretrained("redwine/kl-wgan-0")
    >>> rows = sample(generator, 128, dtype="float32", random_state=0)
    >>> attributor = make_posterior(generator, fnr=0.05, n_starts=1, n_drawn=1000)
    >>> attributor.fit(rows).predict(rows[:3] + 2)
    array([-1, -1, -1])
    """
    detector = LatentPosteriorDetector(generator, noise=noise, score=score, **search)
    return calibrated(
        FrozenEstimator(detector), fnr=fnr, rule=rule, reference=reference, lr=lr, strata=strata
    )
