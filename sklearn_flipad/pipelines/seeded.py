"""Seeds: what the model makes of the seed that explains a sample."""

from sklearn_flipad.generators import DiffusionSampler
from sklearn_flipad.pipelines._assembly import calibrated
from sklearn_flipad.reproduction import LatentEncoder, SeedDetector

__all__ = ["make_seeded"]


def make_seeded(
    generator,
    *,
    seeds,
    draw=None,
    encoder=None,
    latent_shape=None,
    sampler=None,
    output_range=None,
    processing=None,
    level=1e-6,
    n_best=3,
    tol=1e-5,
    max_iter=100,
    n_jobs=None,
    fnr=0.005,
    rule="conformal",
    cv=0.5,
    reference=None,
    lr=None,
    device=None,
    random_state=0,
    verbose=0,
):
    """Seeds: the distance to what the model makes of the seed that explains a sample, calibrated.

    Fit it to samples of candidates, as :meth:`SeedDetector.sample` draws them: the
    false-negative rate is that of such samples. Others of the model are called outliers.

    Parameters
    ----------
    generator : torch.nn.Module
        The target model: a :class:`~sklearn_flipad.generators.DiffusionSampler`, or another
        generator, whose latents are found by reproduction.
    seeds, draw
        Candidates, and how noise is drawn, see :class:`~sklearn_flipad.SeedDetector`.
    encoder : LatentEncoder or torch.nn.Module, default=None
        For a generator that is no ``DiffusionSampler``: guesses where to start the search for its
        latents. One that is not fitted is trained in ``fit``, as the default is, whose seed is
        `random_state`.
    latent_shape, sampler, output_range, processing, level, n_best, tol, max_iter, n_jobs
        See :class:`~sklearn_flipad.SeedDetector`.
    fnr, rule, cv, reference, lr
        See :class:`~sklearn_flipad.FNRThresholdCalibrator`. Half of the samples calibrate, as for
        :func:`make_reproduction`.
    device, random_state, verbose
        See :class:`~sklearn_flipad.SeedDetector`.

    Returns
    -------
    AttributionPipeline
        With the one step ``detect``.

    See Also
    --------
    make_reproduction : Without seeds, for generators whose latents are few.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from sklearn_flipad import make_seeded
    >>> from sklearn_flipad.generators import DiffusionSampler, DiffusionSchedule
    >>> class Network(torch.nn.Module):
    ...     def forward(self, x, t):
    ...         return torch.tanh(x)
    >>> t = np.linspace(1, 0, 11)
    >>> flow = DiffusionSchedule.first_order(1 - t, t, t[:-1], prediction="flow")
    >>> model = DiffusionSampler(Network(), flow, latent_shape=(1, 8, 8))
    >>> attributor = make_seeded(model, seeds=range(1000), fnr=0.1)
    >>> own = attributor["detect"].estimator.sample(24)
    >>> attributor.fit(own).predict(np.concatenate([own[:2], 255 - own[:2]]))
    array([ 1,  1, -1, -1])
    """
    if encoder is None and not isinstance(generator, DiffusionSampler):
        encoder = LatentEncoder(random_state=random_state)
    detector = SeedDetector(
        generator,
        seeds=seeds,
        draw=draw,
        encoder=encoder,
        latent_shape=latent_shape,
        sampler=sampler,
        output_range=output_range,
        processing=processing,
        level=level,
        n_best=n_best,
        tol=tol,
        max_iter=max_iter,
        n_jobs=n_jobs,
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
        random_state=random_state,
    )
