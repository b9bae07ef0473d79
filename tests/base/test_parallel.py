"""Batches in threads, and what they leave of the caller's settings."""

import threading

import pytest
import torch

from sklearn_flipad.base.parallel import in_batches, in_order


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


def _rows(slices):
    return [row for rows in slices for row in range(rows.start, rows.stop)]


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("batch_size", [1, 5, 16, 24, 100])
def test_all_samples_in_order_and_torch_is_left_alone(three_threads, apart, batch_size):
    seen = list(in_batches(lambda rows: rows, 50, batch_size=batch_size, lanes=8, apart=apart))
    assert _rows(seen) == list(range(50))
    assert max(rows.stop - rows.start for rows in seen) <= batch_size
    assert torch.get_num_threads() == _threads_of_a_new_thread() == 3


@pytest.mark.parametrize(("batch_size", "share", "n_threads"), [(24, 8, 3), (50, 24, 2), (5, 5, 1)])
def test_threads_share_a_batch(three_threads, batch_size, share, n_threads):
    names = set()

    def work(rows):
        names.add(threading.current_thread().name)
        assert not torch.is_grad_enabled()
        if n_threads > 1:
            assert torch.get_num_threads() == 1
        return rows.stop - rows.start

    sizes = list(in_batches(work, 300, batch_size=batch_size, lanes=8, apart=True))
    assert max(sizes) == share
    assert len(names) <= n_threads


def test_workers_share_samples_only_if_they_are_computed_apart(three_threads):
    def sizes(apart):
        options = {"batch_size": 24, "lanes": 8, "apart": apart}
        return [rows.stop - rows.start for rows in in_batches(lambda rows: rows, 48, **options)]

    assert sizes(False) == [24] * 2
    assert sizes(True) == [8] * 6


def test_results_in_order_with_few_under_way():
    under_way, most = set(), []

    class Job:
        def __init__(self, number):
            self.number = number
            under_way.add(number)
            most.append(len(under_way))

        def result(self):
            under_way.remove(self.number)
            return self.number

    assert list(in_order(Job, range(10), 3)) == list(range(10))
    assert max(most) == 3
    assert list(in_order(Job, [], 3)) == []


@pytest.mark.parametrize("apart", [False, True])
def test_an_error_of_a_job_leaves_torch_alone(three_threads, apart):
    with pytest.raises(ZeroDivisionError):
        list(
            in_batches(lambda rows: 1 / (rows.start - 48), 72, batch_size=24, lanes=8, apart=apart)
        )
    assert torch.get_num_threads() == _threads_of_a_new_thread() == 3


def test_one_who_comes_in_between_neither_sees_nor_keeps_the_workers_setting(three_threads):
    """The first ends before the second, which must not restore what it found."""

    def batches():
        return in_batches(lambda rows: rows.stop, 64, batch_size=24, lanes=8, apart=True)

    first = batches()
    next(first)  # its workers have set one thread each
    inside, go_on, sizes = threading.Event(), threading.Event(), []

    def second():
        results = batches()
        sizes.append(next(results))
        inside.set()
        go_on.wait()
        list(results)

    thread = threading.Thread(target=second)
    thread.start()
    inside.wait()
    list(first)
    go_on.set()
    thread.join()
    assert sizes == [8]  # a third of the batch: it knows of the three threads
    assert torch.get_num_threads() == _threads_of_a_new_thread() == 3
