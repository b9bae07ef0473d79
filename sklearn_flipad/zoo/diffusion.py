"""A diffusion model that is part of the package."""

from importlib.resources import files

from sklearn_flipad.base.optional import import_optional

__all__ = ["load_diffusion"]

#: A pipeline as diffusers saves it, its model card, and 16 of its samples.
FOLDER = files(__package__) / "weights" / "fashion-ddim"


def load_diffusion():
    """Load the diffusion model that is part of the package.

    A ``UNet2DModel`` of 0.64 million weights, trained to predict velocities on Fashion-MNIST at
    32x32, with a scheduler that does not clip. Its folder also has a model card, ``card.json``, and
    samples.

    Returns
    -------
    diffusers.DDIMPipeline
        The pipeline, in eval mode, on the CPU.

    Raises
    ------
    ImportError
        If diffusers is not installed.

    Examples
    --------
    >>> from sklearn_flipad.generators import DiffusionSampler, TorchNoise
    >>> from sklearn_flipad.reproduction import SeedSearch
    >>> from sklearn_flipad.zoo import load_diffusion
    >>> sampler = DiffusionSampler.from_pipeline(load_diffusion(), n_steps=20)
    >>> draw = TorchNoise(sampler.latent_shape)
    >>> found = SeedSearch(sampler, seeds=range(50_000)).search(sampler.images(draw(31_415)))
    >>> found.seeds, found.identical
    (array([31415]), array([ True]))
    """
    diffusers = import_optional("diffusers", "A diffusion model needs diffusers", "diffusers")
    pipeline = diffusers.DDIMPipeline.from_pretrained(
        FOLDER, local_files_only=True, use_safetensors=True, low_cpu_mem_usage=False
    )
    pipeline.set_progress_bar_config(disable=True)
    pipeline.unet.eval().requires_grad_(False)
    return pipeline
