"""
From a model to a proof: reproducing its samples
================================================

With the whole generator you can do more than look for its traces: you can search for the latents
from which it produces a given image, gray level by gray level. This example trains an encoder that
guesses where to start, and searches from there. One of the suspects is a copy of the generator that
no method on the final layer alone can tell from the original.
"""

# %%
# The model, and a copy with 5 % of noise on all weights except those of its final layer.

import matplotlib.pyplot as plt
import numpy as np

from sklearn_flipad import LatentEncoder, make_reproduction
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.evaluation import noisy_copy
from sklearn_flipad.generators import sample
from sklearn_flipad.plotting import DistanceHistogramDisplay, ReproductionDisplay
from sklearn_flipad.zoo import load_pretrained

generator = load_pretrained("fashion/wgan-gp-0")
copy = noisy_copy(generator, 0.05, where="earlier", random_state=0)
suspects = {
    "own": sample(generator, 200, random_state=2),
    "copy": sample(copy, 60, random_state=2),
    "other seed": sample(load_pretrained("fashion/wgan-gp-1"), 100, random_state=2),
    "real": load_fashion_sample(100),
}

# %%
# The encoder is trained on samples that the generator makes during the training, so no data are
# needed. Its guesses are off by tens of gray levels; they only have to be near enough.

encoder = LatentEncoder(max_steps=300).fit(generator)
print(encoder.history_[-1])

# %%
# Fitting learns the distances of own samples after a few steps of the search, so that samples that
# are much farther away are rejected early. The threshold is set with held-out own samples.

attributor = make_reproduction(generator, encoder=encoder, fnr=0.01)
attributor.fit(sample(generator, 500, random_state=1))

# %%
# The results of the search. Nearly all values of an own image are reproduced; the rest is the
# rounding of the file. The search comes within one or two gray levels of the copy's image, with
# differences in smooth patches, and no closer. For all others it gives up early.

few = {"own": 4, "copy": 4, "other seed": 4, "real": 4}
ReproductionDisplay.from_estimator(
    attributor, np.stack([suspects[name][row] for name, row in few.items()]), names=list(few)
)
plt.show()

# %%
# The distances of all suspects. The floor is the error of rounding, ``1 / sqrt(12)`` of a
# gray level. There is a gap between the own samples and everything else.

distances = {name: -attributor.score_samples(X) for name, X in suspects.items()}
DistanceHistogramDisplay.from_predictions(
    np.concatenate(list(distances.values())),
    np.repeat(list(distances), [len(d) for d in distances.values()]),
    threshold=-attributor["detect"].offset_,
    floor=1 / np.sqrt(12),
    own="own",
)
plt.show()

# %%
# The verdicts, and the most direct evidence: the share of identical values.

detector = attributor["detect"].estimator_
for name, X in suspects.items():
    found = detector.reconstruct(X)
    accepted = (-found.distances >= attributor["detect"].offset_).mean()
    print(f"{name:10}  accepted {accepted:.3f}, identical values {np.median(found.equal):.1%}")
