"""Quality of the diffusion networks whose seeds are searched.

The share of sampled values that leave the range, the Fréchet distance of the images to real ones,
and of a network that is told classes, the share of images that a classifier finds to be of theirs.
"""

import numpy as np
import pandas as pd
import torch

from benchmarks.attribution.diffusion import NETWORKS, SAMPLERS, condition_of, sampler_of
from benchmarks.attribution.diffusion import OPTIONS as OF_SEARCH
from benchmarks.data.diffusion import has_classes, sampled
from benchmarks.options import Option, selection
from benchmarks.zoo.quality import fashion_frechet_distance, load_fashion_classifier
from sklearn_flipad.base.gray_levels import from_gray_levels

KEYS = ("sampler", "network", "n")
#: Networks of a sampler, by the sources that have one of their own.
SOURCES = ("own", "copy trained on", "other network")
OPTIONS = (
    Option("n", 2000, 4, "images of each network"),
    *[option for option in OF_SEARCH if option.name in ("n_steps", "n_steps_on", "channels")],
    selection("samplers", SAMPLERS, small=("DDIM 20", "classes, DDIM 20")),
    selection("networks", SOURCES),
)


def of_class(images, labels):
    """Share of images of the class that their network was told."""
    x = torch.from_numpy(from_gray_levels(images, (-1, 1))).float()
    with torch.no_grad():
        found = load_fashion_classifier()(x).argmax(dim=1).numpy()
    return float((found == labels).mean())


def run(options, results):
    """Sample from each network."""
    for sampler in options.samplers:
        name, n_steps = SAMPLERS[sampler]
        for source in options.networks:
            network = NETWORKS[source](name)
            # The other network was trained for one sampler.
            if results.has(sampler, source, options.n) or (
                source == "other network" and name != "0"
            ):
                continue
            condition = condition_of(network, np.arange(options.n))
            of_states = sampler_of(network, n_steps, options, pixels=False)
            images, beyond = sampled(of_states, options.n, **condition)
            row = {"sampler": sampler, "network": source, "n": options.n}
            row |= {"beyond range": beyond, "distance": fashion_frechet_distance(images)}
            if has_classes(network):
                row["of its class"] = of_class(images, condition["class_labels"])
            results.add(row)


def table(rows):
    """The table of the documentation."""
    columns = {"beyond range": 4, "distance": 1, "of its class": 3}
    names = {"distance": "Fréchet distance"}
    shown = pd.DataFrame(rows).reindex(columns=[*KEYS, *columns]).round(columns)
    return shown.rename(columns=names)


TABLES = {"diffusion_networks": table}
