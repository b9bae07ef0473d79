"""
Which of several models made it, or none of them?
=================================================

:class:`~sklearn_flipad.OpenSetAttributor` has one attributor for each of several models and
returns the set of models that cannot be excluded. An empty set means that none of them made the
sample; a set of several means that the attributors cannot tell which one did.
"""

# %%
# Four shipped generators, two of which differ only in their seed. For each, samples of the other
# models and real images are the negatives.

import matplotlib.pyplot as plt
import numpy as np

from sklearn_flipad import DeepSADDetector, OpenSetAttributor, make_whitened
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.detectors import MLP
from sklearn_flipad.generators import sample
from sklearn_flipad.plotting import PredictionSetDisplay
from sklearn_flipad.zoo import load_pretrained

models = [f"fashion/{name}" for name in ("dcgan-0", "dcgan-1", "ebgan-0", "wgan-gp-0")]
real = load_fashion_sample(1000)
X = np.concatenate([*(sample(load_pretrained(name), 1800, random_state=0) for name in models)])
X, y = np.concatenate([X, real[:500]]), np.repeat([*models, "other"], [1800] * 4 + [500])

# %%
# All models have the same method here, but methods may differ. The false-negative rate of 1 % holds
# for each model: 1 % of its own samples are expected to have a set without it.

detector = DeepSADDetector(
    module=MLP, module_params={"hidden": (256,)}, max_epochs=8, milestones=(6,), random_state=0
)
part = make_whitened(detector=detector, fnr=0.01, random_state=0)
attributor = OpenSetAttributor([(name, part) for name in models]).fit(X, y)

# %%
# Fresh samples of the four models, real images, and samples of two generators that no
# attributor has seen: another architecture, and a third seed of a listed architecture.

unseen = ["fashion/lsgan-0", "fashion/dcgan-2"]
tests = {name: sample(load_pretrained(name), 300, random_state=1) for name in [*models, *unseen]}
tests["real"] = real[500:800]
suspects, source = np.concatenate([*tests.values()]), np.repeat([*tests], 300)
evidence = attributor.evidence(suspects)
PredictionSetDisplay.from_evidence(evidence, source)
plt.show()

# %%
# One suspect of each source. ``prediction`` is the model in the set with the largest p-value, or
# ``other`` if the set is empty.

first = [np.flatnonzero(source == name)[0] for name in tests]
table = evidence.to_frame(index=source).iloc[first].round(3)
print(table.drop(columns="set").to_string())
