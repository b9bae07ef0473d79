"""The scale of latents in a diffusion process, against that which its autoencoder decodes."""

import ast
import inspect
import json
from dataclasses import dataclass
from pathlib import Path

import torch

from sklearn_flipad.base.optional import import_optional

__all__ = ["LatentScale", "names_read"]

#: Names in an autoencoder's config that pipelines read before they decode.
_SCALE, _SHIFT, _MEAN, _STD = "scaling_factor", "shift_factor", "latents_mean", "latents_std"
#: All that pipelines read, with what they pass to a VQModel and a switch of float16.
_NAMES = (_SCALE, _SHIFT, _MEAN, _STD, "force_not_quantize", "force_upcast")
#: Methods of pipelines that decode.
_DECODING = ("__call__", "decode_latents")


@dataclass(frozen=True)
class LatentScale:
    """The affine map from latents of the process to those of the decoder, per channel.

    `factor` and `offset` are tensors (channels, 1, ...); `statistics` tells whether they come from
    the mean and deviation of the autoencoder's own latents, `scaling` is the config's factor.
    ``conflict`` says why the map is not known, or is None.
    """

    factor: torch.Tensor
    offset: torch.Tensor
    scaling: float
    statistics: bool
    conflict: str | None = None

    @classmethod
    def of(cls, autoencoder, latent_shape, read):
        """The scale by the names that a pipeline reads, or by all that an autoencoder has."""
        known = {name: _value(autoencoder, name) for name in (_SCALE, _SHIFT, _MEAN, _STD)}
        given = {name for name, value in known.items() if value is not None}
        read = read & set(known) if read else given
        used, conflict = given & read, None
        statistics = {_MEAN, _STD} <= used
        if statistics and _SHIFT in used and known[_SHIFT]:
            conflict = (
                f"The autoencoder's config has {_SHIFT} as well as {_MEAN} and {_STD}, and "
                "pipelines use one or the other. Pass the pipeline in place of its autoencoder, "
                "or latents as vae.decode takes them, with scaled=False."
            )
        shape = (latent_shape[0], *[1] * (len(latent_shape) - 1))
        scaling = float(known[_SCALE]) if _SCALE in given else 1.0
        like = {"dtype": torch.float32, "device": "cpu"}
        factor, offset = torch.ones(shape, **like), torch.zeros(shape, **like)
        if statistics:
            factor, offset = (
                torch.as_tensor(known[name], **like).reshape(shape) for name in (_STD, _MEAN)
            )
        elif _SHIFT in used:
            offset = offset + float(known[_SHIFT])
        # GLM-Image's pipeline, alone among those of diffusers, does not divide.
        return cls(
            factor / scaling if _SCALE in read else factor, offset, scaling, statistics, conflict
        )

    def unscaled(self, latents):
        """Latents of the process as the decoder takes them; ValueError if that is not known."""
        if self.conflict is not None:
            raise ValueError(self.conflict)
        return latents * self.factor.to(latents) + self.offset.to(latents)

    def deviation(self, latents):
        """Deviation within channels, relative to that of unit noise of the process."""
        unit = latents / self.factor.to(latents)
        within = unit.transpose(0, 1).flatten(1).std(dim=1)
        return float(within.square().mean().sqrt())

    def usual(self):
        """Smallest and largest deviation of latents of images, relative to unit noise."""
        # The autoencoder's own statistics standardize to the scaling factor.
        ends = (1.0, self.scaling) if self.statistics else (1.0,)
        return min(ends), max(ends)


def _value(autoencoder, name):
    """A value of an autoencoder's config, or one of its buffers."""
    value = autoencoder.config.get(name)
    return dict(autoencoder.named_buffers(recurse=False)).get(name) if value is None else value


def names_read(source):
    """Names that the pipeline's class reads or passes when it decodes; empty if unknown."""
    if isinstance(source, str | Path):
        texts = [_text_of_class(_class_named_in(Path(source)))]
    else:
        # A subclass may leave the decoding to the class that it extends.
        texts = map(_text_of_methods, type(source).__mro__)
    found = ({name for name in _NAMES if name in text} for text in texts)
    return next(filter(None, found), set())


def _text_of_methods(kind):
    """The code of a class that decodes, empty if it is not known."""
    methods = (vars(kind).get(name) for name in _DECODING)
    try:
        return "".join(inspect.getsource(method) for method in methods if callable(method))
    except (OSError, TypeError):
        return ""


def _class_named_in(folder):
    """Name of the class of a pipeline that a folder holds, None if there is none."""
    try:
        return str(json.loads((folder / "model_index.json").read_text())["_class_name"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _text_of_class(name):
    """The code of a pipeline of diffusers that decodes, empty if there is no such pipeline.

    It is read from the file: importing most pipelines takes other libraries.
    """
    diffusers = import_optional("diffusers", "Autoencoders of diffusers need it", "diffusers")
    for path in (Path(diffusers.__file__).parent / "pipelines").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if name is None or f"class {name}(" not in text:
            continue
        for part in ast.parse(text).body:
            if isinstance(part, ast.ClassDef) and part.name == name:
                methods = [m for m in part.body if getattr(m, "name", None) in _DECODING]
                return "".join(ast.get_source_segment(text, method) for method in methods)
    return ""
