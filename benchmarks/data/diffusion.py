"""Small diffusion networks of Fashion-MNIST at 16x16."""

import copy
from pathlib import Path

import numpy as np
import torch

from sklearn_flipad.base.randomness import seeded
from sklearn_flipad.datasets import load_fashion_sample

__all__ = ["TUNED", "diffusion_network", "small_images"]

#: Name of the copy of the network of seed 0 that is trained on, and its rate.
TUNED, RATE_ON = "0, trained on", 1e-4
BATCH, RATE, CHANNELS = 32, 2e-3, (32, 64)
#: Of the running mean of the weights, which is what samples are made with.
DECAY = 0.99


def small_images(n=None):
    """Shipped real images, halved, in gray levels of shape (n, 1, 16, 16)."""
    images = load_fashion_sample(n).astype(np.float64)
    return np.rint(images.reshape(-1, 1, 16, 2, 16, 2).mean(axis=(3, 5))).astype(np.uint8)


def train(network, X, *, n_steps, rate, seed):
    """Train to predict the noise, and return the network with the running mean of the weights."""
    from diffusers import DDIMScheduler

    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=n_steps)
    rng, noising = torch.Generator().manual_seed(seed), DDIMScheduler()
    mean = copy.deepcopy(network)
    x = torch.from_numpy(X.astype(np.float32)) / 127.5 - 1
    for step in range(n_steps):
        clean = x[torch.randint(len(x), (BATCH,), generator=rng)]
        noise = torch.randn(clean.shape, generator=rng)
        t = torch.randint(1000, (BATCH,), generator=rng)
        loss = (network(noising.add_noise(clean, noise, t), t).sample - noise).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            for kept, new in zip(mean.parameters(), network.parameters(), strict=True):
                kept.lerp_(new, 1 - DECAY)
        if step % 200 == 199:
            print(f"step {step + 1}, loss {loss.item():.2e}", flush=True)
    return mean.eval()


def diffusion_network(name, folder, *, channels=CHANNELS, n_steps, n_steps_on):
    """The network of a seed, such as ``"0"``, or `TUNED`; kept in a folder, trained if missing."""
    from diffusers import UNet2DModel

    path = Path(folder) / f"diffusion-{name.partition(',')[0]}{'-on' * (name == TUNED)}"
    if not path.exists():
        if name == TUNED:
            start = diffusion_network(
                "0", folder, channels=channels, n_steps=n_steps, n_steps_on=n_steps_on
            )
            network = train(start, small_images(), n_steps=n_steps_on, rate=RATE_ON, seed=100)
        else:
            with seeded(int(name)):
                network = UNet2DModel(
                    sample_size=16,
                    in_channels=1,
                    out_channels=1,
                    block_out_channels=channels,
                    down_block_types=("DownBlock2D",) * 2,
                    up_block_types=("UpBlock2D",) * 2,
                    layers_per_block=1,
                    norm_num_groups=channels[0] // 4,
                )
            network = train(network, small_images(), n_steps=n_steps, rate=RATE, seed=int(name))
        network.save_pretrained(path.with_suffix(".part"))
        path.with_suffix(".part").rename(path)
    options = {"local_files_only": True, "use_safetensors": True, "low_cpu_mem_usage": False}
    return UNet2DModel.from_pretrained(path, **options).eval()
