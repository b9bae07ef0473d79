"""The adversarial objectives of Appendices G.2 and G.6.

An objective turns a discriminator, real images and generated images into two losses. It
holds constants only.
"""

from dataclasses import dataclass

import torch
from torch.nn import functional as F

__all__ = [
    "CrossEntropyObjective",
    "EnergyObjective",
    "KLWassersteinObjective",
    "LeastSquaresObjective",
    "NonSaturatingObjective",
    "WassersteinGPObjective",
]


@dataclass(frozen=True)
class CrossEntropyObjective:
    """Non-saturating GAN loss with soft labels (DCGAN)."""

    real_label: float = 0.9
    fake_label: float = 0.1

    def discriminator_loss(self, discriminator, real, fake):
        """Cross-entropy of the discriminator's logits on both halves."""
        on_real, on_fake = discriminator(real), discriminator(fake)
        return self._loss(on_real, self.real_label) + self._loss(on_fake, self.fake_label)

    def generator_loss(self, discriminator, fake):
        """Cross-entropy of calling the generated images real."""
        return self._loss(discriminator(fake), self.real_label)

    @staticmethod
    def _loss(logits, label):
        return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


@dataclass(frozen=True)
class NonSaturatingObjective:
    """Non-saturating loss with a gradient penalty on real images, R1 (StyleGAN2).

    The penalty, half the squared gradient of the logits with respect to real images, is due to
    Mescheder et al., ICML 2018; Karras et al., CVPR 2020, add it to every 16th update. Here the
    updates that have it are drawn, with `probability`, and its weight makes up for the others.
    """

    penalty: float = 1.0
    probability: float = 1 / 16

    def discriminator_loss(self, discriminator, real, fake):
        """Cross-entropy on both halves, at times with the gradient penalty."""
        with_penalty = bool(torch.rand(()) < self.probability)
        real = real.detach().requires_grad_(with_penalty)
        on_real, on_fake = discriminator(real), discriminator(fake)
        loss = F.softplus(on_fake).mean() + F.softplus(-on_real).mean()
        if with_penalty:
            (gradient,) = torch.autograd.grad(on_real.sum(), real, create_graph=True)
            squares = gradient.square().flatten(1).sum(dim=1).mean()
            loss = loss + self.penalty / 2 / self.probability * squares
        return loss

    def generator_loss(self, discriminator, fake):
        """Cross-entropy of calling the generated images real."""
        return F.softplus(-discriminator(fake)).mean()


@dataclass(frozen=True)
class WassersteinGPObjective:
    """Wasserstein loss with gradient penalty (WGAN-GP).

    `penalty` weighs the squared deviation of the critic's gradient norm from one, taken between
    real and generated images.
    """

    penalty: float = 10.0

    def discriminator_loss(self, discriminator, real, fake):
        """Negative Wasserstein estimate plus the gradient penalty."""
        mix = torch.rand(len(real), *[1] * (real.ndim - 1), device=real.device)
        between = torch.lerp(fake, real, mix).requires_grad_(True)
        (gradient,) = torch.autograd.grad(discriminator(between).sum(), between, create_graph=True)
        deviation = torch.square(gradient.flatten(1).norm(dim=1) - 1).mean()
        critic = discriminator(fake).mean() - discriminator(real).mean()
        return critic + self.penalty * deviation

    def generator_loss(self, discriminator, fake):
        """Negative mean critic value."""
        return -discriminator(fake).mean()


@dataclass(frozen=True)
class LeastSquaresObjective:
    """Least-squares loss with targets 1 (real) and 0 (generated) (LSGAN)."""

    def discriminator_loss(self, discriminator, real, fake):
        """Mean squared distance of the discriminator to its targets."""
        on_real, on_fake = discriminator(real), discriminator(fake)
        return 0.5 * (torch.square(on_real - 1).mean() + torch.square(on_fake).mean())

    def generator_loss(self, discriminator, fake):
        """Mean squared distance of the generated images to the real target."""
        return 0.5 * torch.square(discriminator(fake) - 1).mean()


@dataclass(frozen=True)
class EnergyObjective:
    """Energy loss with pull-away term (EBGAN), of a discriminator that returns energies and codes.

    Generated images whose energy, a mean squared error, is above `margin` do not count for the
    discriminator. The pull-away term, the mean squared cosine between the codes of different
    generated images, keeps the generator diverse.
    """

    margin: float = 1.0
    pull_away: float = 0.1

    def discriminator_loss(self, discriminator, real, fake):
        """Energy of the real images plus the hinge on the generated ones."""
        (on_real, _), (on_fake, _) = discriminator(real), discriminator(fake)
        return on_real.mean() + F.relu(self.margin - on_fake).mean()

    def generator_loss(self, discriminator, fake):
        """Energy of the generated images plus the pull-away term."""
        energy, code = discriminator(fake)
        code = F.normalize(code, dim=1)
        n = len(code)
        cosines = torch.square(code @ code.T)
        return energy.mean() + self.pull_away * (cosines.sum() - n) / (n * (n - 1))


@dataclass(frozen=True)
class KLWassersteinObjective:
    """Hinge loss with generated samples weighted by their density ratio (KL-WGAN).

    The weights ``exp(d) / mean(exp(d))`` of a batch, d being the critic's values of its generated
    samples, estimate the ratio of the densities of real and generated samples (Song and Ermon,
    ICML 2020).
    """

    def discriminator_loss(self, discriminator, real, fake):
        """Hinge on the real samples and on the weighted generated ones."""
        on_real, on_fake = discriminator(real), discriminator(fake)
        return F.relu(1 - on_real).mean() + F.relu(1 + self._weighted(on_fake)).mean()

    def generator_loss(self, discriminator, fake):
        """Negative weighted mean of the critic."""
        return -self._weighted(discriminator(fake)).mean()

    @staticmethod
    def _weighted(values):
        return values * F.softmax(values, dim=0) * len(values)
