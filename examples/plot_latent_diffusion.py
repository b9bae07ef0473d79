"""
Which autoencoder decoded it? The last layer of a latent diffusion model
========================================================================

A latent diffusion model ends with the decoder of an autoencoder. This example trains two small
autoencoders of diffusers for some seconds, with two seeds, and attributes images to the first, by
its last layer and by the residuals of the whole autoencoder. A third one has the encoder of the
first, and its decoder was trained further, as in later versions of Stable Diffusion; a fourth
model shares the first autoencoder and differs in its latents.
"""

# %%
# The architecture is that of Stable Diffusion, much narrower: an image of 32x32 pixels
# becomes a latent of 4x8x8. After such a short training, images are blurred, which is enough here.

import copy

import matplotlib.pyplot as plt
import numpy as np
import torch
from diffusers import AutoencoderKL
from sklearn.base import clone

from sklearn_flipad import (
    DeepSADDetector,
    FinalLayer,
    InlierWhitener,
    make_flipad,
    make_residual,
)
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.detectors import MLP
from sklearn_flipad.final_layer import LatentDecoder, LatentGuess
from sklearn_flipad.plotting import SampleGridDisplay, ScoreHistogramDisplay

real = load_fashion_sample()
pixels = torch.from_numpy(real / 127.5 - 1).float()


def train(vae, n_steps, part=None):
    """Train an autoencoder, or a part of it, on the first half of the images."""
    optimizer = torch.optim.Adam((part or vae).parameters(), lr=2e-3)
    for _ in range(n_steps):
        x = pixels[torch.randint(1000, (16,))]
        posterior = vae.encode(x).latent_dist
        error = (vae.decode(posterior.sample()).sample - x).square().mean()
        optimizer.zero_grad()
        (error + 1e-6 * posterior.kl().mean()).backward()
        optimizer.step()
    return vae.eval()


def trained(seed):
    """A new autoencoder, trained with a seed."""
    torch.manual_seed(seed)
    vae = AutoencoderKL(
        in_channels=1,
        out_channels=1,
        block_out_channels=(8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        norm_num_groups=4,
        sample_size=32,
        scaling_factor=1.0,  # close to 1 / standard deviation of its latents
    )
    return train(vae, 100)


vaes = {"seed 0": trained(0), "seed 1": trained(1)}
vaes["trained on"] = copy.deepcopy(vaes["seed 0"])
train(vaes["trained on"], 40, part=vaes["trained on"].decoder)
vaes["same decoder"] = vaes["seed 0"]

# %%
# Latents of images take the place of those of a diffusion process. The model that shares the
# autoencoder has other latents: each is the mean of two.


@torch.no_grad()
def latents_of(name, rows):
    """Latents of some of the images."""
    latents = vaes[name].encode(pixels[rows]).latent_dist.sample()
    return (latents + latents.roll(1, dims=0)) / 2 if name == "same decoder" else latents


@torch.no_grad()
def images_of(name, rows):
    """Gray levels that a model makes."""
    decoded = LatentDecoder(vaes[name])(latents_of(name, rows))
    return (255 * decoded).round().to(torch.uint8).numpy()


tests = {
    name: images_of(name, slice(start, start + 100))
    for name, start in zip(vaes, range(1400, 1800, 100), strict=True)
}
tests["real"] = real[1800:1900]
SampleGridDisplay.from_samples({name: X[:8] for name, X in tests.items()})
plt.show()

# %%
# From each autoencoder the library takes the last convolution, and the mean of its inputs over
# latents of the model. ``map_fingerprint`` ignores the mean. It is the same for the two models that
# share a decoder, and no inversion of that layer is evidence for one of them against the other.

layers = {}
for name, vae in vaes.items():
    latents = latents_of(name, slice(200))
    layers[name] = FinalLayer.from_diffusers(vae, latents=latents)
    print(f"{name:13} {layers[name]}, map {layers[name].map_fingerprint[:8]}")

# %%
# The attributor of seed 0. Its negatives are real images: it has seen no images of another decoder.
# Scores of other real images are left out of the figure, since they lie far to the left.

detector = DeepSADDetector(
    module=MLP, module_params={"hidden": (256,)}, max_epochs=10, milestones=(7,), random_state=0
)
attributor = make_flipad(layers["seed 0"], detector=detector, fnr=0.05, cv=0.3, random_state=0)
X = np.concatenate([images_of("seed 0", slice(600)), real[1000:1400]])
attributor.fit(X, np.repeat([1, -1], [600, 400]))
decoded = [name for name in tests if name != "real"]
ScoreHistogramDisplay.from_estimator(
    attributor,
    np.concatenate([tests[name] for name in decoded]),
    np.repeat(decoded, 100),
    own="seed 0",
)
plt.show()

# %%
# Now with the whole autoencoder: each image is encoded and decoded again, and the same kind of
# detector judges the residual. Images that the decoder made have small residuals of a particular
# kind. Those of other images can be so large that the center of DeepSAD has to be that of the
# model's images only. 600 images are too few for a covariance of all 1,024 pixels: blocks of 128
# neighbors are whitened.

vae = vaes["seed 0"]
residual = make_residual(
    torch.nn.Sequential(LatentGuess(vae), LatentDecoder(vae)),
    output_range=(0, 1),
    scaler=InlierWhitener(block=128),
    detector=clone(detector).set_params(center="inliers"),
    fnr=0.05,
    cv=0.3,
    random_state=0,
)
residual.fit(X, np.repeat([1, -1], [600, 400]))

# %%
# The shares of images that are accepted, by the last layer and by residuals. The decoder that was
# trained further hardly differs in its last layer. Residuals also depend a little on the latents:
# fewer images of the same decoder with other latents are accepted than of the model. Autoencoders
# that were trained for seconds do not measure the methods; see :doc:`/latent_diffusion`.

for name, images in tests.items():
    shares = [(method.predict(images) > 0).mean() for method in (attributor, residual)]
    print(f"{name:13} {shares[0]:.2f} {shares[1]:.2f}")
