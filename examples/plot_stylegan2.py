"""
Through the skip connections of a StyleGAN2
===========================================

A StyleGAN2 has no final layer of the usual kind: its image is a sum of small images, one from each
resolution, which are upsampled on the way. The library treats this sum as one linear map of all
activations. This example trains two small StyleGAN2 for some seconds, with two seeds, and
attributes images to the first.
"""

# %%
# Four epochs of 1,000 images make only vague clothes, which is enough here; :doc:`/method` has
# results of a longer training.

import copy
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.base import clone
from sklearn.preprocessing import FunctionTransformer
from torch import nn
from torch.nn.functional import softplus

from sklearn_flipad import DeepSADDetector, FinalLayer, FinalLayerInverter, make_flipad
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.detectors import MLP
from sklearn_flipad.generators import sample
from sklearn_flipad.plotting import SampleGridDisplay, ScoreHistogramDisplay
from sklearn_flipad.zoo import StyleGAN2Generator

real = load_fashion_sample()
images = torch.from_numpy(real[:1000] / 127.5 - 1).float()


def trained(seed):
    """Train a StyleGAN2 against a small discriminator."""
    torch.manual_seed(seed)
    generator = StyleGAN2Generator(16, 16, (32, 16, 16, 8), 1, n_mapping=2, output="tanh")
    discriminator = nn.Sequential(
        *(nn.Conv2d(1, 16, 4, 2, 1), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(16, 32, 4, 2, 1), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(32, 64, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(64, 1, 4)),
    )
    options = {"lr": 2e-3, "betas": (0.0, 0.99)}
    for_generator = torch.optim.Adam(generator.parameters(), **options)
    for_discriminator = torch.optim.Adam(discriminator.parameters(), **options)
    for _ in range(4):
        for rows in torch.randperm(len(images)).split(32):
            fake = generator(torch.randn(len(rows), 16))
            loss = softplus(discriminator(fake.detach())) + softplus(-discriminator(images[rows]))
            for_discriminator.zero_grad()
            loss.mean().backward()
            for_discriminator.step()
            for_generator.zero_grad()
            softplus(-discriminator(fake)).mean().backward()
            for_generator.step()
    return generator.eval()


models = {f"seed {seed}": trained(seed) for seed in (0, 1)}

# %%
# A third model is a copy of the first in which only the coarsest image was changed, that of 4x4
# pixels: its weights are permuted. What comes before the last convolution is the same in both.

models["coarse image"] = copy.deepcopy(models["seed 0"])
with torch.no_grad():
    weight = models["coarse image"].synthesis.b4.torgb.weight
    weight.copy_(weight[:, torch.randperm(weight.shape[1], generator=torch.manual_seed(0))])
tests = {name: sample(model, 100, random_state=1) for name, model in models.items()}
tests["real"] = real[1500:1600]
SampleGridDisplay.from_samples({name: X[:8] for name, X in tests.items()})
plt.show()

# %%
# Tracing follows the sum into its branches. Each has activations of its own, and a weight in the
# penalty that makes a change of the sample cost about as much in one branch as in another. With a
# folder for its results, the inverter solves each image once in this example.

folder = TemporaryDirectory()
layer = FinalLayer.from_generator(models["seed 0"], random_state=0)
inverter = FinalLayerInverter(layer, lam=1e-3, cache_dir=folder.name)
print(layer)
for shape in layer.branch_shapes:
    print("branch of", "x".join(map(str, shape)))

# %%
# How much the activations of each branch have to change from their mean to give the images of
# each source, relative to the model's own images.

changes = {}
for name, X in tests.items():
    branches = layer.split(inverter.transform(X) - layer.mean_activation.reshape(1, -1))
    changes[name] = np.array([np.abs(branch).mean() for branch in branches])
for name, change in changes.items():
    print(f"{name:13}", np.round(change / changes["seed 0"], 2))

# %%
# The attributor learns from own images and real ones. It has seen no other generator.

detector = DeepSADDetector(
    module=MLP, module_params={"hidden": (256,)}, max_epochs=10, milestones=(7,), random_state=0
)
X = np.concatenate([sample(models["seed 0"], 400, random_state=2), real[1000:1300]])
y = np.repeat([1, -1], [400, 300])
attributor = make_flipad(layer, lam=1e-3, detector=detector, fnr=0.05, cv=0.3, random_state=0)
attributor.set_params(invert__cache_dir=folder.name).fit(X, y)

# %%
# The changed copy differs in a branch of 512 of the 13,824 activations, and the detector hardly
# sees it. A step that selects a branch makes an attributor of that branch alone.


def coarsest(activations):
    """Activations of the first branch, one row for each sample."""
    return layer.split(activations)[0].reshape(len(activations), -1)


of_branch = clone(attributor)
of_branch.steps.insert(1, ("select", FunctionTransformer(coarsest)))
of_branch.fit(X, y)
generated = [name for name in tests if name != "real"]
suspects = np.concatenate([tests[name] for name in generated])
sources = np.repeat(generated, 100)
_, axes = plt.subplots(1, 2, figsize=(10, 4))
for ax, title, judge in zip(
    axes, ("all branches", "coarsest branch"), (attributor, of_branch), strict=True
):
    ScoreHistogramDisplay.from_estimator(judge, suspects, sources, own="seed 0", ax=ax)
    ax.set_title(title)
plt.show()

# %%
# The shares that are accepted, by all branches and by the coarsest.

for name, images in tests.items():
    shares = [(judge.predict(images) > 0).mean() for judge in (attributor, of_branch)]
    print(f"{name:13}", *shares)

# %%
# Each rejects what the other accepts. :func:`~sklearn_flipad.make_combined` makes one verdict of
# several attributors.

folder.cleanup()
