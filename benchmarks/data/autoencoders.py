"""Small AutoencoderKLs, trained as those of latent diffusion are, but for the adversary."""

from pathlib import Path

import numpy as np
import torch

from sklearn_flipad.base.randomness import seeded

__all__ = ["CHANNELS", "TUNED", "autoencoder", "encoded"]

CHANNELS = (16, 32, 32)
BATCH, RATE = 32, 1e-3
#: Of the divergence from the normal distribution, as in the paper of latent diffusion.
KL_WEIGHT = 1e-6
#: The lower rate at which the decoder of seed 0 is trained on, and the name of that.
RATE_ON, TUNED = 2e-4, "0, decoder trained on"


def config_of(channels):
    """The architecture of Stable Diffusion's, narrower and with two reductions instead of three."""
    return {
        "in_channels": 1,
        "out_channels": 1,
        "block_out_channels": channels,
        "down_block_types": ("DownEncoderBlock2D",) * 3,
        "up_block_types": ("UpDecoderBlock2D",) * 3,
        "layers_per_block": 1,
        "norm_num_groups": channels[0] // 2,
        "latent_channels": 4,
        "sample_size": 32,
    }


def unit(images):
    """Gray levels as the encoder takes them, in [-1, 1]."""
    return torch.from_numpy(images.astype(np.float32)) / 127.5 - 1


def train(vae, X, *, n_steps, rate, seed, decoder_only=False):
    """Train on images of gray levels: squared error and divergence of the latents."""
    part = vae.decoder if decoder_only else vae
    optimizer = torch.optim.Adam(part.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=n_steps)
    rng = torch.Generator().manual_seed(seed)
    for step in range(n_steps):
        x = unit(X[torch.randint(len(X), (BATCH,), generator=rng).numpy()])
        posterior = vae.encode(x).latent_dist
        decoded = vae.decode(posterior.sample(generator=rng)).sample
        loss = (decoded - x).square().mean() + KL_WEIGHT * posterior.kl().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 99:
            print(f"step {step + 1}, loss {loss.item():.2e}", flush=True)
    return vae.eval()


def encoded(vae, images, *, seed, batch_size=100):
    """Latents of images, drawn from the distribution that the encoder has for each."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        parts = [
            vae.encode(x).latent_dist.sample(generator=rng) for x in unit(images).split(batch_size)
        ]
    return torch.cat(parts)


def autoencoder(name, folder, X, *, channels=CHANNELS, n_steps, n_steps_on):
    """The autoencoder of a seed, ``"0"``, ``"1"``, ``"2"``, or `TUNED`.

    It is kept in a folder, and trained on images `X` where it is not there yet: about ten minutes
    on one core for 1,500 steps.
    """
    from diffusers import AutoencoderKL

    path = Path(folder) / f"autoencoder-{name.partition(',')[0]}{'-on' * (name == TUNED)}"
    if not path.exists():
        if name == TUNED:
            sizes = {"channels": channels, "n_steps": n_steps, "n_steps_on": n_steps_on}
            vae = autoencoder("0", folder, X, **sizes)
            train(vae, X, n_steps=n_steps_on, rate=RATE_ON, seed=100, decoder_only=True)
        else:
            with seeded(int(name)):
                vae = AutoencoderKL(**config_of(channels))
            train(vae, X, n_steps=n_steps, rate=RATE, seed=int(name))
            vae.register_to_config(scaling_factor=1 / encoded(vae, X[:1000], seed=0).std().item())
        vae.save_pretrained(path.with_suffix(".part"))
        path.with_suffix(".part").rename(path)
    return AutoencoderKL.from_pretrained(path, local_files_only=True, use_safetensors=True).eval()
