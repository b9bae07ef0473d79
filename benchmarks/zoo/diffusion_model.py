"""Train the shipped diffusion model, and write it: ``python -m benchmarks.zoo.diffusion_model``.

It is the network of seed 0 of ``python -m benchmarks diffusion``. Its card has the share of sampled
values that leave the range, and the Fréchet distance of its images by DDIM of 50 steps.
"""

import argparse
import json
from datetime import date
from pathlib import Path

import torch

from benchmarks.data.diffusion import (
    BATCH,
    DECAY,
    RATE,
    ddim_scheduler,
    diffusion_network,
    sampled,
)
from benchmarks.zoo.quality import fashion_frechet_distance, frechet_entry
from benchmarks.zoo.sample_files import save_grid
from sklearn_flipad.datasets import load_fashion_mnist
from sklearn_flipad.generators import DiffusionSampler
from sklearn_flipad.storage.files import write_atomically
from sklearn_flipad.zoo.diffusion import FOLDER
from sklearn_flipad.zoo.files.samples import N_SAMPLES

N_STEPS, N_STEPS_SAMPLED = 8000, 50


def pipeline_of(network):
    """The pipeline of a network that predicts velocities; it clips nothing."""
    from diffusers import DDIMPipeline, UNet2DModel

    # Without the folder that the network was loaded from.
    config = {key: value for key, value in network.config.items() if not key.startswith("_")}
    fresh = UNet2DModel(**config)
    fresh.load_state_dict(network.state_dict())
    return DDIMPipeline(fresh.eval(), ddim_scheduler())


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
    sampler = DiffusionSampler(
        pipeline.unet, pipeline.scheduler, n_steps=N_STEPS_SAMPLED, pixels=False
    )
    images, beyond = sampled(sampler, args.n_samples)
    n_test = len(load_fashion_mnist("test"))
    of_training = fashion_frechet_distance(load_fashion_mnist("train")[:n_test])
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
        "beyond_range": round(beyond, 4),
        "frechet_distance": frechet_entry(images, of_training),
    }
    write_atomically(args.out / "card.json", (json.dumps(card, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
