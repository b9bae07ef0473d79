"""
From a model to a proof: reproducing its samples
================================================

Whoever holds a whole generator can do more than look for signs of it: search for the latents
that make it produce a given image, gray level by gray level. This example trains an encoder that
guesses where to start, searches from there, and meets a copy of the generator that no method
which knows the final layer alone can tell from the original.
"""

# %%
# The model, and a copy with noise of 5 % on all weights but those of its final layer.

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
# The encoder is trained on samples that the generator makes on the way, so there is no data to
# collect. Its guesses are far off, tens of gray levels; they only have to be near enough.

encoder = LatentEncoder(max_steps=300).fit(generator)
print(encoder.history_[-1])

# %%
# Fitting learns from own samples how far they are after a few trials, so that what is much
# farther is rejected early, and places the threshold on held-out own samples.

attributor = make_reproduction(generator, encoder=encoder, fnr=0.01)
attributor.fit(sample(generator, 500, random_state=1))

# %%
# What the search found. An own image comes back with nearly all of its values identical; what is
# left is the rounding of the file. The copy's image is approached to one or two gray levels, in
# smooth patches: the search bends the latents as far as it can, and no farther. For all others it
# gives up early.

few = {"own": 4, "copy": 4, "other seed": 4, "real": 4}
ReproductionDisplay.from_estimator(
    attributor, np.stack([suspects[name][row] for name, row in few.items()]), names=list(few)
)
plt.show()

# %%
# The distances of all. The floor is the error of rounding itself, ``1 / sqrt(12)`` of a
# gray level. Between the own samples and everything else there is a gap.

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
# The verdicts, and the plainest evidence there is: the share of values that are identical.

detector = attributor["detect"].estimator_
for name, X in suspects.items():
    found = detector.reconstruct(X)
    accepted = (-found.distances >= attributor["detect"].offset_).mean()
    print(f"{name:10}  accepted {accepted:.3f}, identical values {np.median(found.equal):.1%}")
