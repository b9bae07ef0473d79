"""Partitions of the files on a Dask cluster, each a Parquet file when it is done."""

import hashlib
import json
import shutil
import threading
import uuid
from itertools import islice
from pathlib import Path

from sklearn_flipad.base.optional import import_optional
from sklearn_flipad.scoring.columns import uri_of
from sklearn_flipad.scoring.runs.attributors import load_checked
from sklearn_flipad.scoring.runs.batches import BatchScorer, check_listed, warn_if_none
from sklearn_flipad.scoring.runs.journal import check_header
from sklearn_flipad.scoring.runs.tables import import_pyarrow, write_parquet
from sklearn_flipad.storage.arrays import remove_partials, write_atomically

__all__ = ["Parts"]

#: Batches of one partition, which is what a lost worker has to do again.
_N_BATCHES = 8
#: How often Dask repeats a partition that fails, and partitions under way for each thread.
_RETRIES = 2
_AHEAD = 2


class Parts:
    """Rows of an unfinished run on a cluster, in a folder of numbered Parquet files.

    Parameters
    ----------
    folder : path-like
        The folder, which all workers see under this path.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self._run = self.folder / "run.json"
        self._n_parts = 0
        import_pyarrow()
        _import_distributed()

    def start(self, header, batch_size):
        """Begin, or go on with what an interrupted run left.

        Parameters
        ----------
        header : dict
            JSON values that describe the run.
        batch_size : int
            Files that a worker reads at a time. An interrupted run keeps its own.

        Raises
        ------
        ValueError
            If the folder is of another run.
        """
        self.folder.mkdir(exist_ok=True)
        remove_partials(self._run)
        if not self._run.exists():
            content = json.dumps({**header, "batch_size": batch_size}, indent=1)
            write_atomically(self._run, content.encode())
        found = json.loads(self._run.read_bytes())
        self._batch_size = found.pop("batch_size")
        check_header(found, header, self.folder)
        self._digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode()).hexdigest()

    def complete(self, client, source, decoder, entries, bar):
        """Score what the folder does not hold yet.

        Parameters
        ----------
        client : distributed.Client
            The cluster.
        source : Source
            The attributor, sent or loaded once for each worker.
        decoder : callable
            The decoder.
        entries : iterator of (str, Exception or None)
            The files.
        bar : tqdm.tqdm
            Shows the progress.

        Raises
        ------
        ValueError
            If the files are not those of the interrupted run.
        """
        distributed = _import_distributed()
        plugin = _plugin(source, decoder)
        client.register_plugin(plugin, name=plugin.name)
        ahead = _AHEAD * max(1, sum(client.nthreads().values()))
        under_way = distributed.as_completed([])
        try:
            partitions = iter(lambda: list(islice(entries, _N_BATCHES * self._batch_size)), [])
            for index, partition in enumerate(partitions):
                self._n_parts += 1
                if self._is_done(index, partition):
                    bar.update(len(partition))
                    continue
                future = client.submit(
                    _write_part,
                    str(self._path(index)),
                    partition,
                    self._batch_size,
                    self._metadata(partition),
                    plugin.name,
                    key=f"score-files-{uuid.uuid4().hex}",
                    retries=_RETRIES,
                    pure=False,
                )
                under_way.add(future)
                if under_way.count() >= ahead:
                    self._take(next(under_way), bar)
            for future in under_way:
                self._take(future, bar)
        finally:
            client.cancel(list(under_way.futures))
            client.unregister_worker_plugin(plugin.name)
        beyond = self._path(self._n_parts)
        if beyond.exists():
            check_listed(next(self._read(beyond))["uri"], None, "after the last")

    def rows(self):
        """Iterate over the rows.

        Yields
        ------
        dict
        """
        for index in range(self._n_parts):
            yield from self._read(self._path(index))

    def remove(self):
        """Remove the folder."""
        shutil.rmtree(self.folder)

    def _path(self, index):
        return self.folder / f"part-{index:06d}.parquet"

    def _metadata(self, partition):
        uris = "\n".join(uri_of(path) for path, _ in partition)
        return {"run": self._digest, "listing": hashlib.sha256(uris.encode()).hexdigest()}

    def _is_done(self, index, partition):
        pa, path = import_pyarrow(), self._path(index)
        try:
            metadata = pa.parquet.read_schema(path).metadata
        except (FileNotFoundError, pa.ArrowInvalid):
            return False
        found = {key.decode(): value.decode() for key, value in metadata.items()}
        wanted = self._metadata(partition)
        if {key: found.get(key) for key in wanted} == wanted:
            return True
        rows = list(self._read(path))
        for k, row in enumerate(rows):
            entry = partition[k] if k < len(partition) else None
            check_listed(row["uri"], entry, index * _N_BATCHES * self._batch_size + k)
        if len(rows) == len(partition):
            raise ValueError(f"{path} is of another run. Pass resume=False to score all again.")
        return False  # the last one of a listing that has grown

    def _read(self, path):
        pa = import_pyarrow()
        try:
            with pa.parquet.ParquetFile(path) as file:
                for batch in file.iter_batches():
                    yield from batch.to_pylist()
        except FileNotFoundError as error:
            raise RuntimeError(
                f"A worker wrote {path}, but it is not there: all workers must see the folder of "
                "out under the same path. Choose an out that they share."
            ) from error

    def _take(self, future, bar):
        n_rows, unscored = future.result()
        warn_if_none(unscored)
        bar.update(n_rows)


def _plugin(source, decoder):
    """What all partitions of a worker share; workers that come later get it too."""

    class Scorer(_import_distributed().WorkerPlugin):
        name = f"score-files-{uuid.uuid4().hex}"

        def setup(self, worker):
            self.lock, self.found = threading.Lock(), None

        def scorer(self):
            with self.lock:
                if self.found is None:
                    self.found = BatchScorer(load_checked(source), decoder, source.levels)
                return self.found

    return Scorer()


def _write_part(path, entries, batch_size, metadata, plugin):
    """Score a partition; how many rows it has, and all of them if none has a score."""
    scorer = _import_distributed().get_worker().plugins[plugin].scorer()
    rows = []
    for start in range(0, len(entries), batch_size):
        rows += scorer(entries[start : start + batch_size])
    remove_partials(path)
    write_atomically(path, lambda file: write_parquet(file, rows, metadata))
    scored = any(row["status"] == "scored" for row in rows)
    return len(rows), [] if scored else rows


def _import_distributed():
    """The package distributed."""
    return import_optional("distributed", "client= needs Dask", "distributed")
