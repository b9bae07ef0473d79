"""Small AutoencoderKLs and VQModels, trained as in the papers, but for the adversary."""

import copy
from pathlib import Path

import numpy as np
import torch

from sklearn_flipad.base.randomness import seeded

__all__ = ["CHANNELS", "INVERSE", "QUANTIZED", "TUNED", "autoencoder", "encoded", "unit"]

CHANNELS = (16, 32, 32)
BATCH, RATE = 32, 1e-3
#: Of the divergence from the normal distribution, as in the paper of latent diffusion.
KL_WEIGHT = 1e-6
#: The lower rate at which the decoder of seed 0 is trained on, and the name of that.
RATE_ON, TUNED = 2e-4, "0, decoder trained on"
#: After the name of a VQModel: its encoder is trained on to invert its decoder, for as long again.
INVERSE = ", inverse decoder"
#: Names of VQModels begin with it. Their codebooks have this many vectors; those that no position
#: of a batch uses are replaced, every so many steps of the first half of the training.
QUANTIZED, N_CODES, _EVERY = "VQ ", 256, 50


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


def is_quantized(vae):
    """Whether latents are vectors of a codebook."""
    return hasattr(vae, "quantize")


def unit(images):
    """Gray levels as the encoder takes them, in [-1, 1]."""
    return torch.from_numpy(images.astype(np.float32)) / 127.5 - 1


def reconstruction_loss(vae, x, rng):
    """Squared error of images, and the loss of the latents."""
    if is_quantized(vae):
        decoded, of_latents = vae(x, return_dict=False)
    else:
        posterior = vae.encode(x).latent_dist
        decoded = vae.decode(posterior.sample(generator=rng)).sample
        of_latents = KL_WEIGHT * posterior.kl().mean()
    return (decoded - x).square().mean() + of_latents


def inversion_loss(vae):
    """Loss of an encoder: squared error of the latents of what `vae` makes of them, in 8 bits."""
    original = copy.deepcopy(vae).requires_grad_(False)

    def loss(vae, x, rng):
        latents = original.quantize(original.encode(x).latents)[0]
        made = original.decode(latents, force_not_quantize=True).sample.clamp(-1, 1)
        levels = (127.5 * made + 127.5).round() / 127.5 - 1
        return (vae.encode(levels).latents - latents).square().mean()

    return loss


def train(vae, X, *, n_steps, rate, seed, loss_of=reconstruction_loss, parts=None):
    """Train on images of gray levels, all of it, or `parts` alone."""
    parameters = [p for part in parts or (vae,) for p in part.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=n_steps)
    rng = torch.Generator().manual_seed(seed)
    for step in range(n_steps):
        x = unit(X[torch.randint(len(X), (BATCH,), generator=rng).numpy()])
        if is_quantized(vae) and parts is None and step % _EVERY == 0 and step < n_steps / 2:
            renew_codes(vae, x, rng)
        loss = loss_of(vae, x, rng)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 99:
            print(f"step {step + 1}, loss {loss.item():.2e}", flush=True)
    return vae.eval()


@torch.no_grad()
def renew_codes(vae, x, rng):
    """Put latents of images in the place of vectors of the codebook that these do not use."""
    latents = vae.encode(x).latents.movedim(1, -1).flatten(0, 2)
    codes = vae.quantize.embedding.weight
    unused = torch.ones(len(codes), dtype=bool)
    unused[torch.cdist(latents, codes).argmin(dim=1)] = False
    drawn = torch.randint(len(latents), (int(unused.sum()),), generator=rng)
    codes[unused] = latents[drawn]


@torch.no_grad()
def encoded(vae, images, *, seed, batch_size=100):
    """Latents of images: quantized, or drawn from the encoder's distribution for each."""
    rng = torch.Generator().manual_seed(seed)
    parts = []
    for x in unit(images).split(batch_size):
        found = vae.encode(x)
        if is_quantized(vae):
            parts.append(vae.quantize(found.latents)[0])
        else:
            parts.append(found.latent_dist.sample(generator=rng))
    return torch.cat(parts)


def autoencoder(name, folder, X, *, channels=CHANNELS, n_steps, n_steps_on):
    """The autoencoder of a seed, such as ``"0"`` or ``"VQ 0"``, or one that was trained on.

    It is kept in a folder, and trained on images `X` where it is not there yet: about three minutes
    on one core for 1,500 steps.
    """
    import diffusers

    start, _, further = name.partition(",")
    kind = diffusers.VQModel if name.startswith(QUANTIZED) else diffusers.AutoencoderKL
    suffix = "" if not further else "-inverse" if name.endswith(INVERSE) else "-on"
    path = Path(folder) / f"autoencoder-{start.replace(' ', '-')}{suffix}"
    if not path.exists():
        if further:
            sizes = {"channels": channels, "n_steps": n_steps, "n_steps_on": n_steps_on}
            vae = autoencoder(start, folder, X, **sizes)
            how = {"parts": (vae.decoder,), "n_steps": n_steps_on, "rate": RATE_ON}
            if name.endswith(INVERSE):
                how = {"parts": (vae.encoder, vae.quant_conv), "n_steps": n_steps, "rate": RATE}
                how["loss_of"] = inversion_loss(vae)
            train(vae, X, seed=100, **how)
        else:
            seed = int(start.removeprefix(QUANTIZED))
            codebook = {"num_vq_embeddings": N_CODES} if kind is diffusers.VQModel else {}
            with seeded(seed):
                vae = kind(**config_of(channels), **codebook)
            train(vae, X, n_steps=n_steps, rate=RATE, seed=seed)
            vae.register_to_config(scaling_factor=1 / encoded(vae, X[:1000], seed=0).std().item())
        vae.save_pretrained(path.with_suffix(".part"))
        path.with_suffix(".part").rename(path)
    return kind.from_pretrained(path, local_files_only=True, use_safetensors=True).eval()
