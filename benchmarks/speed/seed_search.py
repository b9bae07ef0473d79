"""Seeds a second whose noise is compared with that of suspects, beside drawing the noise alone.

The noise is that of a latent diffusion model of 512x512 images. All is done in the same threads.
The time does not depend on what the suspects are, so that no model is run. Seeds a second of
processor time are those of one core.
"""

import time

import torch

from benchmarks.machine import peak_memory, timed
from benchmarks.options import Option
from sklearn_flipad.base.parallel import in_batches
from sklearn_flipad.generators import TorchNoise
from sklearn_flipad.reproduction import match_seeds

KEYS = ("shape", "n_suspects")
OPTIONS = (
    Option("n_seeds", 50_000, 200, "candidates"),
    Option("shape", (4, 64, 64), (4, 8, 8), "of the noise"),
    Option("suspects", (1, 10, 100), (1, 2), "numbers of suspects", selects=True),
)


def draw_all(draw, n_seeds):
    """Draw the noise of all seeds, and drop it."""

    def draw_some(rows):
        for seed in range(rows.start, rows.stop):
            draw(seed)

    size = 64 * torch.get_num_threads()
    for _ in in_batches(draw_some, n_seeds, batch_size=size, lanes=64, apart=True):
        pass


def on_processors(function, *args, **kwargs):
    """The result of a function, and seconds of wall and of processor time of all threads."""
    start = time.process_time()
    result, seconds = timed(function, *args, **kwargs)
    return result, seconds, time.process_time() - start


def run(options, results):
    """Time the comparison for each number of suspects, with the drawing before it."""
    draw = TorchNoise(options.shape)
    for n_suspects in options.suspects:
        if results.has(list(options.shape), n_suspects):
            continue
        noise = torch.cat([draw(options.n_seeds // 2 + k) for k in range(n_suspects)])
        _, _, drawing = on_processors(draw_all, draw, options.n_seeds)
        found, seconds, processor = on_processors(
            match_seeds, noise, seeds=range(options.n_seeds), draw=draw
        )
        n_found = sum(found.seeds[:, 0] == options.n_seeds // 2 + torch.arange(n_suspects).numpy())
        results.add(
            {
                "shape": list(options.shape),
                "n_suspects": n_suspects,
                "n_seeds": options.n_seeds,
                "found": int(n_found),
                "seeds_per_s": round(options.n_seeds / seconds),
                "seeds_per_processor_s": round(options.n_seeds / processor),
                "drawn_per_processor_s": round(options.n_seeds / drawing),
                "cost": round(processor / drawing, 2),
                "peak_MB": round(peak_memory() / 1e6),
            }
        )
