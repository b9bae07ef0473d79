"""
Through the skip connections of a StyleGAN2
===========================================

A StyleGAN2 has no final layer of the usual kind: its image is a sum of small images, one from each
resolution, which are upsampled on the way. The library treats this sum as one linear map of all
activations. This example trains two small StyleGAN2 for some seconds, with two seeds, and
attributes images to the first.
"""

# %%
# Adversarial training takes hours. Here each image gets a latent of its own, and the latents are
# learned together with the generator by least squares (Bojanowski et al., "Optimizing the Latent
# Space of Generative Networks", ICML 2018). The samples are ghosts of clothes, which are enough;
# :doc:`/method` has results of two generators that were trained against a discriminator.

import copy
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.base import clone
from sklearn.preprocessing import FunctionTransformer
from torch.nn.functional import mse_loss

from sklearn_flipad import DeepSADDetector, FinalLayer, FinalLayerInverter, make_flipad
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.detectors import MLP
from sklearn_flipad.generators import sample
from sklearn_flipad.plotting import SampleGridDisplay, ScoreHistogramDisplay
from sklearn_flipad.zoo import StyleGAN2Generator

real = load_fashion_sample()
images = torch.from_numpy(real[:1000] / 127.5 - 1).float()


def trained(seed):
    """A StyleGAN2, trained with a seed."""
    torch.manual_seed(seed)
    generator = StyleGAN2Generator(16, 16, (32, 16, 16, 8), 1, n_mapping=2, output="tanh")
    latents = torch.randn(len(images), 16, requires_grad=True)
    optimizer = torch.optim.Adam(
        [{"params": generator.parameters(), "lr": 4e-3}, {"params": latents, "lr": 4e-2}]
    )
    for _ in range(4):
        for rows in torch.randperm(len(images)).split(32):
            loss = mse_loss(generator(latents[rows]), images[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return generator.eval()


models = {f"seed {seed}": trained(seed) for seed in (0, 1)}

# %%
# A third model is a copy of the first in which only the coarsest image, with 4x4 pixels, differs:
# its weights are permuted. Everything before the last convolution is the same in both.

models["coarse image"] = copy.deepcopy(models["seed 0"])
with torch.no_grad():
    weight = models["coarse image"].synthesis.b4.torgb.weight
    weight.copy_(weight[:, torch.randperm(weight.shape[1], generator=torch.manual_seed(0))])
tests = {name: sample(model, 100, random_state=1) for name, model in models.items()}
tests["real"] = real[1500:1600]
SampleGridDisplay.from_samples({name: X[:8] for name, X in tests.items()})
plt.show()

# %%
# Tracing follows the sum into its branches. Each branch has its own activations, and a weight in
# the penalty with which a change of the sample costs about the same in each branch. With a cache
# folder, the inverter solves each image only once in this example.

folder = TemporaryDirectory()
layer = FinalLayer.from_generator(models["seed 0"], random_state=0)
inverter = FinalLayerInverter(layer, lam=1e-3, cache_dir=folder.name)
print(layer)
for shape in layer.branch_shapes:
    print("branch of", "x".join(map(str, shape)))

# %%
# The change of the activations of each branch, from their mean, that gives the images of each
# source, relative to the model's own images.

changes = {}
for name, X in tests.items():
    branches = layer.split(inverter.transform(X) - layer.mean_activation.reshape(1, -1))
    changes[name] = np.array([np.abs(branch).mean() for branch in branches])
for name, change in changes.items():
    print(f"{name:13}", np.round(change / changes["seed 0"], 2))

# %%
# The attributor learns from own and real images. It has seen no other generator.

detector = DeepSADDetector(
    module=MLP, module_params={"hidden": (256,)}, max_epochs=10, milestones=(7,), random_state=0
)
X = np.concatenate([sample(models["seed 0"], 400, random_state=2), real[1000:1300]])
y = np.repeat([1, -1], [400, 300])
attributor = make_flipad(layer, lam=1e-3, detector=detector, fnr=0.05, cv=0.3, random_state=0)
attributor.set_params(invert__cache_dir=folder.name).fit(X, y)

# %%
# The changed copy differs in a branch with 512 of the 13,824 activations, which the detector hardly
# notices. A step that selects this branch makes an attributor of the branch alone.


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
# The shares of images that are accepted, by all branches and by the coarsest.

for name, images in tests.items():
    shares = [(judge.predict(images) > 0).mean() for judge in (attributor, of_branch)]
    print(f"{name:13}", *shares)

# %%
# Each rejects images that the other accepts. :func:`~sklearn_flipad.make_combined` combines several
# attributors into one verdict.

folder.cleanup()
