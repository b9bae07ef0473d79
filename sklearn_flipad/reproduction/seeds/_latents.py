"""The latents of images, with which the inversion of latent diffusion starts."""

from sklearn_flipad.reproduction.detector import ReproductionDetector


def last_states(sampler, X, decoding=None, processing=None):
    """Last states of a sampler's process: samples, or the latents that its decoder makes them of.

    `decoding` is a detector that finds them; by default one that starts from the sampler's encoder.
    """
    if sampler.decoder is None:
        return X
    if decoding is None:
        if sampler.encoder is None:
            raise ValueError(
                "The sampler has a decoder and no encoder, which the search for latents starts "
                "from. Pass DiffusionSampler(..., encoder=...), or decoding=, a "
                "ReproductionDetector of sampler.decoder."
            )
        # Others' images have no latents, and further starts would search them in vain; Newton's
        # steps take as many runs of the decoder as there are latents.
        decoding = ReproductionDetector(
            sampler.decoder,
            encoder=sampler.encoder,
            latent_shape=sampler.latent_shape,
            output_range=sampler.output_range,
            processing=processing,
            n_restarts=0,
            n_newton=0,
        )
    latents = decoding.reconstruct(X).latents
    return latents.reshape(-1, *sampler.latent_shape)
