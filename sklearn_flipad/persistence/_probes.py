"""What networks make of a few inputs, to tell others of the same weights from them."""

import numpy as np
import torch
from sklearn.base import clone
from torch import nn

from sklearn_flipad.base.modules import evaluating, run_generator, unwrap
from sklearn_flipad.base.randomness import seeded
from sklearn_flipad.generators.latents import latent_batches
from sklearn_flipad.persistence._networks import check_output

__all__ = [
    "check_autoencoder",
    "check_net",
    "check_search",
    "probe_autoencoder",
    "probe_net",
    "probe_search",
]

_N_SAMPLES = 2


def probe_net(net, sample_shape):
    """Representations that a DeepSAD network has for two ramps."""
    with _OnCpu(net.module_), evaluating(net.module_):
        return net.module_(_ramps(sample_shape)).numpy()


def check_net(net, sample_shape, expected):
    """Refuse another network."""
    check_output(probe_net(net, sample_shape), expected, "the module of the DeepSADDetector")


def probe_autoencoder(transformer):
    """Reconstructions that a ResidualTransformer's autoencoder makes of two ramps."""
    shape = getattr(transformer, "_sample_shape", (transformer.n_features_in_,))
    low, high = transformer.output_range or (-1.0, 1.0)
    ramps = (low + (high - low) * (_ramps(shape) + 1) / 2).numpy()
    with _OnCpu(transformer.autoencoder):
        return clone(transformer).set_params(device="cpu").reconstruct(ramps)


def check_autoencoder(transformer, expected):
    """Refuse another autoencoder."""
    what = "the autoencoder of the ResidualTransformer"
    check_output(probe_autoencoder(transformer), expected, what)


def probe_search(detector):
    """What a generator makes of a few inputs, and what a detector's functions say to that.

    Parameters
    ----------
    detector : ReproductionDetector or SMInvDetector
        Its generator, sampler, encoder and distance are run, on the CPU.

    Returns
    -------
    dict
        ``inputs``, ``output``, ``guess`` (None without a trained encoder) and ``distance``
        (None for the root mean square).
    """
    inputs = _inputs(detector)
    again = _inputs(detector)
    output = _generate(detector, inputs)
    same = all(torch.equal(a, b) for a, b in zip(inputs, again, strict=True))
    return {
        "inputs": [part.numpy() for part in inputs],
        "reproducible": same,
        "output": output.detach().numpy(),
        "guess": _guess(detector, output),
        "distance": _distance(detector, output),
    }


def check_search(detector, expected):
    """Refuse another generator, sampler, encoder or distance than was stored."""
    stored = tuple(torch.from_numpy(np.array(part)) for part in expected["inputs"])
    inputs = _inputs(detector)
    shapes = [[(part.shape, part.dtype) for part in parts] for parts in (inputs, stored)]
    same = shapes[0] == shapes[1]
    if same and expected["reproducible"]:
        same = all(torch.allclose(a, b) for a, b in zip(inputs, stored, strict=True))
    if not same:
        raise ValueError(
            "the generator's inputs are drawn in another way than when it was stored. Pass the "
            "sampler, and a generator with the latent_shape or the sampler, that it had then"
        )
    output = _generate(detector, stored)
    check_output(output.detach().numpy(), expected["output"], "the generator")
    output = torch.from_numpy(np.array(expected["output"]))
    for name, value in (
        ("encoder", _guess(detector, output)),
        ("distance", _distance(detector, output)),
    ):
        wanted = expected["guess" if name == "encoder" else name]
        if (value is None) != (wanted is None):
            raise ValueError(f"the {name} is not the one that was stored")
        if value is not None:
            check_output(value, wanted, f"the {name}")


def _ramps(sample_shape):
    """Two samples in [-1, 1]."""
    ramp = torch.linspace(-1, 1, int(np.prod(sample_shape))).reshape(1, *sample_shape)
    return torch.cat([ramp, -ramp])


def _inputs(detector):
    (inputs,) = latent_batches(
        unwrap(detector.generator),
        _N_SAMPLES,
        latent_shape=detector.latent_shape,
        sampler=detector.sampler,
        device=torch.device("cpu"),
        random_state=0,
    )
    return inputs


def _generate(detector, inputs):
    generator = unwrap(detector.generator)
    with _OnCpu(generator), seeded(0), evaluating(generator):
        return run_generator(generator, inputs)


def _guess(detector, output):
    from sklearn_flipad.reproduction import LatentEncoder

    encoder = getattr(detector, "encoder_", getattr(detector, "encoder", None))
    if isinstance(encoder, LatentEncoder):
        if not hasattr(encoder, "module_"):
            return None
        with _OnCpu(encoder.module_):
            return encoder.guess(output)[0].cpu().numpy()
    if encoder is None:
        return None
    with _OnCpu(encoder), evaluating(encoder):
        return encoder(output).flatten(1).numpy()


def _distance(detector, output):
    if isinstance(detector.distance, str):
        return None
    parts = [part for part in vars(detector.distance).values() if isinstance(part, nn.Module)]
    modules = [detector.distance] if isinstance(detector.distance, nn.Module) else parts
    with torch.no_grad(), _OnCpu(*modules):
        distance = detector.distance(output[:1], output[1:])
    return distance.detach().reshape(1).cpu().numpy()


class _OnCpu:
    """Modules on the CPU for the time of a ``with`` block."""

    def __init__(self, *modules):
        self.modules = modules

    def __enter__(self):
        self.devices = [_device(module) for module in self.modules]
        for module in self.modules:
            module.cpu()

    def __exit__(self, *exception):
        for module, device in zip(self.modules, self.devices, strict=True):
            module.to(device)


def _device(module):
    return next((tensor.device for tensor in module.state_dict().values()), torch.device("cpu"))
