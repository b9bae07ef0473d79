"""Near-copies of generators."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from benchmarks.zoo.initialization import initialize_weights
from sklearn_flipad.base.plain_copies import plain_copy
from sklearn_flipad.evaluation import (
    distilled_copy,
    fine_tuned_copy,
    near_copies,
    noisy_copy,
    pruned_copy,
    rounded_copy,
)
from sklearn_flipad.evaluation.near_copies import NEAR_COPIES
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import ConditionalDCGANGenerator, DCGANGenerator, load_pretrained

UNTRAINED = [name for name in NEAR_COPIES if name not in ("distilled", "fine-tuned")]


@pytest.fixture
def small():
    """A small generator of 8x8 images in train mode, whose weights fit no half precision."""
    generator = initialize_weights(DCGANGenerator(4, (8,), 1), 0)
    with torch.no_grad():
        generator.main[-2].weight.mul_(10)
    return generator


def state_of(generator):
    return {name: value.clone() for name, value in generator.state_dict().items()}


def assert_same_state(generator, state):
    now = generator.state_dict()
    assert now.keys() == state.keys()
    for name, value in state.items():
        torch.testing.assert_close(now[name], value, rtol=0, atol=0, msg=name)


def draw(generator, n=16, seed=0):
    return sample(generator, n, dtype="float32", random_state=seed, latent_shape=(4, 1, 1))


def rms(generator, other):
    """Distance in gray levels of what both make of the same latents."""
    return 127.5 * np.sqrt(np.mean(np.square(draw(generator, 64) - draw(other, 64))))


def make(kind, generator, seed=0):
    X = np.random.default_rng(0).uniform(-1, 1, (64, 1, 8, 8)).astype(np.float32)
    if kind == "fine-tuned":
        return fine_tuned_copy(generator, X, n_steps=3, random_state=seed)
    if kind == "distilled":
        return distilled_copy(generator, n_steps=3, random_state=seed)
    ((name, made),) = near_copies(generator, [kind], random_state=seed)
    assert name == kind
    return made


@pytest.mark.parametrize("kind", NEAR_COPIES)
def test_copies_are_independent_and_seeded(small, kind):
    state, numbers = state_of(small), torch.get_rng_state()
    with torch.inference_mode(kind == "distilled"), torch.no_grad():
        made = make(kind, small)
    assert small.training
    assert all(value.requires_grad for value in small.parameters())
    assert_same_state(small, state)
    assert torch.equal(torch.get_rng_state(), numbers)
    assert not any(module.training for module in made.modules())
    assert not any(value.requires_grad for value in made.parameters())
    owned = {value.data_ptr() for value in small.parameters()}
    assert owned.isdisjoint(value.data_ptr() for value in made.parameters())
    torch.manual_seed(7)
    assert_same_state(make(kind, small), state_of(made))
    assert rms(made, small) > 0
    assert made.latent_shape == small.latent_shape
    if kind.startswith("noise") or kind in ("fine-tuned", "distilled"):
        assert rms(make(kind, small, seed=1), made) > 0


@pytest.mark.parametrize("where", ["last", "earlier", "all"])
def test_level_and_place_of_the_noise(dcgan, where):
    made = noisy_copy(dcgan, 0.1, where=where, random_state=0)
    last = list(dict(dcgan.named_parameters()))[-1]
    assert last == "main.9.weight"
    for name, value in dcgan.state_dict().items():
        change = made.state_dict()[name] - value
        expected = value.ndim > 1 and (where == "all" or (name == last) == (where == "last"))
        if expected:
            assert change.std() / value.std(correction=0) == pytest.approx(0.1, rel=0.1)
        else:
            assert not change.any()


def test_noise_of_one_seed_has_one_direction(small):
    strong, weak = (noisy_copy(small, level, random_state=0) for level in (0.2, 0.02))
    before = small.main[-2].weight.detach()
    torch.testing.assert_close(
        strong.main[-2].weight - before, 10 * (weak.main[-2].weight - before), rtol=1e-3, atol=1e-6
    )
    assert rms(strong, small) > 5 * rms(weak, small)
    same = noisy_copy(small, 0.1, random_state=np.random.RandomState(0))
    torch.testing.assert_close(
        same.main[-2].weight,
        noisy_copy(small, 0.1, random_state=np.random.RandomState(0)).main[-2].weight,
    )


def test_last_layer_is_the_one_that_runs_last():
    class Net(nn.Module):
        """Its layers stand in another order than they run, and a ReLU hides the output."""

        latent_shape = (4,)

        def __init__(self):
            super().__init__()
            self.second = nn.Linear(6, 5)
            self.first = nn.Linear(4, 6)

        def forward(self, z):
            return torch.relu(self.second(self.first(z)))

    generator = Net()
    last = noisy_copy(generator, 0.1, random_state=0)
    earlier = noisy_copy(generator, 0.1, where="earlier", random_state=0)
    assert torch.equal(last.first.weight, generator.first.weight)
    assert not torch.equal(last.second.weight, generator.second.weight)
    assert torch.equal(earlier.second.weight, generator.second.weight)
    assert not torch.equal(earlier.first.weight, generator.first.weight)
    single = nn.Linear(4, 5)
    with pytest.raises(ValueError, match="no weights of two or more axes for where='earlier'"):
        noisy_copy(single, 0.1, where="earlier", latent_shape=4)
    with pytest.raises(ValueError, match="latent_shape is needed"):
        noisy_copy(single, 0.1)


def test_half_precision_is_that_of_a_checkpoint(small):
    for dtype, kind in (("fp16", torch.float16), ("bf16", torch.bfloat16)):
        expected = copy.deepcopy(small).to(kind).float()
        assert_same_state(rounded_copy(small, dtype), expected.state_dict())
    with torch.no_grad():
        small.main[-2].weight[0, 0, 0, 0] = 1e5
    with pytest.raises(ValueError, match=r"main.3.weight has values .* not finite in fp16"):
        rounded_copy(small, "fp16")


def test_shipped_weights_are_half_precision_already(dcgan):
    assert_same_state(rounded_copy(dcgan, "fp16"), dcgan.state_dict())


def test_eight_bits(small):
    with torch.no_grad():
        small.main[0].weight.zero_()
    made = rounded_copy(small, "int8")
    before, after = small.main[-2].weight.detach(), made.main[-2].weight
    scale = before.abs().max() / 127
    assert (after - before).abs().max() <= 0.501 * scale
    torch.testing.assert_close(after / scale, (after / scale).round(), atol=1e-3, rtol=0)
    assert not made.main[0].weight.any()
    assert torch.equal(made.main[1].weight, small.main[1].weight)  # batch norm


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_pruned_share(small, share):
    made = pruned_copy(small, share)
    for name, value in small.named_parameters():
        after = made.get_parameter(name)
        if value.ndim == 1:
            assert torch.equal(after, value)
            continue
        zero = after == 0
        assert zero.float().mean() == pytest.approx(share)
        assert value[zero].abs().max() <= value[~zero].abs().min()
        assert torch.equal(after[~zero], value[~zero])


def reparametrized(kind):
    torch.manual_seed(0)
    first, second = nn.Linear(4, 6), nn.Linear(6, 5)
    if kind == "weight_norm":
        with pytest.warns(FutureWarning):
            nn.utils.weight_norm(second)
    elif kind == "spectral_norm":
        nn.utils.spectral_norm(second)
    elif kind == "pruned":
        prune.random_unstructured(second, "weight", 0.3)
    else:
        getattr(parametrizations, kind.removeprefix("new "))(second)
    return nn.Sequential(first, nn.ReLU(), second)


@pytest.mark.parametrize(
    "kind",
    ["weight_norm", "spectral_norm", "pruned"]
    + [f"new {name}" for name in ("weight_norm", "spectral_norm", "orthogonal")],
)
def test_reparametrized_weights_become_parameters(kind):
    generator = reparametrized(kind)
    generator(torch.randn(3, 4))  # a graph hangs on computed weights
    generator.eval()
    z = torch.randn(3, 4)
    made = plain_copy(generator)
    assert sorted(name for name, _ in made[2].named_parameters()) == ["bias", "weight"]
    torch.testing.assert_close(made(z), generator(z).detach())
    noisy = noisy_copy(generator, 0.1, latent_shape=4, random_state=0)
    change = noisy[2].weight - made[2].weight
    assert change.std() / made[2].weight.std() == pytest.approx(0.1, rel=0.3)
    distilled_copy(generator, n_steps=2, latent_shape=4, random_state=0)
    torch.testing.assert_close(generator(z).detach(), made(z))  # its class is as it was


def test_distilled_student_comes_closer(small):
    first, last = (distilled_copy(small, n_steps=n, lr=1e-2, random_state=0) for n in (30, 300))
    assert rms(last, small) < 0.6 * rms(first, small) < 0.6 * draw(small, 64).std() * 255


def test_student_of_another_architecture(small):
    student = nn.Sequential(nn.Flatten(), nn.Linear(4, 64), nn.Tanh(), nn.Unflatten(1, (1, 8, 8)))
    before = state_of(student)
    made = distilled_copy(small, student, n_steps=200, random_state=0)
    assert_same_state(student, before)
    assert rms(made, small) < 0.6 * rms(student, small)
    with pytest.raises(ValueError, match=r"samples of shape \(64,\), but the generator \(1, 8, 8"):
        distilled_copy(small, student[:2], n_steps=1)


def test_parameters_without_a_rule_are_drawn_anew():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.free = nn.Parameter(torch.arange(20.0).reshape(4, 5))

        def forward(self, z):
            return z @ self.free

    generator = Net()
    made = distilled_copy(generator, n_steps=1, lr=1e-9, latent_shape=4, random_state=0)
    assert (made.free != generator.free).all()
    assert abs(made.free.mean() - generator.free.mean()) < 6


def test_fine_tuned_copy_comes_closer_to_the_samples(small):
    X = np.full((64, 1, 8, 8), 200, dtype=np.uint8)
    made = fine_tuned_copy(small, X, n_steps=100, lr=1e-2, random_state=0)
    target = 200 / 127.5 - 1
    assert np.abs(draw(made) - target).mean() < 0.3 * np.abs(draw(small) - target).mean()
    assert torch.equal(made.main[1].running_mean, small.main[1].running_mean)
    with pytest.raises(ValueError, match=r"shape \(1, 8, 4\), but the generator makes \(1, 8, 8\)"):
        fine_tuned_copy(small, X[..., :4], n_steps=1)
    flat = fine_tuned_copy(small, X.reshape(64, -1), n_steps=100, lr=1e-2, random_state=0)
    assert_same_state(flat, made.state_dict())
    with pytest.raises(ValueError, match="X is empty"):
        fine_tuned_copy(small, X[:0])


def test_standard_set(dcgan):
    copies = dict(near_copies(dcgan))
    assert list(copies) == UNTRAINED
    own = sample(dcgan, 32, random_state=0).astype(float)

    def distance(name):
        other = sample(copies[name], 32, random_state=0).astype(float)
        return np.sqrt(np.mean(np.square(other - own)))

    for where in ("last", "earlier"):
        found = [distance(f"noise {level:g} {where}") for level in (0.2, 0.1, 0.05, 0.02, 0.01)]
        assert found == sorted(found, reverse=True)
        assert found[-1] > 0.1
    assert distance("pruned 0.5") > distance("pruned 0.25") > distance("int8") > 0


def test_invalid_arguments(dcgan):
    for kinds in (["int4"], ["int8", "int4"]):
        with pytest.raises(ValueError, match="kinds must be a list of 'distilled'"):
            near_copies(dcgan, kinds)
    with pytest.raises(ValueError, match="needs samples X"):
        near_copies(dcgan, ["fine-tuned"])
    for call in (
        lambda: noisy_copy(dcgan, -0.1),
        lambda: noisy_copy(dcgan, 0.1, where="first"),
        lambda: rounded_copy(dcgan, "int4"),
        lambda: pruned_copy(dcgan, 1.0),
        lambda: pruned_copy("dcgan", 0.5),
        lambda: distilled_copy(dcgan, n_steps=0),
        lambda: fine_tuned_copy(dcgan, None),
        lambda: near_copies(dcgan, "int8"),
    ):
        with pytest.raises(ValueError, match="parameter of"):
            call()


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_scripted_generators_are_refused():
    scripted = torch.jit.trace(nn.Linear(3, 4).eval(), torch.zeros(2, 3))
    with pytest.raises(ValueError, match="TorchScript module"):
        rounded_copy(scripted, "int8")


def test_inputs_of_any_kind():
    """Classes beside latents, an embedding, and half precision."""
    generator = ConditionalDCGANGenerator(4, (8,), 1, 3, 4).half()
    made = dict(near_copies(generator))
    assert next(made["noise 0.1 last"].parameters()).dtype == torch.float16
    change = made["noise 0.1 earlier"].embedding.weight - generator.embedding.weight
    assert change.any()
    assert not (made["noise 0.1 last"].embedding.weight - generator.embedding.weight).any()
    X = sample(generator.float(), 8, random_state=0)
    for trained in (
        distilled_copy(generator, n_steps=2, random_state=0),
        fine_tuned_copy(generator, X, n_steps=2, random_state=0),
    ):
        assert sample(trained, 3, random_state=0).shape == (3, 1, 8, 8)


def test_other_seed_is_farther_than_any_copy(dcgan):
    other = load_pretrained("fashion/dcgan-1")
    own = sample(dcgan, 32, random_state=0).astype(float)
    (pruned,) = (made for _, made in near_copies(dcgan, ["pruned 0.25"]))
    near, far = (sample(g, 32, random_state=0).astype(float) for g in (pruned, other))
    assert np.abs(near - own).mean() < np.abs(far - own).mean()
