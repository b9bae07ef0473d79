"""Generators written with their model card and samples, as those of the package are stored."""

import json

import safetensors.torch
import torch

from benchmarks.zoo.sample_files import save_grid, save_rows
from sklearn_flipad.generators.sampling import sample
from sklearn_flipad.storage.files import write_atomically
from sklearn_flipad.zoo.files.cards import build_generator, file_of, floating
from sklearn_flipad.zoo.files.samples import N_SAMPLES

__all__ = ["save_generator"]


def save_generator(generator, card, stem):
    """Write a generator's weights in half precision, its model card and its samples.

    ``card["generator"]`` is the name of a class in :mod:`sklearn_flipad.zoo` and its parameters.
    The samples are those of the weights as saved. Nothing is written before the three files are
    known to belong together.
    """
    weights = floating(generator.state_dict())
    tensors = {name: value.half().contiguous().cpu() for name, value in weights.items()}
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{name} has values that are not finite in half precision.")
    try:
        text = json.dumps(card, indent=1, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise ValueError(f"card must hold JSON values only: {error}.") from error
    saved = build_generator(json.loads(text), tensors, "card", "generator")
    is_table = len(saved.output_shape) == 1
    dtype = "float32" if is_table else "uint8"
    samples = sample(saved, N_SAMPLES, dtype=dtype, random_state=0)

    file_of(stem, ".json").parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file_of(stem, ".safetensors"), safetensors.torch.save(tensors))
    if is_table:
        save_rows(samples, file_of(stem, ".csv"))
    else:
        save_grid(samples, file_of(stem, ".png"))
    write_atomically(file_of(stem, ".json"), text.encode())
