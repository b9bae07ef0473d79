"""The generators of detectors as functions of latents, made once for each detector."""

from weakref import WeakKeyDictionary

from sklearn_flipad.base.devices import resolve_device
from sklearn_flipad.generators.process.latent_function import LatentFunction

__all__ = ["latent_function_of"]

#: By detector: what the function was made of, tensors that this refers to, and the function. It is
#: no attribute of the detector, so that scoring changes none, and neither copies nor files hold it.
_MADE = WeakKeyDictionary()


def latent_function_of(detector):
    """The :class:`LatentFunction` of a detector's generator.

    It is made anew where a parameter that it depends on, or a weight of the generator, was changed.
    """
    generator, shape = detector.generator, detector.latent_shape
    options = {
        "device": resolve_device(detector.device),
        "latent_shape": tuple(shape) if isinstance(shape, list) else shape,
        "sampler": detector.sampler,
        "random_state": detector.random_state,
    }
    tensors = [*generator.parameters(), *generator.buffers()]
    versions = [(id(t), 0 if t.is_inference() else t._version) for t in tensors]
    key = generator, options, versions
    made = _MADE.get(detector)
    if made is None or made[0] != key:
        made = _MADE[detector] = key, tensors, LatentFunction(generator, **options)
    return made[-1]
