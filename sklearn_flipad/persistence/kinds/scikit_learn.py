"""Estimators of scikit-learn, stored by skops.

Nothing is trusted beyond what skops trusts by itself, except the trees of forests. skops does not
trust them because scikit-learn follows the numbers in them unchecked; here they are checked.
"""

import copy
import io
import warnings
import zipfile

import numpy as np
import sklearn
from sklearn.exceptions import InconsistentVersionWarning

from sklearn_flipad.base.optional import import_optional
from sklearn_flipad.persistence.kinds.kind import Kind, refusing

__all__ = ["KINDS", "from_bytes", "full_name", "to_bytes"]

_TREE = "sklearn.tree._tree.Tree"
#: Estimators that compare samples with the number of features of each tree before they go down.
_WITH_TREES = (
    "DecisionTreeClassifier",
    "ExtraTreeClassifier",
    "ExtraTreesClassifier",
    "IsolationForest",
    "RandomForestClassifier",
)
#: Search trees of nearest neighbors are not stored: they follow from the samples.
_SEARCH_TREES = {"ball_tree": "BallTree", "kd_tree": "KDTree"}


def full_name(estimator):
    """The class of an object, with its module."""
    return f"{type(estimator).__module__}.{type(estimator).__qualname__}"


def to_bytes(estimator):
    """An estimator as bytes; ValueError if they could only be loaded by trusting them blindly."""
    skops = _import_skops()
    if getattr(estimator, "_fit_method", None) in _SEARCH_TREES:
        estimator = copy.copy(estimator)
        estimator._tree = None
    try:
        content = skops.dumps(estimator)
        untrusted = skops.get_untrusted_types(data=content)
        allowed = _trusted(type(estimator).__name__)
        refused = [name for name in untrusted if name not in allowed]
        reason = ", ".join(refused)
        if not refused:
            from_bytes(content, full_name(estimator))
    except Exception as error:  # skops raises many kinds
        refused, reason = True, str(error)[:300]
    if refused:
        raise ValueError(
            f"{type(estimator).__name__} has parts that are not safe to load from a file "
            f"({reason}). Put another estimator in its place, or a pipeline of the library's and "
            "scikit-learn's own; OneClassSVM, IsolationForest and EllipticEnvelope are stored"
        )
    return content


def from_bytes(content, name, version=None):
    """The estimator of a class, by its full name; a warning if another version wrote it."""
    skops = _import_skops()
    try:
        _check_sizes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InconsistentVersionWarning)  # once is enough
            estimator = skops.loads(content, trusted=_trusted(name.rpartition(".")[2]))
        if full_name(estimator) != name or not _is_own(estimator):
            raise ValueError(f"there is {full_name(estimator)} in its place")
        _check_trees(estimator)
        _restore_search_tree(estimator)
    except Exception as error:  # skops raises many kinds
        raise ValueError(f"{name} cannot be read: {str(error)[:300]}") from error
    if version is not None and version != sklearn.__version__:
        warnings.warn(
            InconsistentVersionWarning(
                estimator_name=type(estimator).__name__,
                current_sklearn_version=sklearn.__version__,
                original_sklearn_version=version,
            ),
            stacklevel=2,
        )
    return estimator


def _is_own(estimator):
    """Whether an object is an estimator of scikit-learn, and not of a subclass elsewhere."""
    is_own = type(estimator).__module__.partition(".")[0] == "sklearn"
    return is_own and hasattr(estimator, "get_params") and not isinstance(estimator, type)


def _check_sizes(content):
    """Raise ValueError if an archive is larger than its bytes once it is unpacked."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
    stored = all(member.compress_type == zipfile.ZIP_STORED for member in members)
    if not stored or sum(member.file_size for member in members) > len(content):
        raise ValueError("its parts are larger than they say")


def _trusted(name):
    return [_TREE] if name in _WITH_TREES else []


def _check_trees(estimator):
    """Raise ValueError if a tree leads out of its nodes, out of a sample or in circles."""
    for owner in _owners_of_trees(estimator, set()):
        tree = owner.tree_
        nodes = np.arange(tree.node_count)
        left, right = tree.children_left, tree.children_right
        leaf = (left == -1) & (right == -1)
        deeper = (left > nodes) & (right > nodes) & (np.maximum(left, right) < len(nodes))
        inside = (tree.feature >= 0) & (tree.feature < owner.n_features_in_)
        if not len(nodes) or not (leaf | (deeper & inside)).all():
            raise ValueError("a tree has nodes that lead nowhere")


def _owners_of_trees(value, seen):
    """Yield the objects with an attribute ``tree_`` in an object, wherever they are."""
    if id(value) in seen:
        return
    seen.add(id(value))
    attributes = getattr(value, "__dict__", {})
    if "tree_" in attributes:
        yield value
    parts = attributes.values()
    if isinstance(value, dict):
        parts = value.values()
    elif isinstance(value, list | tuple | set):
        parts = value
    elif isinstance(value, np.ndarray) and value.dtype == object:
        parts = value.ravel()
    for part in parts:
        yield from _owners_of_trees(part, seen)


def _restore_search_tree(estimator):
    """Build what :func:`to_bytes` left out, as scikit-learn's ``fit`` builds it."""
    method = getattr(estimator, "_fit_method", None)
    if method not in _SEARCH_TREES:
        return
    from sklearn import neighbors

    estimator._tree = getattr(neighbors, _SEARCH_TREES[method])(
        estimator._fit_X,
        estimator.leaf_size,
        metric=estimator.effective_metric_,
        **estimator.effective_metric_params_,
    )


def _import_skops():
    what = "Attributors with estimators of scikit-learn inside are stored by skops"
    return import_optional("skops.io", what, "skops")


def _take_apart(estimator, path, writer):
    with refusing(path):
        content = np.frombuffer(to_bytes(estimator), np.uint8)
    return {"class": full_name(estimator), "array": writer.put(content, path)}


def _put_together(node, reader):
    content = reader.take(node["array"]).tobytes()
    return from_bytes(content, node["class"], reader.sklearn_version)


KINDS = (Kind("sklearn", lambda value, path: _is_own(value), _take_apart, _put_together),)
