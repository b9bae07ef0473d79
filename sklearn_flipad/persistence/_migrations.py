"""Descriptions of earlier protocols as those of the next."""

from sklearn_flipad.persistence._nodes import nodes_of

__all__ = ["split_reconstruction"]

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
