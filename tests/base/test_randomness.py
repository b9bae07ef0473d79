"""Seeds that leave torch's global random numbers as they were."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from sklearn_flipad.base.randomness import Purpose, seeded, separate_stream


def test_streams_of_every_purpose_differ():
    numbers = {float(separate_stream(0, purpose).standard_normal()) for purpose in Purpose}
    assert len(numbers) == len(Purpose)


def draws(seed):
    with seeded(seed):
        return torch.cat([torch.randn(1) for _ in range(500)])


def test_seeds_decide():
    expected = torch.randn(500, generator=torch.Generator().manual_seed(3))
    with seeded(3):
        assert torch.equal(torch.randn(500), expected)
    assert torch.equal(draws(4), draws(4))
    assert not torch.equal(draws(3), draws(4))


def test_threads_draw_what_one_would():
    seeds = [0, 1, 2, 3] * 5
    expected = [draws(seed) for seed in seeds]
    with ThreadPoolExecutor(4) as pool:
        for found, values in zip(pool.map(draws, seeds), expected, strict=True):
            assert torch.equal(found, values)


def test_global_numbers_are_left_as_they_were():
    torch.manual_seed(9)
    expected = torch.randn(3)
    torch.manual_seed(9)
    draws(0)
    with pytest.raises(ZeroDivisionError):
        _fail_after_a_draw()
    assert torch.equal(torch.randn(3), expected)


def _fail_after_a_draw():
    with seeded(1):
        return torch.randn(1) / (1 // 0)


def test_nested():
    with seeded(0):
        expected = torch.randn(4)
    with seeded(0):
        found = [torch.randn(2)]
        draws(1)
        found.append(torch.randn(2))
    assert torch.equal(torch.cat(found), expected)


@pytest.mark.gpu
def test_the_device_s_numbers_too():
    before = torch.cuda.get_rng_state()
    found = []
    for _ in range(2):
        with seeded(0, "cuda"):
            found.append(torch.randn(4, device="cuda"))
    assert torch.equal(*found)
    assert torch.equal(torch.cuda.get_rng_state(), before)


def test_devices_whose_numbers_are_not_kept_are_not_seeded(monkeypatch):
    seeds = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeds.append)
    torch.manual_seed(1)
    assert seeds == [1]
    with seeded(0):
        torch.randn(1)
    assert seeds == [1]
