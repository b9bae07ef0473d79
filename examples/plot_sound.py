"""
What features of sound tell, and what they do not
=================================================

Two networks of one architecture that do the same job on the same input make sounds that are hard
to tell apart by ear. This example makes such a pair: two small convolutional networks, trained
here for a few seconds each from different seeds, that raise the sampling rate of chirps. They
stand in for real vocoders, which ``python -m benchmarks sound`` measures; see :doc:`/sound`.
"""

# %%
# The recordings: chirps of half a second with overtones, at 4,000 samples a second. A model gets
# every fourth sample and makes the others.

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.base import clone
from torch import nn

from sklearn_flipad import (
    DeepSADDetector,
    FinalLayer,
    SpectrogramTransformer,
    make_dctpad,
    make_flipad,
    make_residual,
)
from sklearn_flipad.datasets import quantize_audio
from sklearn_flipad.detectors import MLP
from sklearn_flipad.plotting import SampleGridDisplay

RATE, LENGTH, FACTOR = 4000, 2048, 4


def chirps(n, seed):
    """Sounds (n, 1, 2048), as 16-bit WAV files hold them."""
    rng = np.random.default_rng(seed)
    t = np.arange(LENGTH) / RATE
    start, slope = rng.uniform(100, 250, (n, 1)), rng.uniform(-100, 100, (n, 1))
    phase = 2 * np.pi * (start * t + slope * t**2)
    x = sum(0.3 * 0.5**k * np.sin((k + 1) * phase) for k in range(3))
    return quantize_audio((x + 0.003 * rng.standard_normal(x.shape))[:, None])


class Upsampler(nn.Sequential):
    """Convolutions, twice an upsampling by 2, and a convolution at the end."""

    def __init__(self):
        super().__init__(
            nn.Conv1d(1, 32, 9, padding=4),
            nn.LeakyReLU(0.1),
            nn.ConvTranspose1d(32, 32, 8, stride=2, padding=3),
            nn.LeakyReLU(0.1),
            nn.ConvTranspose1d(32, 24, 8, stride=2, padding=3),
            nn.LeakyReLU(0.1),
            nn.Conv1d(24, 1, 7, padding=3),
            nn.Tanh(),
        )


def train(seed, n_steps=200):
    """A model that imitates recordings."""
    torch.manual_seed(seed)
    model, data = Upsampler(), torch.from_numpy(chirps(512, 100 + seed))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(n_steps):
        x = data[torch.randint(len(data), (16,))]
        loss = (model(x[..., ::FACTOR]) - x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


models = {"owner": train(0), "sibling": train(1)}

# %%
# What the owner has: the model, sounds that it made, and recordings as negatives. The suspects are
# new sounds of the owner's model, what the sibling makes of the same input, and recordings.


def made(name, n, seed):
    """What a model makes of recordings, as 16-bit WAV files hold it."""
    with torch.no_grad():
        return quantize_audio(models[name](torch.from_numpy(chirps(n, seed))[..., ::FACTOR]))


X = np.concatenate([made("owner", 400, 0), chirps(100, 1)])
y = np.repeat([1, -1], [400, 100])
suspects = {name: made(name, 100, 2) for name in models} | {"recorded": chirps(100, 4)}
SampleGridDisplay.from_samples(
    {name: sounds[:5] for name, sounds in suspects.items()}, kind="spectrogram"
)
plt.show()

# %%
# The final layer, a convolution of 24 channels to one, is found by running the model. DCTPAD and
# FLIPAD judge windows of 256 samples, so that suspects may have any length. The third method uses
# the whole model. Its input can be read from any suspect, every fourth sample; what the model makes
# of that is taken off, and the mean log spectrum of the rest is judged.


class Again(nn.Module):
    """What a model makes of a sound that may be its own."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(x[..., ::FACTOR])


inputs = chirps(64, 3)[..., ::FACTOR]
layer = FinalLayer.from_generator(
    models["owner"], sampler=lambda n, rng: inputs[rng.choice(len(inputs), n)], n_samples=64
)
detector = DeepSADDetector(
    module=MLP, module_params={"hidden": (64,)}, max_epochs=10, milestones=(7,), random_state=0
)
options = {"detector": detector, "fnr": 0.05, "cv": 0.5, "random_state": 0}
around_own = clone(detector).set_params(center="inliers")
methods = {
    "DCTPAD": make_dctpad(windows=256, **options),
    "FLIPAD": make_flipad(layer, pool_size=4, windows={"size": 256, "max_windows": 4}, **options),
    "residual": make_residual(
        Again(models["owner"]),
        features=SpectrogramTransformer(n_fft=256, average=True, output_range=None),
        difference="samples",
        **{**options, "detector": around_own},
    ),
}
accepted = {}
for method, attributor in methods.items():
    attributor.fit(X, y)
    accepted[method] = [(attributor.predict(sounds) == 1).mean() for sounds in suspects.values()]

# %%
# The share of each source that is called the owner's. Own sounds should be accepted but for the
# false-negative rate of 5 %, all others rejected. The spectra of the windows tell half of the
# recordings, and neither they nor FLIPAD tell the sibling: its spectra are the owner's, and a final
# layer with 24 unknowns for each sample reaches any sound. What the whole model leaves of a sound
# tells all. The real vocoders are alike in that; their input is a spectrogram, which loses the
# phase, so there the log spectra of sound and reconstruction are subtracted instead.

fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
width = 0.25
for k, source in enumerate(suspects):
    shares = [shares[k] for shares in accepted.values()]
    bars = ax.bar(np.arange(len(accepted)) + (k - 1) * width, shares, width, label=source)
    ax.bar_label(bars, fmt="%.2f", fontsize="x-small")
ax.set(ylabel="called the owner's", ylim=(0, 1.1))
ax.set_xticks(range(len(accepted)), accepted)
ax.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()
