"""Small diffusion networks of Fashion-MNIST at 32x32."""

import copy
from pathlib import Path

import numpy as np
import torch
from sklearn.utils import gen_batches

from sklearn_flipad.base.gray_levels import to_gray_levels
from sklearn_flipad.base.randomness import seeded
from sklearn_flipad.datasets import load_fashion_mnist
from sklearn_flipad.generators import TorchNoise
from sklearn_flipad.storage.files import write_atomically

__all__ = [
    "CHANNELS",
    "N_CLASSES",
    "ddim_scheduler",
    "diffusion_network",
    "has_classes",
    "is_flow",
    "sampled",
]

#: Kinds of garment.
N_CLASSES = 10

#: Rates, the second one of what is trained on.
RATE, RATE_ON = 2e-3, 1e-4
BATCH, CHANNELS = 32, (16, 32, 64)
#: Of the running mean of the weights, which is what samples are made with.
DECAY = 0.999
#: Steps between two checkpoints.
_EVERY = 250
#: Images that are sampled at a time.
_PART = 200


def is_flow(name):
    """Whether the output of the network of a name is the velocity of flow matching."""
    return "flow" in name.split(", ")


def has_classes(name):
    """Whether the network of a name is called with the class of each image."""
    return "classes" in name.split(", ")


def ddim_scheduler():
    """The scheduler of networks that are not for flow matching; it clips nothing."""
    from diffusers import DDIMScheduler

    return DDIMScheduler(prediction_type="v_prediction", clip_sample=False)


def noised(clean, noise, rng, name):
    """States at random levels, their times, and what the network is to predict."""
    if is_flow(name):
        t = torch.rand(len(clean), generator=rng)
        level = t[:, None, None, None]
        return (1 - level) * clean + level * noise, 1000 * t, noise - clean
    scheduler = ddim_scheduler()
    t = torch.randint(1000, (len(clean),), generator=rng)
    return scheduler.add_noise(clean, noise, t), t, scheduler.get_velocity(clean, noise, t)


def train(network, X, y, *, name, n_steps, rate, path):
    """Train, from the last checkpoint on; return the network with the running mean of weights."""
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=n_steps)
    rng, mean, start = torch.Generator().manual_seed(0), copy.deepcopy(network), 0
    parts = {"network": network, "mean": mean, "optimizer": optimizer, "schedule": schedule}
    if path.exists():
        kept = torch.load(path, weights_only=True)
        start = kept["step"]
        rng.set_state(kept["rng"])
        for key, part in parts.items():
            part.load_state_dict(kept[key])
    x, labels = torch.from_numpy(X), torch.from_numpy(y).long()
    for step in range(start, n_steps):
        rows = torch.randint(len(x), (BATCH,), generator=rng)
        clean = x[rows].float() / 127.5 - 1
        noise = torch.randn(clean.shape, generator=rng)
        state, t, target = noised(clean, noise, rng, name)
        known = {"class_labels": labels[rows]} if has_classes(name) else {}
        loss = (network(state, t, **known).sample - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            # From few steps, a mean of few.
            decay = min(DECAY, step / (step + 10))
            for kept, new in zip(mean.parameters(), network.parameters(), strict=True):
                kept.lerp_(new, 1 - decay)
        if step % _EVERY == _EVERY - 1:
            print(f"step {step + 1}, loss {loss.item():.2e}", flush=True)
            state = {key: part.state_dict() for key, part in parts.items()}
            state.update(step=step + 1, rng=rng.get_state())
            write_atomically(path, lambda file, state=state: torch.save(state, file))
    path.unlink(missing_ok=True)
    return mean.eval()


def with_classes(network):
    """The network with an embedding of the class, which does nothing yet."""
    fresh = type(network).from_config({**network.config, "num_class_embeds": N_CLASSES})
    torch.nn.init.zeros_(fresh.class_embedding.weight)
    fresh.load_state_dict({**fresh.state_dict(), **network.state_dict()})
    return fresh


def diffusion_network(name, folder, *, channels=CHANNELS, n_steps, n_steps_on):
    """The network of a seed, ``"0"``, or of one that starts from another; trained if it is missing.

    ``"0, trained on"`` starts from that of seed 0, and so does ``"0, flow"``, whose output is the
    velocity of flow matching, and ``"0, classes"``, which is told the class and trained for half of
    the steps. Other networks but ``"0"`` are trained for an eighth of them.
    """
    from diffusers import UNet2DModel

    begun, _, kind = name.rpartition(", ")
    path = Path(folder) / "-".join(["diffusion", *name.replace(",", "").split()])
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        sizes = {"channels": channels, "n_steps": n_steps, "n_steps_on": n_steps_on}
        if begun:
            network = diffusion_network(begun, folder, **sizes)
            if kind == "classes":
                network = with_classes(network)
        else:
            with seeded(int(name)):
                network = UNet2DModel(
                    sample_size=32,
                    in_channels=1,
                    out_channels=1,
                    block_out_channels=channels,
                    down_block_types=("DownBlock2D",) * len(channels),
                    up_block_types=("UpBlock2D",) * len(channels),
                    layers_per_block=1,
                    norm_num_groups=channels[0] // 4,
                )
        steps = {"trained on": n_steps_on, "0": n_steps, "classes": n_steps // 2}
        network = train(
            network.train(),
            *load_fashion_mnist("train", return_X_y=True),
            name=name,
            n_steps=max(2, steps.get(kind, n_steps // 8)),
            rate={"trained on": RATE_ON, "flow": RATE / 4, "classes": RATE / 4}.get(kind, RATE),
            path=path.with_suffix(".training"),
        )
        network.save_pretrained(path.with_suffix(".part"))
        path.with_suffix(".part").rename(path)
    options = {"local_files_only": True, "use_safetensors": True, "low_cpu_mem_usage": False}
    return UNet2DModel.from_pretrained(path, **options).eval()


def sampled(sampler, n, **condition):
    """Gray levels of the seeds from 0 on, and the share of values that left the range.

    The sampler returns states, so that nothing is clipped.
    """
    draw, images, beyond = TorchNoise(sampler.latent_shape), [], []
    for rows in gen_batches(n, _PART):
        noise = np.concatenate([draw(k) for k in range(rows.start, rows.stop)])
        x = sampler.run(noise, **{name: value[rows] for name, value in condition.items()})
        images.append(to_gray_levels(x, (-1, 1)))
        beyond.append(np.abs(x).reshape(len(x), -1) > 1)
    return np.concatenate(images), float(np.concatenate(beyond).mean())
