"""Content-addressed store of features on disk."""

import hashlib
import sqlite3
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from sklearn_flipad.storage.files import writable_path

__all__ = ["FeatureStore"]

_FILE = "features.sqlite"
_SCHEMA = b"CREATE TABLE entries (key TEXT PRIMARY KEY, content BLOB NOT NULL, used REAL NOT NULL)"
#: Seconds that a process waits for another one to finish writing.
_PATIENCE = 60
#: Errors from damaged files; their messages may hold bytes of the file.
_DAMAGE = (sqlite3.Error, UnicodeDecodeError)
#: Entries that are removed at a time when the store is full.
_EVICTED = 64


class FeatureStore:
    """Features by a digest of the sample and of everything else that they depend on, `context`.

    An SQLite file of plain bytes: entries appear whole or not at all, several processes may
    share it, and the least recently used entries leave when it grows past `size_limit` bytes. Each
    entry carries a digest of its key and content, so that a damaged one counts as missing. Nothing
    in it is ever unpickled or run. But whoever can write to the folder can replace features: they
    are not verified.
    """

    def __init__(self, folder, *, size_limit, context, shape):
        self._path = Path(folder) / _FILE
        self._size_limit = size_limit
        self._context = hashlib.sha256(context.encode())
        self._shape = shape
        self._connection = None
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            writable_path(self._path)  # SQLite would wait for the writer of a FIFO
            self._connection = sqlite3.connect(self._path, timeout=_PATIENCE, isolation_level=None)
            self._connection.text_factory = bytes
            self._connection.execute("PRAGMA trusted_schema = OFF")
            self._connection.execute("PRAGMA synchronous = OFF")
            self._connection.execute(_SCHEMA.decode().replace("TABLE", "TABLE IF NOT EXISTS"))
            self._check_schema()
        except (OSError, ValueError, *_DAMAGE) as error:
            self._fail(error)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._connection.close()

    def keys(self, X):
        """Keys of the samples, one for each row of X."""
        keys = []
        for sample in np.ascontiguousarray(X):
            digest = self._context.copy()
            digest.update(f"{sample.dtype}{sample.shape}".encode())
            digest.update(sample.tobytes())
            keys.append(digest.hexdigest())
        return keys

    def get(self, keys):
        """Pairs of features and duality gap, None for keys without an intact entry."""
        found = []
        with self._transaction():
            for key in keys:
                query = "SELECT content FROM entries WHERE key = ?"
                row = self._connection.execute(query, (key,)).fetchone()
                found.append(None if row is None else self._decoded(key, row[0]))
            used = [(key,) for key, entry in zip(keys, found, strict=True) if entry is not None]
            self._connection.executemany(
                "UPDATE entries SET used = julianday('now') WHERE key = ?", used
            )
        return found

    def _decoded(self, key, content):
        n_bytes = 32 + 8 + 4 * int(np.prod(self._shape))
        whole = isinstance(content, bytes) and len(content) == n_bytes
        if not whole or content[:32] != _digest(key, content[32:]):
            return None
        gap = np.frombuffer(content, np.float64, count=1, offset=32)[0]
        return np.frombuffer(content, np.float32, offset=40).reshape(self._shape), gap

    def put(self, keys, features, gaps):
        """Store the features and gaps of a batch of samples."""
        rows = []
        for key, sample, gap in zip(keys, features, gaps, strict=True):
            content = np.float64(gap).tobytes() + sample.tobytes()
            rows.append((key, _digest(key, content) + content))
        with self._transaction():
            self._connection.executemany(
                "INSERT OR REPLACE INTO entries VALUES (?, ?, julianday('now'))", rows
            )
            while self._size() > self._size_limit:
                oldest = f"SELECT key FROM entries ORDER BY used LIMIT {_EVICTED}"
                done = self._connection.execute(f"DELETE FROM entries WHERE key IN ({oldest})")
                if not done.rowcount:
                    break

    def _size(self):
        """Bytes in the pages that entries use."""
        pages, free, page_size = (
            self._connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * page_size

    @contextmanager
    def _transaction(self):
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            self._connection.execute("COMMIT")
        except _DAMAGE as error:
            self._fail(error)

    def _check_schema(self):
        """Raise if the file holds anything else, such as views or triggers of its own."""
        found = self._connection.execute("SELECT type, sql FROM sqlite_master").fetchall()
        if set(found) != {(b"table", _SCHEMA), (b"index", None)}:
            raise sqlite3.DatabaseError("it holds something else than entries")

    def _fail(self, error):
        if self._connection is not None:
            self._connection.close()
        raise OSError(
            f"The store of features in cache_dir={str(self._path.parent)!r} cannot be used: "
            f"{error}. If the folder is read-only, full or busy, fix that or choose another one; "
            f"if {_FILE} is damaged, delete it: features are then computed again."
        ) from error


def _digest(key, content):
    return hashlib.sha256(key.encode() + content).digest()
