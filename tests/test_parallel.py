"""Jobs in threads, and what they leave of the caller's settings."""

import threading

import pytest
import torch

from sklearn_flipad.parallel import in_threads, n_workers_on

CPU = torch.device("cpu")


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def _threads_of_a_new_thread():
    seen = []
    thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return seen[0]


@pytest.mark.parametrize("n_workers", [1, 2, 3])
def test_results_come_in_order_and_torch_is_left_alone(three_threads, n_workers):
    assert list(in_threads(lambda job: job**2, range(7), n_workers)) == [j**2 for j in range(7)]
    assert torch.get_num_threads() == _threads_of_a_new_thread() == 3


@pytest.mark.parametrize("n_workers", [1, 2])
def test_an_error_of_a_job_leaves_torch_alone(three_threads, n_workers):
    with pytest.raises(ZeroDivisionError):
        list(in_threads(lambda job: 1 / job, [1, 0, 1], n_workers))
    assert torch.get_num_threads() == _threads_of_a_new_thread() == 3


def test_one_who_comes_in_between_neither_sees_nor_keeps_the_workers_setting(three_threads):
    """The first ends before the second, which must not restore what it found."""
    first = in_threads(lambda job: job, range(4), 2)
    next(first)  # its workers have set one thread each
    seen, go_on = [], threading.Event()

    def second():
        seen.append(n_workers_on(CPU))
        results = in_threads(lambda job: job, range(4), 2)
        next(results)
        inside.set()
        go_on.wait()
        list(results)

    inside = threading.Event()
    thread = threading.Thread(target=second)
    thread.start()
    inside.wait()
    list(first)
    go_on.set()
    thread.join()
    assert seen == [3]
    assert torch.get_num_threads() == _threads_of_a_new_thread() == 3
