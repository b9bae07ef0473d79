"""The ways to make a final layer: from a generator, a diffusion model or a torch layer."""

from sklearn_flipad.base.modules import evaluating, unwrap
from sklearn_flipad.final_layer._diffusers import decoder_and_latents
from sklearn_flipad.final_layer._linear_tail import LinearTail
from sklearn_flipad.final_layer._tracing import trace_final_layer
from sklearn_flipad.operators.links.kinds import LINK_KINDS, kind_of_module
from sklearn_flipad.operators.links.layers import values_of
from sklearn_flipad.operators.links.link import Link

__all__ = ["FinalLayerConstructors"]


class FinalLayerConstructors:
    """The class methods of :class:`~sklearn_flipad.FinalLayer` that build one."""

    @classmethod
    def from_generator(
        cls,
        generator,
        *,
        latent_shape=None,
        sampler=None,
        n_samples=5000,
        activation="auto",
        module=None,
        output_range=None,
        batch_size=100,
        device=None,
        random_state=None,
        verbose=0,
    ):
        """Find the final layer of a generator by running it.

        The generator runs in eval mode and without gradients; its training mode is
        restored afterwards. Its operations are noted and followed back from the output for as
        long as they are linear and known; where that ends at one linear layer, the layer is
        taken as it is. The activations before it are averaged over `n_samples` latents with
        float64 accumulation, and the output activation is recognized by comparing what the
        linear map returned with the generator's output, so that ``nn.Tanh()`` and
        ``torch.tanh(x)`` are the same. In the end the finished layer must map the activations
        of a first batch to what the generator returned.

        Parameters
        ----------
        generator : torch.nn.Module
            Any module with a convolution, transposed convolution or linear layer.
        latent_shape : int or tuple of int, default=None
            Shape of one latent, drawn from N(0, I); by default the generator's
            attribute ``latent_shape``, unless it has a method ``sampler``.
        sampler : callable, default=None
            For other inputs: ``sampler(n, rng)`` returns a tensor or an array, or a tuple or
            list of them, that the generator is called with; `rng` is a
            :class:`numpy.random.RandomState`. Takes the place of `latent_shape`. By
            default the generator's method ``sampler``, if it has one.
        n_samples : int, default=5000
            Number of Monte-Carlo samples of the mean activation, >= 1.
        activation : str or OutputActivation, default="auto"
            The output activation, if it should not be recognized. A clamp behind it is
            accepted.
        module : torch.nn.Module or str, default=None
            The final layer, or its name in the generator, if it should not be searched for. It
            is then taken alone, without what is linear around it.
        output_range : pair of float, default=None
            See :class:`FinalLayer`; where a clamp was found, its two ends by default.
        batch_size : int, default=100
            Latents in one call of the generator.
        device : str or torch.device, default=None
            Where the latents go; by default where the generator's parameters are.
        random_state : int, RandomState instance or None, default=None
            Seed of the latents, and of what the generator itself draws.
        verbose : int, default=0
            Whether to show progress.

        Returns
        -------
        FinalLayer

        Raises
        ------
        ValueError
            If the generator runs no linear layer, if its activation is not invertible, not
            recognized or not the given one, if what follows the last layer cannot be taken
            apart, or if no latent shape is known.

        Warns
        -----
        UserWarning
            If a clamp cuts off more than a quarter of the values.
        """
        trace = trace_final_layer(
            generator,
            latent_shape=latent_shape,
            sampler=sampler,
            n_samples=n_samples,
            activation=activation,
            module=module,
            batch_size=batch_size,
            device=device,
            random_state=random_state,
            verbose=verbose,
        )
        stage, found = trace.stage, trace.module
        known = {
            "input_shape": trace.mean_activation.shape,
            "mean_activation": trace.mean_activation,
            "activation": stage.activation,
            "output_shape": trace.output_shape,
            "output_range": stage.clamp if output_range is None else output_range,
            "output_order": stage.order,
            "output_scale": trace.column_scale(),
        }
        if isinstance(found, LinearTail):
            layer = cls(found.links, bias=found.bias, **known)
        else:
            layer = _layer_of(cls, found, trace.output_padding(), known)
        trace.check(layer)
        return layer

    @classmethod
    def from_diffusers(
        cls,
        source,
        *,
        latents=None,
        scaled=False,
        sample_size=None,
        n_samples=100,
        batch_size=4,
        device=None,
        random_state=None,
        verbose=0,
    ):
        """The final layer of a latent diffusion model: what its decoder ends with.

        All models that share a decoder share this layer, whatever their diffusion network is. What
        is told apart by it is decoders.

        Parameters
        ----------
        source : autoencoder of diffusers, pipeline, str or Path
            See :class:`~sklearn_flipad.final_layer.LatentDecoder`, which lists the classes.
        latents : array-like or torch.Tensor, shape (n, channels, ...), default=None
            Array, tensor, or list of one per sample. Latents of samples that the model makes, over
            which the mean activation is taken. By default noise of their deviation is drawn, which
            has no image in it: a stand-in.
        scaled : bool, default=False
            Whether `latents` are those of the diffusion process, which a pipeline returns with
            ``output_type="latent"`` and scales before it decodes them, rather than those that
            ``vae.decode`` takes. See
            :meth:`~sklearn_flipad.final_layer.LatentDecoder.unscaled`.
        sample_size : int or tuple of int, default=None
            Size of the samples, where no latents are given, see
            :class:`~sklearn_flipad.final_layer.LatentDecoder`.
        n_samples : int, default=100
            Number of latents to draw.
        batch_size : int, default=4
            Latents in one call of the decoder.
        device : str or torch.device, default=None
            Where the latents go; by default where the autoencoder is.
        random_state : int, RandomState instance or None, default=None
            Seed of the latents that are drawn.
        verbose : int, default=0
            Whether to show progress.

        Returns
        -------
        FinalLayer

        Raises
        ------
        ImportError
            If diffusers is missing, or too old for the autoencoder in a folder.
        TypeError
            If `source` has no autoencoder of a known class.
        ValueError
            If it decodes in tiles, or takes latent frames in parts, the latents or `sample_size`
            do not fit, or the latents' scale is not known.

        Warns
        -----
        UserWarning
            If the latents' deviation is not that of latents of this autoencoder, or the clip to
            the output range cuts off more than a quarter of the values.

        References
        ----------
        Section 5.2 and Appendix G.7 of Laszkiewicz et al., "Single-Model Attribution of
        Generative Models Through Final-Layer Inversion", ICML 2024.
        """
        decoder, sampler, n_latents = decoder_and_latents(
            source, latents, scaled=scaled, sample_size=sample_size, batch_size=batch_size
        )
        return cls.from_generator(
            decoder,
            sampler=sampler,
            n_samples=n_samples if n_latents is None else n_latents,
            activation=decoder.kind.activation,
            output_range=decoder.output_range,
            batch_size=batch_size,
            device=device,
            random_state=random_state,
            verbose=verbose,
        )

    @classmethod
    def from_module(
        cls,
        module,
        *,
        input_shape,
        mean_activation=None,
        activation="identity",
        output_shape=None,
        output_range=None,
        output_order=None,
        output_scale=None,
    ):
        """Make a final layer from a torch layer whose surroundings are known.

        Parameters
        ----------
        module : torch.nn.Module
            A ``Linear``, ``Conv1d/2d/3d`` or ``ConvTranspose1d/2d/3d``.
        input_shape : tuple of int
            Shape of one activation.
        mean_activation : array-like, shape input_shape, default=None
            The mean activation; zero by default.
        activation : str or OutputActivation, default="identity"
            The output activation.
        output_shape, output_range, output_order, output_scale
            See :class:`FinalLayer`.

        Returns
        -------
        FinalLayer

        Raises
        ------
        ValueError
            If `module` is of another type or the shapes do not fit.
        """
        known = {
            "input_shape": input_shape,
            "mean_activation": mean_activation,
            "activation": activation,
            "output_shape": output_shape,
            "output_range": output_range,
            "output_order": output_order,
            "output_scale": output_scale,
        }
        return _layer_of(cls, module, {}, known)


def _layer_of(cls, module, called_with, known):
    """The final layer of a torch layer, with arguments of its call in place of its attributes."""
    kind = kind_of_module(unwrap(module, "module"))
    weight, bias = (None if v is None else values_of(v) for v in _effective_parameters(module))
    arguments = {name: getattr(module, name) for name in LINK_KINDS[kind].module_arguments}
    return cls([Link(kind, weight, {**arguments, **called_with})], bias=bias, **known)


def _effective_parameters(module):
    """Weight and bias that a layer computes with, behind weight or spectral normalization.

    In training mode, reading a spectrally normalized weight would change it.
    """
    with evaluating(module):
        for hook in module._forward_pre_hooks.values():
            if hasattr(hook, "compute_weight"):  # torch.nn.utils.weight_norm and spectral_norm
                hook(module, None)
        return module.weight.detach(), None if module.bias is None else module.bias.detach()
