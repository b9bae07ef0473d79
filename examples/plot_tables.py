"""
Which synthesizer made this table?
==================================

The owner of a table synthesizer finds tables of unknown origin. One row says little; a hundred
rows say a lot. The owner has a KL-WGAN that was trained on red wines. The other tables are of the
same kind: from the same network with another seed, from a Gaussian copula of SDV that was fitted
to the same wines, and the wines themselves.
"""

# %%
# A real table has rounded columns in their own units. The preparer is fitted to the generator's
# training table, and rounds the generator's rows in the same way; otherwise their digits alone
# would give them away.

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from sklearn_flipad import make_posterior
from sklearn_flipad.calibration import rank_sum_p_value, simes_p_value
from sklearn_flipad.datasets import load_redwine
from sklearn_flipad.generators import sample
from sklearn_flipad.plotting import ScoreHistogramDisplay
from sklearn_flipad.tabular import TablePreparer, for_tables, sample_sdv
from sklearn_flipad.zoo import load_pretrained

wine = load_redwine()
preparer = TablePreparer(decimals={"density": 4}).fit(wine)
generator = load_pretrained("redwine/kl-wgan-0")


def table_of(name, n, seed):
    """Rows of a shipped generator, in the units of the wines."""
    rows = sample(load_pretrained(name), n, dtype="float32", random_state=seed)
    return preparer.inverse_transform(rows)


table_of("redwine/kl-wgan-0", 3, 0)

# %%
# The suspects. SDV's copula is fitted in a moment.

from sdv.metadata import Metadata  # noqa: E402
from sdv.single_table import GaussianCopulaSynthesizer  # noqa: E402

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    copula = GaussianCopulaSynthesizer(Metadata.detect_from_dataframe(wine))
    copula.fit(wine)

suspects = {
    "own": table_of("redwine/kl-wgan-0", 100, 2),
    "other seed": table_of("redwine/kl-wgan-1", 100, 2),
    "copula": sample_sdv(copula, 100),
    "wines": wine.drop_duplicates().sample(100, random_state=0),
}

# %%
# How probable is a row, given the generator? The search finds the latents that explain it best;
# the generator's 10 latents cannot produce every row of 11 columns. No rows of other synthesizers
# are needed: 300 rows of the owner calibrate the threshold.

attributor = for_tables(
    make_posterior(
        generator, noise=preparer.rounding(), fnr=0.01, n_starts=8, n_drawn=20_000, max_iter=15
    ),
    preparer,
)
attributor.fit(table_of("redwine/kl-wgan-0", 300, 1))

scores = {name: -attributor.score_samples(table) for name, table in suspects.items()}
for name, found in scores.items():
    rejected = (-found < attributor["detect"].offset_).mean()
    print(f"{name:12} {rejected:.2f} of the rows are not the owner's")

# %%
# Anomaly scores by source, the negative log densities of the rows, on a logarithmic axis.
# Every source has some rows that look like the owner's.

ScoreHistogramDisplay.from_predictions(
    np.log(np.concatenate(list(scores.values())) - min(map(np.min, scores.values())) + 1),
    np.repeat(list(scores), 100),
)
plt.xlabel("log(1 + anomaly score - smallest)")
plt.show()

# %%
# A whole table. The rank-sum test asks whether the scores of its rows are like those of the
# calibration rows; Simes' test asks whether there is any row that the owner's generator did not
# make.

calibration = attributor["detect"].calibration_scores_
p_values = pd.DataFrame(
    {
        name: {
            "rank sum": rank_sum_p_value(calibration, found),
            "Simes": simes_p_value(attributor.evidence(suspects[name]).p_own),
        }
        for name, found in scores.items()
    }
)
p_values.T.map("{:.1e}".format)

# %%
# The number of rows that are needed: the median p-value of random subsets.

rng = np.random.default_rng(0)
sizes = [2, 3, 5, 8, 12, 20, 35, 60]
for name, found in scores.items():
    medians = [
        np.median([rank_sum_p_value(calibration, rng.choice(found, n, False)) for _ in range(100)])
        for n in sizes
    ]
    plt.plot(sizes, medians, "o-", label=name)
plt.axhline(0.01, color="gray", linestyle=":")
plt.xscale("log")
plt.yscale("log")
plt.xticks(sizes, sizes)
plt.minorticks_off()
plt.ylim(1e-12, 1)
plt.xlabel("rows of the table")
plt.ylabel("median p-value, rank sum")
plt.legend()
plt.show()
