"""Train the shipped diffusion model, and write it: ``python -m benchmarks.zoo.diffusion_model``.

It is the network of seed 0 of ``python -m benchmarks diffusion``. Its card has the share of sampled
values that leave the range, and the Fréchet distance of its images by DDIM of 50 steps.
"""

import argparse
import json
from datetime import date
from pathlib import Path

import numpy as np
import torch

from benchmarks.data.diffusion import BATCH, DECAY, RATE, ddim_scheduler, diffusion_network
from benchmarks.zoo.quality import fashion_frechet_distance, frechet_entry
from benchmarks.zoo.sample_files import save_grid
from sklearn_flipad.base.gray_levels import to_gray_levels
from sklearn_flipad.datasets import load_fashion_mnist
from sklearn_flipad.generators import DiffusionSampler, TorchNoise
from sklearn_flipad.storage.files import write_atomically
from sklearn_flipad.zoo.diffusion import FOLDER
from sklearn_flipad.zoo.files.samples import N_SAMPLES

N_STEPS, N_STEPS_SAMPLED, _PART = 8000, 50, 200


def pipeline_of(network):
    """The pipeline of a network that predicts velocities; it clips nothing."""
    from diffusers import DDIMPipeline, UNet2DModel

    # Without the folder that the network was loaded from.
    config = {key: value for key, value in network.config.items() if not key.startswith("_")}
    fresh = UNet2DModel(**config)
    fresh.load_state_dict(network.state_dict())
    return DDIMPipeline(fresh.eval(), ddim_scheduler())


def quality_of(pipeline, n_samples):
    """Images of the seeds from 0 on, gray levels, and what the card says of them."""
    # Before pixels are clipped.
    sampler = DiffusionSampler(
        pipeline.unet, pipeline.scheduler, n_steps=N_STEPS_SAMPLED, pixels=False
    )
    draw, images, beyond = TorchNoise(sampler.latent_shape), [], []
    for start in range(0, n_samples, _PART):
        noise = np.concatenate([draw(k) for k in range(start, min(start + _PART, n_samples))])
        x = sampler.run(noise)
        beyond.append((np.abs(x) > 1).mean(axis=(1, 2, 3)))
        images.append(to_gray_levels(x, (-1, 1)))
    images = np.concatenate(images)
    n_test = len(load_fashion_mnist("test"))
    of_training = fashion_frechet_distance(load_fashion_mnist("train")[:n_test])
    return images, {
        "beyond_range": round(float(np.concatenate(beyond).mean()), 4),
        "frechet_distance": frechet_entry(images, of_training),
    }


def main(argv=None):
    """Train the network where it is not in the folder of work yet, and write the model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the model")
    parser.add_argument("--work", default="output/work", help="folder of the trained network")
    parser.add_argument("--n-steps", type=int, default=N_STEPS, help="steps of the training")
    parser.add_argument("--n-samples", type=int, default=2000, help="images that are measured")
    args = parser.parse_args(argv)
    network = diffusion_network("0", args.work, n_steps=args.n_steps, n_steps_on=1)
    pipeline = pipeline_of(network)
    pipeline.save_pretrained(args.out)
    images, quality = quality_of(pipeline, args.n_samples)
    save_grid(images[:N_SAMPLES], args.out / "samples.png")
    card = {
        "name": "fashion/ddim",
        "training": {"n_steps": args.n_steps, "batch": BATCH, "rate": RATE, "decay": DECAY},
        "seed": 0,
        "data": "Fashion-MNIST train split, 60000 images, padded to 32x32, contrast 0.75",
        "command": "python -m benchmarks.zoo.diffusion_model",
        "torch": torch.__version__,
        "date": f"{date.today()}",
        "sampler": f"DDIM of {N_STEPS_SAMPLED} steps, seeds from 0 on",
        **quality,
    }
    write_atomically(args.out / "card.json", (json.dumps(card, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
