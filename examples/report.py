"""
From a folder of suspects to a page that can be handed on
=========================================================

The target model is ``fashion/dcgan-0``, and the method is reproduction: the model's own images are
reproduced value by value. Suspects are images of the model, photographs of clothes, images of the
same architecture with another seed, and images of a copy of the model whose weights were changed by
5 %. The script writes the table of verdicts and the report to ``output/report``, and a picture of
the report if Chromium is installed. It takes a few minutes on two cores.

.. image:: /report.png
    :alt: A report: summary, limits, verdicts, two suspects with their reproductions, provenance
"""

# sphinx_gallery_thumbnail_path = "report.png"

# %%
# The suspects are files.

import shutil
import subprocess
from pathlib import Path

import numpy as np
from PIL import Image

from sklearn_flipad import LatentEncoder, make_reproduction, save_attributor
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.evaluation import noisy_copy
from sklearn_flipad.generators import sample
from sklearn_flipad.report import write_report
from sklearn_flipad.scoring import score_files
from sklearn_flipad.zoo import load_pretrained

G = load_pretrained("fashion/dcgan-0")
photographs = load_fashion_sample(1000)
output = Path("output/report")
folder = output / "suspects"
shutil.rmtree(output, ignore_errors=True)
folder.mkdir(parents=True)
suspects = {
    "a": sample(G, 20, random_state=1),
    "b": photographs[-20:],
    "c": sample(load_pretrained("fashion/dcgan-1"), 20, random_state=1),
    "d": sample(noisy_copy(G, 0.05, where="earlier", random_state=0), 20, random_state=1),
}
for name, images in suspects.items():
    for number, image in enumerate(images):
        Image.fromarray(image[0]).save(folder / f"{number:02d}{name}.png")

# %%
# The attributor learns to invert the model from the model's own samples. Half of 1,000 other own
# samples calibrate it, and half of the photographs are the reference population.

encoder = LatentEncoder(max_steps=500, random_state=0).fit(G)
attributor = make_reproduction(G, encoder=encoder, fnr=0.005, random_state=0)
attributor.set_params(detect__reference="photographs of clothes")
X = np.concatenate([sample(G, 1000, random_state=0), photographs[:600]])
attributor.fit(X, np.repeat([1, -1], [1000, 600]))
save_attributor(attributor, output / "model.flipad")

# %%
# With two calls you get from the attributor's file and the folder to the table and the report.

table = score_files(output / "model.flipad", folder, output / "verdicts.csv", mode="L").out
page = write_report(
    table,
    output / "model.flipad",
    output / "report.html",
    model="fashion/dcgan-0",
    max_suspects=2,
    max_files=8,
)
print(f"{page} is {page.stat().st_size:,} bytes large.")

browser = shutil.which("chromium")
if browser:
    options = ["--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=900,2990"]
    picture = f"--screenshot={output / 'report.png'}"
    subprocess.run(
        [browser, *options, picture, page.resolve().as_uri()], check=True, capture_output=True
    )
