"""Descriptions of earlier protocols as those of the next."""

from dataclasses import fields
from itertools import count

import numpy as np

from sklearn_flipad.calibration.rules import PAC, Conformal, Quantile, as_rule
from sklearn_flipad.persistence._nodes import nodes_of

__all__ = ["keep_levels", "split_reconstruction"]

#: Parameters of the former ReconstructionDetector that its successors do not have.
_WITHOUT_ENCODER = ("encoder", "processing", "n_newton", "n_calibration")
_WITH_ENCODER = ("optimizer", "lr", "patience")
#: Numbers that ``"auto"`` stood for without an encoder.
_AUTO = {"n_restarts": 10, "max_iter": 1000}


def split_reconstruction(description, arrays):
    """Protocol 1 as 2: the ReconstructionDetector is a ReproductionDetector or an SMInvDetector."""
    for node in nodes_of(description["attributor"]):
        if node.get("class") == "ReconstructionDetector":
            node |= _successor(node["params"])
    return description, arrays


def _successor(params):
    """Class and parameters of the detector that took the place of one with these parameters."""
    if params["encoder"] is not None:
        kept = {name: value for name, value in params.items() if name not in _WITH_ENCODER}
        return {"class": "ReproductionDetector", "params": kept}
    kept = {name: value for name, value in params.items() if name not in _WITHOUT_ENCODER}
    auto = {name: number for name, number in _AUTO.items() if kept[name] == "auto"}
    return {"class": "SMInvDetector", "params": kept | auto}


def keep_levels(description, arrays):
    """Protocol 2 as 3: fitted calibrators hold the level and the rule of their threshold.

    A level that was set after fit is not that of the threshold, which tells the right one.
    """
    tree = description["attributor"]
    numbers = count(1 + max((node["id"] for node in nodes_of(tree) if "id" in node), default=-1))
    for node in list(nodes_of(tree)):
        if node.get("class") == "FNRThresholdCalibrator" and node["fitted"]:
            rule, fitted = _rule_node(node["params"]["rule"], numbers), node["fitted"]
            scores = arrays[fitted["calibration_scores_"]["array"]]
            described = _by_id(tree, rule)
            given = float(node["params"]["fnr"])
            fitted["fnr_"] = _level(described, scores, given, fitted["threshold_"])
            fitted["rule_"] = rule
    return description, arrays


def _rule_node(rule, numbers):
    """Node of the rule that a parameter names or holds."""
    if isinstance(rule, str):
        rule = as_rule(rule)
        items = {field.name: getattr(rule, field.name) for field in fields(rule)}
        name = type(rule).__name__
        return {"id": next(numbers), "kind": "value", "class": name, "items": items}
    return {"kind": "same", "id": rule["id"]}


def _by_id(tree, node):
    """The node itself, or the one that it stands for."""
    if node["kind"] != "same":
        return node
    return next(n for n in nodes_of(tree) if n.get("id") == node["id"] and n["kind"] != "same")


def _level(node, scores, fnr, threshold):
    """The level if it gives the threshold, else the smallest one that does."""
    rule = {"Conformal": Conformal, "PAC": PAC, "Quantile": Quantile}[node["class"]](
        **node["items"]
    )
    if len(scores) >= rule.min_size(fnr) and rule.threshold(scores, fnr) == threshold:
        return fnr
    above = np.nextafter(threshold, np.inf)
    if isinstance(rule, Quantile):
        return float(np.clip(np.mean(scores >= above), 1 / (len(scores) + 1), 0.999))
    return float(rule.p_values(scores, [above])[0])
