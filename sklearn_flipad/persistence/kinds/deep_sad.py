"""The trained net of DeepSADDetector."""

from dataclasses import dataclass

import numpy as np
import torch
from skorch import NeuralNet

from sklearn_flipad.base.modules import evaluating
from sklearn_flipad.detectors import networks
from sklearn_flipad.persistence.kinds.kind import Kind
from sklearn_flipad.persistence.kinds.networks import check_weights, fill, put_weights
from sklearn_flipad.persistence.kinds.probes import check_output, on_cpu, ramps
from sklearn_flipad.persistence.kinds.special import Special

__all__ = ["KINDS", "DeepSAD"]


@dataclass(frozen=True)
class _Parts:
    """All that makes a net, but for the device and the loss, which its detector knows."""

    cls: type
    arguments: dict
    weights: dict
    probe: np.ndarray


class DeepSAD(Special):
    """The net is made last, when its detector has all else."""

    def complete(self, detector):
        parts = vars(detector).get("net_")
        if parts is None:
            return
        if not isinstance(parts, _Parts):
            raise ValueError("net_ is no net")
        shape = parts.arguments.pop("input_shape")
        net = detector._untrained_net(parts.cls, parts.arguments, shape)
        fill(net.module_, parts.weights, parts.cls.__name__)
        check_output(_probe(net), parts.probe, "the module of the DeepSADDetector")
        detector.net_ = net
        detector._set_center(detector.center_)


def _probe(net):
    """Representations of two ramps."""
    with on_cpu(net.module_), evaluating(net.module_):
        return net.module_(ramps(net.module__input_shape)).numpy()


def _take_apart(net, path, writer):
    prefix = "module__"
    arguments = {k.removeprefix(prefix): v for k, v in vars(net).items() if k.startswith(prefix)}
    return {
        "module": writer.value(net.module, f"{path}/module"),
        "arguments": writer.value(arguments, f"{path}/arguments"),
        "state": put_weights(net.module_, path, writer),
        "probe": writer.put(_probe(net), f"{path}/probe"),
    }


def _put_together(node, reader):
    cls, arguments = reader.value(node["module"]), reader.value(node["arguments"])
    weights = reader.take_all(node["state"])
    if getattr(cls, "__module__", None) == networks.__name__:
        # Without memory first, so that a file cannot ask for more than it brings.
        with torch.device("meta"):
            check_weights(cls(**arguments), weights, cls.__name__)
    return _Parts(cls, arguments, weights, reader.take(node["probe"]))


def _holds(value, path):
    return isinstance(value, NeuralNet) and path.endswith("/net_")


KINDS = (Kind("net", _holds, _take_apart, _put_together, shared=False),)
