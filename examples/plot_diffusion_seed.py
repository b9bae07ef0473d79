"""
Which seed made this image? A latent diffusion model
====================================================

The noise of a diffusion model comes from a pseudo-random generator, whose seed is an integer. This
example trains a small latent diffusion model for some seconds, makes an image with a pipeline of
diffusers, and finds the seed of that image among 100,000: it searches the latents of the image,
runs the sampler backward, compares the noise with that of all seeds, and makes the image again. A
copy of the model that was trained further uses the same seed and makes another image of it.
"""

# %%
# First the autoencoder: images of 32x32 pixels become latents of 4x8x8, which the diffusion process
# has in a scale of about 1.

import copy

import matplotlib.pyplot as plt
import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, LDMPipeline, UNet2DModel

from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.generators import DiffusionSampler, TorchNoise
from sklearn_flipad.plotting import SampleGridDisplay
from sklearn_flipad.reproduction import SeedSearch

torch.manual_seed(0)
real = load_fashion_sample()
pixels = torch.from_numpy(real / 127.5 - 1).float()


def optimized(network, loss, n_steps, lr):
    """Minimize a loss of random batches."""
    optimizer = torch.optim.Adam(network.parameters(), lr=lr)
    for _ in range(n_steps):
        optimizer.zero_grad()
        loss(torch.randint(len(pixels), (16,))).backward()
        optimizer.step()
    return network.eval()


vae = AutoencoderKL(
    in_channels=1,
    out_channels=1,
    block_out_channels=(8, 16, 16),
    down_block_types=("DownEncoderBlock2D",) * 3,
    up_block_types=("UpDecoderBlock2D",) * 3,
    norm_num_groups=4,
    sample_size=32,
)


def reconstruction_error(rows):
    posterior = vae.encode(pixels[rows]).latent_dist
    error = (vae.decode(posterior.sample()).sample - pixels[rows]).square().mean()
    return error + 1e-6 * posterior.kl().mean()


optimized(vae, reconstruction_error, 100, 2e-3)
with torch.no_grad():
    latents = torch.cat([vae.encode(x).latent_dist.mean for x in pixels.split(100)])
vae.register_to_config(scaling_factor=1 / float(latents.std()))
latents = latents / latents.std()

# %%
# Then the diffusion network of the latents, and a copy of it that is trained a little further.

scheduler = DDIMScheduler(prediction_type="v_prediction", clip_sample=False)


def prediction_error(rows, network):
    clean, t = latents[rows], torch.randint(1000, (len(rows),))
    noise = torch.randn(clean.shape)
    predicted = network(scheduler.add_noise(clean, noise, t), t).sample
    return (predicted - scheduler.get_velocity(clean, noise, t)).square().mean()


network = UNet2DModel(
    sample_size=8,
    in_channels=4,
    out_channels=4,
    block_out_channels=(16, 32),
    down_block_types=("DownBlock2D",) * 2,
    up_block_types=("UpBlock2D",) * 2,
    layers_per_block=1,
    norm_num_groups=4,
)
optimized(network, lambda rows: prediction_error(rows, network), 300, 2e-3)
trained_on = copy.deepcopy(network).train()
trained_on = optimized(trained_on, lambda rows: prediction_error(rows, trained_on), 20, 1e-4)

# %%
# The model's owner has a pipeline of these parts. Somebody publishes an image of it.

pipeline = LDMPipeline(vae, network, scheduler)
pipeline.set_progress_bar_config(disable=True)
generator = torch.Generator().manual_seed(31_415)
made = np.asarray(pipeline(num_inference_steps=20, generator=generator).images[0])
suspect = made[None, None]

# %%
# For the search, the pipeline is a function from noise to images, whose values are those of the
# pipeline bit for bit. The suspects are its image, that which the copy makes of the same seed, one
# of a seed that is not among the candidates, and a real image.

sampler = DiffusionSampler.from_pipeline(pipeline, n_steps=20)
other = LDMPipeline(vae, trained_on, scheduler)
copied = DiffusionSampler.from_pipeline(other, n_steps=20)
draw = TorchNoise(sampler.latent_shape)
suspects = {
    "own": suspect,
    "trained on": copied.images(draw(31_415)),
    "other seed": sampler.images(draw(200_000)),
    "real": real[:1],
}
X = np.concatenate(list(suspects.values()))
found = SeedSearch(sampler, seeds=range(100_000)).search(X)
for name, seed, log_p, identical, distance in zip(
    suspects,
    found.seeds,
    found.log_p_values,
    found.identical,
    found.distances.min(axis=1),
    strict=True,
):
    print(
        f"{name:10} seed {seed:6}, p = 10^{log_p / np.log(10):6.1f}, identical: {identical!s:5}, "
        f"largest difference {distance:3.0f} gray levels"
    )

# %%
# The images of the model and of its copy lead to the seed: by chance, correlations of this size do
# not occur. But only the model's own image comes back in every value. For the others, the best of
# 100,000 seeds is no better than chance allows, and its image is another one.

differences = np.abs(X.astype(int) - found.samples).astype(np.uint8)
rows = {"suspect": X, "made again": found.samples, "difference": 255 - differences}
figure = plt.figure(figsize=(6, 4.5), layout="constrained")
display = SampleGridDisplay.from_samples(rows, figure=figure)
for ax, name in zip(display.axes_[0], suspects, strict=True):
    ax.set_title(name)

# %%
# Networks that were trained for seconds do not measure the method; see :doc:`/diffusion`.
