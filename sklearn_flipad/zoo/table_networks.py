"""The generator of KL-WGAN for tables (Appendix G.6 of the FLIPAD paper)."""

from itertools import pairwise

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

__all__ = ["KLWGANGenerator"]


class KLWGANGenerator(nn.Module):
    """Fully connected generator of KL-WGAN for the rows of a table.

    Linear layers with leaky ReLU between them; those between hidden layers are spectrally
    normalized. No activation follows the last, ``Linear(hidden[-1], n_columns)``.

    Parameters
    ----------
    n_columns : int, default=11
        Number of columns of the table, standardized.
    latent_dim : int, default=10
        Number of latent dimensions; latents have shape ``(n, latent_dim)``.
    hidden : sequence of int, default=(300, 300)
        Widths of the hidden layers.

    References
    ----------
    Song and Ermon, "Bridging the Gap Between f-GANs and Wasserstein GANs", ICML 2020, whose
    code for the UCI tables has these sizes; Appendix G.6 of Laszkiewicz et al., ICML 2024.

    Examples
    --------
    >>> from sklearn_flipad.generators import sample
    >>> from sklearn_flipad.zoo import KLWGANGenerator
    >>> sample(KLWGANGenerator(n_columns=5), 3, dtype="float32", random_state=0).shape
    (3, 5)
    """

    def __init__(self, n_columns=11, latent_dim=10, hidden=(300, 300)):
        super().__init__()
        #: Arguments of the constructor.
        self.arguments = {
            "n_columns": n_columns,
            "latent_dim": latent_dim,
            "hidden": tuple(hidden),
        }
        self.latent_shape = (latent_dim,)
        self.output_shape = (n_columns,)
        layers = [nn.Linear(latent_dim, hidden[0]), nn.LeakyReLU()]
        for width, n_units in pairwise(hidden):
            layers += [spectral_norm(nn.Linear(width, n_units)), nn.LeakyReLU()]
        layers.append(nn.Linear(hidden[-1], n_columns))
        self.main = nn.Sequential(*layers)

    def forward(self, z):
        return self.main(z.reshape(len(z), *self.latent_shape))
