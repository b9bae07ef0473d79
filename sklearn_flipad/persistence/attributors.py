"""Saving and loading attributors, without pickle."""

import json
from os import fspath

import numpy as np
import scipy
import sklearn
import skorch
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from sklearn_flipad.base.devices import resolve_device
from sklearn_flipad.base.version import __version__
from sklearn_flipad.calibration import FNRThresholdCalibrator, OpenSetAttributor
from sklearn_flipad.calibration.attributors import calibrator_of
from sklearn_flipad.persistence._protocol import FORMAT, PROTOCOL, naming, read_description
from sklearn_flipad.persistence._reader import Reader
from sklearn_flipad.persistence._writer import Writer
from sklearn_flipad.storage.arrays import save_arrays
from sklearn_flipad.storage.files import printable, writable_path

__all__ = ["load_attributor", "save_attributor"]


def save_attributor(attributor, path, *, notes=None):
    """Write a fitted attributor to one file, without pickle.

    Arrays are stored as safetensors, estimators of scikit-learn by skops, and all else as JSON.
    The file holds a SHA-256 of all its bytes, a protocol number and the versions that wrote it.
    If writing is interrupted, an older file of that name stays as it was.

    Parameters
    ----------
    attributor : AttributionPipeline, Pipeline, FNRThresholdCalibrator or OpenSetAttributor
        A fitted attributor: from a ``make_*`` function, another pipeline that ends with an
        :class:`~sklearn_flipad.FNRThresholdCalibrator`, or an
        :class:`~sklearn_flipad.OpenSetAttributor` of these. Pass the ``best_estimator_`` of a
        search; of a :class:`~sklearn.frozen.FrozenEstimator`, the estimator inside is saved.
    path : path-like
        File to write.
    notes : dict of str to object, default=None
        JSON values for :func:`inspect_attributor` to show, such as the origin of the samples of
        ``fit``. They have no effect, and the loaded attributor does not keep them.

    Raises
    ------
    ValueError
        If `notes` are no JSON values, the attributor is not fitted, or a part of it could not be
        loaded without running code from elsewhere: an estimator that is neither of this library
        nor of scikit-learn, a subclass, an attribute that its class does not set. The message
        names the part, and what to do. Nothing is written then.
    ImportError
        If a part is an estimator of scikit-learn and skops is missing.

    See Also
    --------
    load_attributor : Read the file.
    inspect_attributor : Describe the file.

    Notes
    -----
    Devices, caches, checkpoints and verbosity belong to a machine and are not stored; nor is
    the state of random generators, which matters in ``fit`` alone. Torch modules from elsewhere
    are stored as their weights, and functions by their names: whoever loads the file is asked
    for the code.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sklearn_flipad import load_attributor, make_whitened, save_attributor
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.uniform(-0.5, 0.5, (200, 4)), np.repeat([1, -1], 100)
    >>> attributor = make_whitened("tanh", fnr=0.1, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_attributor(attributor, f"{folder}/model.flipad")
    ...     loaded = load_attributor(f"{folder}/model.flipad")
    >>> bool((loaded.score_samples(X) == attributor.score_samples(X)).all())
    True
    """
    while isinstance(attributor, FrozenEstimator):
        attributor = attributor.estimator
    _check_attributor(attributor)
    notes = _checked_notes(notes)
    writable_path(path)
    writer = Writer()
    tree = writer.value(attributor, "attributor")
    description = {
        "format": FORMAT,
        "protocol": PROTOCOL,
        "versions": _versions(),
        "needs": writer.needs,
        "attributor": tree,
        "notes": notes,
    }
    save_arrays(path, writer.arrays, description)


def load_attributor(path, *, objects=None, device=None, max_bytes=2**33):
    """Read an attributor that :func:`save_attributor` wrote.

    No pickle is read, and no code that the file names is imported or run.

    Parameters
    ----------
    path : path-like
        File to read.
    objects : dict of str to object, default=None
        Code that the file needs and does not hold, by its name in the file, as
        ``{"package.module:Generator": Generator}``. For a torch module: a module, which is
        copied, or a function without arguments that returns one, such as its class; it gets the
        weights of the file. For the network of a :class:`~sklearn_flipad.DeepSADDetector`: its
        class. For a sampler or a distance: the function. The message about missing code shows
        the line to write. The generators of :mod:`sklearn_flipad.zoo` need nothing.
    device : str or torch.device, default=None
        Device of all estimators that have that parameter; CUDA if there is one, else the CPU.
    max_bytes : int, default=2**33
        Largest file that is read.

    Returns
    -------
    estimator
        The attributor. It gives the same scores as the one that was saved, bit for bit with the
        same versions on the same kind of processor.

    Raises
    ------
    ValueError
        If the file is damaged, incomplete, too large or of another kind, was written by a later
        version, or needs other `objects` than were passed.
    FileNotFoundError
        If there is no such file.
    ImportError
        If the file holds an estimator of scikit-learn and skops is missing.

    Warns
    -----
    InconsistentVersionWarning
        If another version of scikit-learn wrote its estimators.

    Notes
    -----
    Every version of the library reads files of its own protocol number and of all earlier ones.

    The checksum shows damage, not forgery: whoever can write the file can write its checksum.
    Load files only from those whose verdicts you would trust.
    """
    if device is not None:
        resolve_device(device)
    objects = dict(objects or {})
    arrays, description = read_description(path, max_bytes)[:2]
    _check_objects(path, objects, description["needs"])
    reader = Reader(arrays, objects, device, description["versions"].get("scikit-learn"))
    with naming(path, "loaded"):
        attributor = reader.value(description["attributor"])
        if reader.unused:
            raise ValueError(f"the array {min(reader.unused)[:100]!r} belongs to nothing")
        _check_attributor(attributor)
    return attributor


def _check_attributor(attributor):
    """Raise ValueError if an estimator gives no calibrated verdicts."""
    last = attributor.steps[-1][1] if isinstance(attributor, Pipeline) else attributor
    calibrators = [last]
    if isinstance(attributor, OpenSetAttributor):
        calibrators = [calibrator_of(part) for part in vars(attributor).get("estimators_", ())]
    for calibrator in calibrators:
        if not isinstance(calibrator, FNRThresholdCalibrator):
            hint = " Of a search, save best_estimator_." if hasattr(last, "best_estimator_") else ""
            raise ValueError(
                "An attributor is an FNRThresholdCalibrator, a pipeline that ends with one, as the "
                "make_* functions return, or an OpenSetAttributor of such; got "
                f"{type(calibrator).__name__}.{hint}"
            )
    if not calibrators or not all(hasattr(part, "threshold_") for part in calibrators):
        raise ValueError("The attributor is not fitted; call fit before it is saved.")


def _checked_notes(notes):
    """Notes as they will be read; ValueError if they are no JSON values."""
    try:
        found = json.loads(json.dumps({} if notes is None else notes, allow_nan=False))
        if not isinstance(found, dict):
            raise TypeError(f"got a {type(notes).__name__}")
    except (TypeError, ValueError) as error:
        raise ValueError(f"notes must be a dict of JSON values: {error}.") from error
    return found


def _versions():
    return {
        "sklearn_flipad": __version__,
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "scipy": scipy.__version__,
        "skorch": skorch.__version__,
        "torch": torch.__version__,
    }


def _check_objects(path, objects, needs):
    missing = [name for name in needs if name not in objects]
    unknown = sorted(set(objects) - set(needs))
    if missing:
        listed = "; ".join(f"{name!r}, {needs[name]['what']}" for name in missing)
        shown = ", ".join(f"{name!r}: {need['write']}" for name, need in needs.items())
        raise ValueError(
            printable(
                f"{fspath(path)} needs code that it does not hold: {listed}. Import that, and write"
                f" load_attributor({fspath(path)!r}, objects={{{shown}}})."
            )
        )
    if unknown:
        raise ValueError(
            f"objects has {', '.join(map(repr, unknown))}, which {printable(path)} does not need; "
            f"it needs {', '.join(map(repr, needs)) or 'none'}."
        )
