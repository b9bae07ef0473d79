"""
Inside the inversion
====================

FLIPAD estimates the activations that a sample would have had before the generator's
final layer. This example follows single samples through the inversion and back: the
generator's own, real images, and those of another generator.
"""

# %%
# A shipped generator, its final layer, and 100 images of each source. There are two draws
# of own images, to show how large differences by chance are.

import matplotlib.pyplot as plt
import numpy as np

from sklearn_flipad import FinalLayer, FinalLayerInverter
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.generators import sample
from sklearn_flipad.plotting import FeatureMapDisplay, InversionDisplay
from sklearn_flipad.zoo import load_pretrained

generator = load_pretrained("fashion/dcgan-0")
layer = FinalLayer.from_generator(generator, n_samples=1000, random_state=0)
images = {
    "own": sample(generator, 100, random_state=1),
    "own, again": sample(generator, 100, random_state=2),
    "real": load_fashion_sample(100),
    "lsgan-0": sample(load_pretrained("fashion/lsgan-0"), 100, random_state=1),
}
inverter = FinalLayerInverter(layer, lam=1e-3)

# %%
# A few of them. The reconstruction maps the estimated activations through the layer; the
# residual is the difference, on the scale where images span [-1, 1].

few = [images["own"][:2], images["real"][:1], images["lsgan-0"][:2]]
names = np.repeat(["own", "real", "lsgan-0"], [2, 1, 2])
InversionDisplay.from_estimator(inverter, np.concatenate(few), names)
plt.show()

# %%
# The layer reconstructs other images as well as its own. It has 8,192 activations for
# 1,024 pixels, so it can produce the images of all sources. The error of the
# reconstruction, far below one gray level, is not evidence for the source of an image.
# Neither is the mean size of the change.

changes = {}
for name, X in images.items():
    activations = inverter.invert(X).activations
    gray_levels = (inverter.inverse_transform(activations) + 1) * 127.5
    error = np.sqrt(((X - gray_levels) ** 2).mean())
    changes[name] = np.abs(activations - layer.mean_activation)
    print(f"{name:10}  error {error:.3f} gray levels, mean change {changes[name].mean():.3f}")

# %%
# The sources differ in which activations have to change. A single image hardly shows it,
# because the change depends mostly on its content. Averages of the absolute change show it,
# here in the channels where they differ most between the sources. For images of the other
# generator, activations along the right border have to change more than for own images. Real
# images, whose background is a single gray level, need less change outside of the clothes.
# The two draws of own images show how much of the rest is chance. FLIPAD's detector gets all
# activations, and learns how to weigh them.

FeatureMapDisplay.from_features(
    np.concatenate(list(changes.values())), np.repeat(list(changes), 100), channels=3
)
plt.show()
