"""Reproduction, the strongest evidence that the whole generator can give."""

from sklearn_flipad.pipelines._assembly import calibrated
from sklearn_flipad.reproduction import LatentEncoder, ReproductionDetector

__all__ = ["make_reproduction"]


def make_reproduction(
    generator,
    *,
    encoder=None,
    latent_shape=None,
    sampler=None,
    distance="l2",
    processing=None,
    n_restarts="auto",
    max_iter="auto",
    output_range=None,
    fnr=0.005,
    rule="conformal",
    cv=0.5,
    reference=None,
    lr=None,
    strata=None,
    device=None,
    random_state=0,
    verbose=0,
):
    """Reproduction: the distance to the best reconstruction from an encoder's guess, calibrated.

    Parameters
    ----------
    generator : torch.nn.Module
        The target model.
    encoder : LatentEncoder or torch.nn.Module, default=None
        Guesses where to start the search. A :class:`~sklearn_flipad.LatentEncoder` that is not
        fitted is trained in ``fit``, as the default is, whose seed is `random_state`.
    latent_shape, sampler, distance, processing, n_restarts, max_iter, output_range
        See :class:`~sklearn_flipad.ReproductionDetector`.
    fnr, rule, cv, reference, lr, strata
        See :class:`~sklearn_flipad.FNRThresholdCalibrator`. Half of the samples calibrate: the
        encoder is trained on samples that it draws itself, and a few hundred are enough to learn
        when to reject.
    device, random_state, verbose
        See :class:`~sklearn_flipad.ReproductionDetector`.

    Returns
    -------
    AttributionPipeline
        With the one step ``detect``.

    See Also
    --------
    make_sminv : The paper's search from random starts.

    Examples
    --------
    >>> from sklearn_flipad import LatentEncoder, make_reproduction
    >>> from sklearn_flipad.zoo import load_pretrained
    >>> generator = load_pretrained("fashion/dcgan-0")
    >>> attributor = make_reproduction(generator, encoder=LatentEncoder(max_steps=500), fnr=0.01)
    """
    detector = ReproductionDetector(
        generator,
        encoder=LatentEncoder(random_state=random_state) if encoder is None else encoder,
        latent_shape=latent_shape,
        sampler=sampler,
        distance=distance,
        processing=processing,
        n_restarts=n_restarts,
        max_iter=max_iter,
        output_range=output_range,
        device=device,
        random_state=random_state,
        verbose=verbose,
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
