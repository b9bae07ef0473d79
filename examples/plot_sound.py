"""
Strengths and limits of features of sound
=========================================

Two networks of one architecture with the same task and input make sounds that are hard to tell
apart by ear. This example trains such a pair: two small convolutional networks, trained for a few
seconds each with different seeds, that increase the sampling rate of chirps. They stand in for real
vocoders, which ``python -m benchmarks sound`` measures; see :doc:`/sound`.
"""

# %%
# The recordings: chirps of half a second with overtones, at 4,000 samples per second. A model gets
# every fourth sample and generates the others.

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
    """Sounds (n, 1, 2048), rounded as in 16-bit WAV files."""
    rng = np.random.default_rng(seed)
    t = np.arange(LENGTH) / RATE
    start, slope = rng.uniform(100, 250, (n, 1)), rng.uniform(-100, 100, (n, 1))
    phase = 2 * np.pi * (start * t + slope * t**2)
    x = sum(0.3 * 0.5**k * np.sin((k + 1) * phase) for k in range(3))
    return quantize_audio((x + 0.003 * rng.standard_normal(x.shape))[:, None])


class Upsampler(nn.Sequential):
    """Convolutions, two of them with upsampling by 2."""

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
    """A model that is trained to imitate recordings."""
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
# The owner has the model, sounds that it made, and recordings as negatives. The suspects are new
# sounds of the owner's model, the sibling's outputs for the same input, and recordings.


def made(name, n, seed):
    """Outputs of a model for recordings, rounded as in 16-bit WAV files."""
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
# The final layer, a convolution from 24 channels to one, is found by running the model. DCTPAD and
# FLIPAD judge windows of 256 samples, so suspects may have any length. The third method uses the
# whole model. Its input is every fourth sample of a suspect. The model's output for this input is
# subtracted from the suspect, and the mean log spectrum of the residual is judged.


class Again(nn.Module):
    """Reconstruct a sound from every fourth sample."""

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
# The share of each source that is attributed to the owner. Own sounds should be accepted except for
# the false-negative rate of 5 %, and all others rejected. The spectra of the windows reject half of
# the recordings, and neither they nor FLIPAD reject the sibling: its spectra are those of the
# owner, and a final layer with 24 unknowns for each sample can produce any sound. The residual of
# the whole model rejects all others. This is the same for real vocoders. Their input is a
# spectrogram, which has no phase, so there the log spectra of sound and reconstruction are
# subtracted instead.

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
