"""The trained net of DeepSADDetector."""

import torch
from skorch import NeuralNet

from sklearn_flipad.base.modules import evaluating
from sklearn_flipad.persistence.kinds.kind import Kind
from sklearn_flipad.persistence.kinds.networks import check_weights, fill, put_weights
from sklearn_flipad.persistence.kinds.probes import check_output, on_cpu, ramps
from sklearn_flipad.persistence.kinds.special import Special

__all__ = ["KINDS", "DeepSAD"]


class DeepSAD(Special):
    """The net is made last, when its detector has all else."""

    def complete(self, detector):
        if hasattr(detector, "net_"):
            detector.net_ = detector.net_(detector)
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
    """A function that makes the net of a detector, which knows the device and the loss."""
    cls, arguments = reader.value(node["module"]), reader.value(node["arguments"])
    weights, expected = reader.take_all(node["state"]), reader.take(node["probe"])
    shape = arguments.pop("input_shape")
    if node["module"]["kind"] != "object":
        # Without memory first, so that a file cannot ask for more than it brings.
        with torch.device("meta"):
            check_weights(cls(shape, **arguments), weights, cls.__name__)

    def make(detector):
        net = detector._untrained_net(cls, arguments, shape)
        fill(net.module_, weights, cls.__name__)
        check_output(_probe(net), expected, "the module of the DeepSADDetector")
        return net

    return make


def _holds(value, path):
    return isinstance(value, NeuralNet) and path.endswith("/net_")


KINDS = (Kind("net", _holds, _take_apart, _put_together, shared=False),)
