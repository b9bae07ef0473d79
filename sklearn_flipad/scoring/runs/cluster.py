"""Batches on a Dask cluster, in order, with few of them under way."""

import threading
import uuid

from sklearn_flipad.base.parallel import in_order
from sklearn_flipad.scoring.runs.attributors import load_checked
from sklearn_flipad.scoring.runs.batches import BatchScorer

__all__ = ["on_cluster"]

#: How often Dask repeats a batch that fails.
_RETRIES = 2
#: Batches under way for each thread: workers go on while the first of them is waited for.
_AHEAD = 4


def on_cluster(client, source, decoder, batches):
    """Yield the rows of each batch, in order; each worker is sent the attributor once."""
    plugin = _plugin(source, decoder)
    client.register_plugin(plugin, name=plugin.name)
    executor = client.get_executor(pure=False, retries=_RETRIES)
    n_ahead = _AHEAD * max(1, sum(client.nthreads().values()))
    try:
        yield from in_order(
            lambda batch: executor.submit(_score, batch, plugin.name), batches, n_ahead
        )
    finally:
        executor.shutdown(wait=False)
        client.unregister_worker_plugin(plugin.name)


def _plugin(source, decoder):
    """Scorer that all batches of a worker share; workers that join later get it, too."""
    from distributed import WorkerPlugin

    class Scorer(WorkerPlugin):
        name = f"score-files-{uuid.uuid4().hex}"

        def setup(self, worker):
            self.lock, self.found = threading.Lock(), None

        def scorer(self):
            with self.lock:
                if self.found is None:
                    self.found = BatchScorer(load_checked(source), decoder, source)
                return self.found

    return Scorer()


def _score(batch, plugin):
    from distributed import get_worker

    return get_worker().plugins[plugin].scorer()(batch)
