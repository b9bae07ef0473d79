"""Checkpoints: what is resumed, what is refused, and what survives being killed."""

import multiprocessing
import os
import pickle
import signal
import sys
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.zoo.discriminators import ConvDiscriminator
from benchmarks.zoo.initialization import initialize_weights
from benchmarks.zoo.objectives import CrossEntropyObjective, LeastSquaresObjective
from benchmarks.zoo.training import train_gan
from sklearn_flipad.storage import arrays
from sklearn_flipad.zoo import DCGANGenerator
from tests.benchmarks.zoo.networks import Conditioned
from tests.processes import start

X = np.random.default_rng(0).integers(0, 256, (32, 1, 16, 16), dtype=np.uint8)
LABELS = np.zeros(32, dtype=np.int64)


def networks(channels=8, norm="batch", labeled=False):
    pair = (
        initialize_weights(DCGANGenerator(8, (16, channels), 1)),
        initialize_weights(ConvDiscriminator((8, 16), 1, norm=norm), 1),
    )
    return tuple(map(Conditioned, pair)) if labeled else pair


def train(path, pair=None, n_epochs=2, **options):
    generator, discriminator = networks() if pair is None else pair
    images = options.pop("X", X)
    options = {"objective": CrossEntropyObjective(), "batch_size": 16, **options}
    train_gan(
        *(generator, discriminator, images),
        n_epochs=n_epochs,
        device="cpu",
        checkpoint=path,
        verbose=0,
        **options,
    )
    return generator


def everything(*modules):
    """Weights, buffers, modes and memory layout of networks, and torch's random numbers."""
    for module in modules:
        for name, value in module.state_dict().items():
            yield name, value.stride(), value.tolist()
        yield [part.training for part in module.modules()]
    yield torch.get_rng_state().tolist()


def same_weights(a, b):
    return all(map(torch.equal, a.state_dict().values(), b.state_dict().values()))


@pytest.fixture
def path(tmp_path):
    """Checkpoint of two epochs."""
    train(tmp_path / "run.ckpt")
    return tmp_path / "run.ckpt"


def assert_refused(path, match, pair=None, **options):
    pair = networks() if pair is None else pair
    content, before = path.read_bytes(), list(everything(*pair))
    with pytest.raises(ValueError, match=match) as error:
        train(path, pair, n_epochs=options.pop("n_epochs", 3), **options)
    assert str(path) in str(error.value)
    assert "another checkpoint path" in str(error.value)
    assert list(everything(*pair)) == before
    assert path.read_bytes() == content
    return str(error.value)


OTHERS = {
    "X": {"X": 255 - X},
    "batch_size: 16 in the checkpoint, 8 given": {"batch_size": 8},
    "learning_rate: 0.0002 in the checkpoint, 0.0003 given": {"learning_rate": 3e-4},
    r"betas: \(0.5, 0.999\) in the checkpoint, \(0.0, 0.9\) given": {"betas": [0, 0.9]},
    "n_critic: 1 in the checkpoint, 2 given": {"n_critic": 2},
    "random_state: 0 in the checkpoint, 1 given": {"random_state": 1},
    r"objective: CrossEntropyObjective\(.*, LeastSquaresObjective\(\) given": {
        "objective": LeastSquaresObjective()
    },
    r"real_label=0.9.* in the checkpoint, .*real_label=1.0": {
        "objective": CrossEntropyObjective(real_label=1.0)
    },
    r"generator.main.3.weight: torch.float32 \(16, 8, 4, 4\) .* \(16, 4, 4, 4\)": {
        "pair": networks(channels=4)
    },
    r"discriminator.main.3: BatchNorm2d\(.* in the checkpoint, LayerNorm": {
        "pair": networks(norm="layer")
    },
    "labels: None in the checkpoint, int64": {
        "pair": networks(labeled=True),
        "labels": LABELS,
    },
}


@pytest.mark.parametrize("match", OTHERS)
def test_other_settings_are_refused(match, path):
    assert_refused(path, match, **OTHERS[match])


def test_layers_that_differ_are_refused(path):
    pair = networks()
    pair[1].main[1].negative_slope = 0.1
    message = assert_refused(path, "negative_slope=0.2.* in the checkpoint", pair)
    assert message.count(" given") == 1


def test_all_settings_that_differ_are_listed(path):
    options = {"batch_size": 8, "learning_rate": 1e-3, "random_state": 4}
    message = assert_refused(path, "with other settings", X=255 - X, **options)
    listed = [line.split(":")[0].strip() for line in message.splitlines()[1:-1]]
    assert sorted(listed) == ["X", "batch_size", "learning_rate", "random_state"]
    # Its advice works.
    train(path, n_epochs=3)
    train(path.with_name("other.ckpt"), X=255 - X, **options)


def test_other_labels_are_refused(tmp_path):
    path = tmp_path / "run.ckpt"
    train(path, networks(labeled=True), labels=LABELS)
    train(path, networks(labeled=True), labels=list(LABELS), n_epochs=3)
    assert_refused(path, "labels: ", networks(labeled=True), labels=1 - LABELS, n_epochs=4)


def test_fewer_epochs_are_refused(path):
    assert_refused(path, "holds 2 epochs, more than n_epochs=1", n_epochs=1)
    train(path, n_epochs=2)


def test_objectives_without_a_representation_resume(path):
    class Plain:
        def __init__(self):
            objective = LeastSquaresObjective()
            self.discriminator_loss = objective.discriminator_loss
            self.generator_loss = objective.generator_loss

    other = path.with_name("other.ckpt")
    one, two = Plain(), Plain()
    assert repr(one) != repr(two)
    train(other, objective=one)
    train(other, objective=two, n_epochs=3)


def test_weights_of_the_checkpoint_replace_those_given(path):
    expected = train(path, n_epochs=3)
    train(path.with_name("other.ckpt"))
    other = initialize_weights(DCGANGenerator(8, (16, 8), 1), 5)
    train(path.with_name("other.ckpt"), (other, networks()[1]), n_epochs=3)
    assert same_weights(other, expected)


def test_another_version_of_torch_is_noted(path):
    state = torch.load(path, weights_only=True)
    torch.save({**state, "torch": "2.3.1"}, path)
    with pytest.warns(UserWarning, match=r"written with torch 2.3.1, and this is torch"):
        train(path, n_epochs=3)


class Harmful:
    """Pickled, it makes a folder when it is loaded."""

    def __reduce__(self):
        return os.mkdir, ("harmed",)


def _flip(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


DAMAGES = {
    "empty": lambda content: b"",
    "text": lambda content: b"epoch 3\n" * 20,
    "truncated": lambda content: content[: len(content) // 2],
    "without its end": lambda content: content[:-1],
    "one bit": _flip,
    "pickle": lambda content: pickle.dumps(Harmful()),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_checkpoints_are_refused(damage, path, monkeypatch):
    monkeypatch.chdir(path.parent)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert_refused(path, "is not a checkpoint, or is damaged")
    assert not Path("harmed").exists()
    path.unlink()  # as the message says
    train(path)


def _edit_weights(state):
    weights = state["networks"]["generator"]
    weights["main.0.weight"] = weights["main.0.weight"][:1]


def _edit_moments(state):
    moments = state["optimizers"]["generator"]["state"][0]
    moments["exp_avg"] = moments["exp_avg"][:1]


EDITS = {
    "format": lambda state: state.update(format="other"),
    "version": lambda state: state.update(version=2),
    "settings": lambda state: state.pop("settings"),
    "no networks": lambda state: state.pop("networks"),
    "weights": _edit_weights,
    "moments": _edit_moments,
    "random numbers": lambda state: state.update(rng=torch.zeros(3, dtype=torch.uint8)),
    "history": lambda state: state.update(history=[1, 2]),
}


@pytest.mark.parametrize("edit", EDITS)
def test_other_contents_are_refused(edit, path):
    state = torch.load(path, weights_only=True)
    EDITS[edit](state)
    torch.save(state, path)
    assert_refused(path, "not a checkpoint|format 2")


def test_pickle_inside_an_archive_is_not_run(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    torch.save({"format": "sklearn_flipad.train_gan", "history": Harmful()}, path)
    assert_refused(path, "is not a checkpoint, or is damaged")
    assert not Path("harmed").exists()


def test_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="must be the path of a file"):
        train(tmp_path)


class Diverging(LeastSquaresObjective):
    """Not finite from a step on: the loss, or only the gradient."""

    def __init__(self, step, what):
        object.__setattr__(self, "steps", count())
        object.__setattr__(self, "diverging", (step, what))

    def __repr__(self):
        return "Diverging()"

    def generator_loss(self, discriminator, fake):
        loss = super().generator_loss(discriminator, fake)
        step, what = self.diverging
        if next(self.steps) < step:
            return loss
        return loss * torch.nan if what == "loss" else loss + (0 * loss).sqrt()


@pytest.mark.parametrize(
    ("what", "match"),
    [("loss", "loss of the generator is nan"), ("gradient", "main.* is no longer finite")],
)
@pytest.mark.parametrize("step", [2, 3])
def test_divergence_keeps_the_last_good_epoch(step, what, match, tmp_path):
    path = tmp_path / "run.ckpt"
    if step == 2 and what == "gradient":
        match = "is nan"
    expected = train(None, n_epochs=1, objective=Diverging(9, what))
    with pytest.raises(FloatingPointError, match=match) as error:
        train(path, objective=Diverging(step, what))
    assert f"in epoch 2: the training has diverged. The checkpoint {path} is kept" in str(
        error.value
    )
    kept = train(path, n_epochs=1, objective=Diverging(9, what))
    assert same_weights(kept, expected)


def test_divergence_in_the_first_epoch(tmp_path):
    with pytest.raises(FloatingPointError, match=r"in epoch 1: .* lower learning_rate\.$"):
        train(tmp_path / "run.ckpt", objective=Diverging(0, "loss"))
    assert not (tmp_path / "run.ckpt").exists()


def test_one_training_at_a_time(path):
    refused = []

    def callback(epoch, generator, losses):
        link = path.with_name("link.ckpt")
        link.symlink_to(path)
        for name in (path, link):
            with pytest.raises(RuntimeError, match="in use by another training") as error:
                train(name)
            refused.append(str(error.value))

    content = path.read_bytes()
    train(path, n_epochs=3, callback=callback)
    assert all(str(path) in message for message in refused)
    assert len(refused) == 2
    assert path.read_bytes() != content
    train(path, n_epochs=4)


needs_fork = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")


def _kill():
    os.kill(os.getpid(), signal.SIGKILL)


def _train_until(moment, path):
    """Train and be killed in the second epoch."""
    calls = count()

    def write_half_of_it(content, file):
        if next(calls):
            file.write(b"half")
            file.flush()
            _kill()
        save(content, file)

    def kill_instead(source, target):
        if next(calls):
            _kill()
        replace(source, target)

    def kill_afterwards(source, target):
        replace(source, target)
        if next(calls):
            _kill()

    save, replace = torch.save, os.replace
    if moment == "while writing":
        torch.save = write_half_of_it
    elif moment == "before renaming":
        arrays.os.replace = kill_instead
    else:
        arrays.os.replace = kill_afterwards
    train(path, n_epochs=3)


@needs_fork
@pytest.mark.parametrize("moment", ["while writing", "before renaming", "after renaming"])
def test_killed_training_resumes(moment, tmp_path):
    path = tmp_path / "run.ckpt"
    process = start(_train_until, moment, path)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    n_done = len(torch.load(path, weights_only=True)["history"])
    assert n_done == (2 if moment == "after renaming" else 1)
    left = [p for p in tmp_path.iterdir() if p.suffix == ".partial"]
    assert len(left) == (moment != "after renaming")
    resumed = train(path, n_epochs=3)
    assert same_weights(resumed, train(None, n_epochs=3))
    assert {p.name for p in tmp_path.iterdir()} == {"run.ckpt", "run.ckpt.lock"}


def _train_and_wait(path, pipe):

    def callback(epoch, generator, losses):
        pipe.send("written")
        pipe.recv()

    train(path, callback=callback)


@needs_fork
def test_processes_that_are_killed_leave_no_lock(tmp_path):
    path = tmp_path / "run.ckpt"
    here, there = multiprocessing.Pipe()
    process = start(_train_and_wait, path, there)
    assert here.recv() == "written"
    with pytest.raises(RuntimeError, match="in use by another training"):
        train(path)
    process.kill()
    process.join()
    assert same_weights(train(path), train(None))


def _race(path, pipe):
    pipe.recv()
    try:
        train(path, n_epochs=20)
    except RuntimeError as error:
        pipe.send(str(error))
    else:
        pipe.send("done")


@needs_fork
def test_two_trainings_at_once(tmp_path):
    path = tmp_path / "run.ckpt"
    pipes = [multiprocessing.Pipe() for _ in range(2)]
    processes = [start(_race, path, there) for _, there in pipes]
    for here, _ in pipes:
        here.send("go")
    ends = sorted(here.recv() for here, _ in pipes)
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert ends[1] == "done"
    assert ends[0] == "done" or "in use by another training" in ends[0]
    assert len(torch.load(path, weights_only=True)["history"]) == 20
    assert same_weights(train(path, n_epochs=20), train(None, n_epochs=20))
