"""Sizes of the experiments: the paper's, those that a laptop measures, and tiny ones for tests."""

from dataclasses import dataclass, field

__all__ = ["SCALES", "Scale"]


@dataclass(frozen=True)
class Scale:
    """Sizes of all experiments, in the words of the paper.

    `n_tr` samples of the model and as many negatives train, `n_val` samples of the model
    calibrate, and `n_test` samples of each source are judged. `fewer` are the smaller values of
    `n_tr` in Table 12, with their epochs: on a laptop as many steps as with all samples.
    """

    n_tr: int
    n_val: int
    n_test: int
    n_runs: int
    n_epochs: int
    fewer: dict
    fnrs: tuple
    n_mean: int
    #: n_tr, n_val, n_test and n_epochs of perturbed samples.
    perturbed: tuple
    #: n_val and n_test of SM-Inv, and its search.
    searched: tuple
    search: dict
    #: Seeds whose generators are owners, and all seeds that there are.
    owner_seeds: tuple
    seeds: tuple
    data_sets: tuple
    #: Perturbations, of the names of the table.
    perturbations: tuple
    #: The paper's penalties, which are half of ``lam``.
    alphas: tuple
    #: Names of the two sets of generators of the figures, with places for the architecture.
    pictured: tuple
    #: Runs of experiments that have fewer than the others.
    fewer_runs: dict = field(default_factory=dict)
    #: Owners whose detectors are also trained for as many steps as the paper's.
    trained_longer: tuple = ()
    #: Channels of the networks on activations; none for one hidden layer instead of convolutions.
    channels: tuple = ()
    #: Side of the samples that RawPAD and DCTPAD look at, where it is not the generator's.
    side: int | None = None
    #: Channels and training steps of autoencoders; none for those of Stable Diffusion.
    decoders: dict = field(default_factory=dict)
    #: Sparsities, numbers of channels, trials a kernel, and the side of its outputs.
    recovery: dict = field(default_factory=dict)


_PERTURBATIONS = ("blur 1", "blur 3", "crop 60", "crop 55", "noise 0.05", "noise 0.1")
_PERTURBATIONS += ("JPEG 90", "JPEG 80")
_RECOVERY = {
    "channels": (1, 2, 4, 8, 16, 32),
    "sparsities": (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7),
    "n_trials": 10,
    "side": 12,
}
SCALES = {
    "tiny": Scale(
        n_tr=20,
        n_val=12,
        n_test=4,
        n_runs=1,
        n_epochs=1,
        fewer={10: 1},
        fnrs=(0.1, 0.2),
        n_mean=50,
        perturbed=(10, 12, 4, 1),
        searched=(12, 2),
        search={"optimizer": "lbfgs", "n_restarts": 1, "max_iter": 2},
        owner_seeds=(0,),
        seeds=(0, 1),
        data_sets=("fashion",),
        perturbations=("blur 3",),
        alphas=(0.0005,),
        pictured=("fashion/{}-0",),
        decoders={"channels": (4, 4, 4), "n_steps": 5, "n_steps_on": 3},
        recovery={"channels": (2,), "sparsities": (0.05,), "n_trials": 2, "side": 6},
    ),
    "laptop": Scale(
        n_tr=1000,
        n_val=400,
        n_test=200,
        n_runs=5,
        n_epochs=10,
        fewer={100: 100, 500: 20},
        fnrs=(0.005, 0.05),
        n_mean=5000,
        perturbed=(300, 200, 100, 40),
        searched=(200, 50),
        search={"optimizer": "lbfgs", "n_restarts": 2, "max_iter": 100},
        owner_seeds=(0, 1, 2),
        seeds=(0, 1, 2),
        data_sets=("fashion",),
        perturbations=_PERTURBATIONS,
        alphas=(0.0001, 0.0005, 0.001, 0.1),
        pictured=("fashion/{}-0", "fashion/{}-1"),
        fewer_runs={"fewer": 2, "variants": 1, "perturbed": 1},
        trained_longer=("fashion/wgan-gp-2",),
        decoders={"channels": (8, 16, 16), "n_steps": 150, "n_steps_on": 50},
        recovery=_RECOVERY,
    ),
    "paper": Scale(
        n_tr=10_000,
        n_val=1000,
        n_test=1000,
        n_runs=5,
        n_epochs=50,
        fewer={1000: 50, 5000: 50},
        fnrs=(0.005, 0.05),
        n_mean=10_000,
        perturbed=(10_000, 1000, 1000, 50),
        searched=(1000, 1000),
        search={"optimizer": "adam", "n_restarts": 10, "max_iter": 1000},
        owner_seeds=(0,),
        # The paper does not say how many; the owner is the first.
        seeds=(0, 1, 2, 3, 4),
        data_sets=("celeba", "lsun"),
        perturbations=_PERTURBATIONS,
        alphas=(0.0001, 0.0005, 0.001, 0.1),
        pictured=("celeba/{}-0", "lsun/{}-0"),
        channels=(128, 256, 128),
        side=32,
        recovery={**_RECOVERY, "n_trials": 50, "side": 16},
    ),
}
