"""Decoders of latent diffusion models."""

import json
import sys
import types
import warnings

import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from sklearn_flipad import FinalLayer, OpenSetAttributor, make_flipad
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.final_layer import LatentDecoder
from sklearn_flipad.generators import sample

diffusers = pytest.importorskip("diffusers")


def autoencoder(seed=0, **config):
    """A small one, never trained."""
    kinds = {
        "block_out_channels": (8, 16),
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2,
        "norm_num_groups": 4,
        "sample_size": 16,
    }
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return diffusers.AutoencoderKL(**{**kinds, **config}).eval()


@pytest.fixture(scope="module")
def vae():
    return autoencoder()


@pytest.fixture(scope="module")
def latents():
    return torch.randn(6, 4, 8, 8, generator=torch.Generator().manual_seed(1)) / 0.18215


def activations_and_pixels(vae, latents):
    """Input of the last convolution, and the pixels that a pipeline makes."""
    seen = []
    hook = vae.decoder.conv_out.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        decoded = vae.decode(latents).sample
    hook.remove()
    processor = diffusers.image_processor.VaeImageProcessor()
    return seen[0], processor.postprocess(decoded, output_type="pt")


@pytest.mark.parametrize("post_quant", [True, False])
def test_what_a_pipeline_makes_of_latents(post_quant, latents):
    vae = autoencoder(use_post_quant_conv=post_quant)
    layer = FinalLayer.from_diffusers(vae, latents=latents, batch_size=4)
    activations, pixels = activations_and_pixels(vae, latents)
    assert [link.kind for link in layer.links] == ["conv"]
    assert (layer.input_shape, layer.output_shape) == ((8, 16, 16), (3, 16, 16))
    assert layer.output_range == (0, 1)
    np.testing.assert_allclose(layer.mean_activation, activations.mean(dim=0), atol=1e-5)
    np.testing.assert_allclose(np.clip(layer.decode(activations), 0, 1), pixels, atol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(LatentDecoder(vae)(latents), pixels)


def test_latents_of_the_diffusion_process_are_unscaled(latents):
    vae = autoencoder(shift_factor=0.3)
    layer = FinalLayer.from_diffusers(vae, latents=latents)
    process = (latents - 0.3) * vae.config.scaling_factor
    again = FinalLayer.from_diffusers(vae, latents=process, scaled=True)
    np.testing.assert_allclose(again.mean_activation, layer.mean_activation, atol=1e-5)
    with pytest.warns(UserWarning, match="pass scaled=True"):
        FinalLayer.from_diffusers(vae, latents=process)
    with pytest.warns(UserWarning, match="False for those of vae.encode"):
        FinalLayer.from_diffusers(vae, latents=latents, scaled=True)


STATISTICS = {"latents_mean": [-1.7, 1.9, -1.4, 2.5], "latents_std": [8.5, 5.9, 6.6, 5.2]}


def pipeline_of(kind, vae, folder):
    """A folder as that of a pipeline of diffusers: what is read is the code of its class."""
    vae.save_pretrained(folder / kind / "vae")
    (folder / kind / "model_index.json").write_text(json.dumps({"_class_name": kind}))
    return folder / kind


def statistics():
    return (torch.tensor(STATISTICS[name]).view(1, 4, 1, 1) for name in STATISTICS)


@pytest.mark.parametrize("kind", [None, "StableDiffusionXLPipeline", "GlmImagePipeline"])
def test_pipelines_use_mean_and_deviation_of_latents(kind, latents, tmp_path):
    vae = autoencoder(scaling_factor=0.5, **STATISTICS)
    process, (mean, std) = latents * 0.18215, statistics()
    factor = std / (1 if kind == "GlmImagePipeline" else 0.5)
    expected = process * factor + mean
    source = vae if kind is None else pipeline_of(kind, vae, tmp_path)
    torch.testing.assert_close(LatentDecoder(source).unscaled(process), expected)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="The latents deviate")
        layer = FinalLayer.from_diffusers(source, latents=expected)
        again = FinalLayer.from_diffusers(source, latents=process, scaled=True)
        # Those of the autoencoder's images have the mean and deviation of its config.
        FinalLayer.from_diffusers(source, latents=process * std + mean)
    np.testing.assert_allclose(again.mean_activation, layer.mean_activation, atol=1e-4)
    with pytest.warns(UserWarning, match="pass scaled=True"):
        FinalLayer.from_diffusers(source, latents=process)
    with pytest.warns(UserWarning, match="False for those of vae.encode"):
        FinalLayer.from_diffusers(source, latents=expected, scaled=True)
    drawn = LatentDecoder(source).sampler(400, np.random.RandomState(0))
    unit = ((drawn - mean) / factor).transpose(0, 1).flatten(1)
    np.testing.assert_allclose(unit.std(dim=1), 1, atol=0.05)
    np.testing.assert_allclose(unit.mean(dim=1), 0, atol=0.05)


def test_pipelines_that_use_less_of_the_config(latents, tmp_path):
    both = autoencoder(scaling_factor=0.5, shift_factor=0.3, **STATISTICS)
    for kind, shift in (("StableDiffusionPipeline", 0.0), ("StableDiffusion3Pipeline", 0.3)):
        decoder = LatentDecoder(pipeline_of(kind, both, tmp_path))
        torch.testing.assert_close(decoder.unscaled(latents), latents / 0.5 + shift)
    mean, std = statistics()
    sdxl = latents * std / 0.5 + mean
    pipeline = pipeline_of("StableDiffusionXLPipeline", both, tmp_path)
    torch.testing.assert_close(LatentDecoder(pipeline).unscaled(latents), sdxl)
    # Nothing says which of them a pipeline uses.
    process = latents * 0.18215
    with pytest.raises(ValueError, match="Pass the pipeline in place of its autoencoder"):
        FinalLayer.from_diffusers(both, latents=process, scaled=True)
    with pytest.raises(ValueError, match="Pass the pipeline in place of its autoencoder"):
        FinalLayer.from_diffusers(both)
    layer = FinalLayer.from_diffusers(pipeline, latents=process, scaled=True)
    same = FinalLayer.from_diffusers(both, latents=process * std / 0.5 + mean, scaled=False)
    np.testing.assert_allclose(same.mean_activation, layer.mean_activation, atol=1e-4)


class Pipeline:
    """In the manner of those of diffusers."""

    def __call__(self, latents):
        latents = latents / self.vae.config.scaling_factor
        return self.vae.decode(latents + self.vae.config.shift_factor).sample


class Extended(Pipeline):
    def __call__(self, latents):
        return super().__call__(latents).clamp(-1, 1)


def test_a_pipeline_s_own_code_says_what_it_uses(latents):
    both = autoencoder(scaling_factor=0.5, shift_factor=0.3, **STATISTICS)
    for kind in (Pipeline, Extended):
        pipeline = kind()
        pipeline.vae = both
        torch.testing.assert_close(LatentDecoder(pipeline).unscaled(latents), latents / 0.5 + 0.3)


def test_own_images_of_a_pipeline_are_accepted():
    vae = autoencoder(scaling_factor=0.5, **STATISTICS)
    decoder, (mean, std) = LatentDecoder(vae), statistics()
    layer = FinalLayer.from_diffusers(vae, random_state=0)
    own = sample(decoder, 200, output_range=(0, 1), random_state=1)
    other = sample(LatentDecoder(autoencoder(1)), 100, output_range=(0, 1), random_state=1)
    detector = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    attributor = make_flipad(layer, pool_size=2, detector=detector, fnr=0.1, random_state=0)
    attributor.fit(np.concatenate([own, other]), np.repeat([1, -1], [200, 100]))
    process = torch.randn(100, 4, 8, 8, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        pixels = vae.decode(process * std / 0.5 + mean).sample / 2 + 0.5
    images = np.rint(pixels.clamp(0, 1).numpy() * 255).astype(np.uint8)
    assert (attributor.predict(images) == 1).mean() > 0.8


def test_forms_of_latents_and_autoencoders(vae, latents):
    expected = FinalLayer.from_diffusers(vae, latents=latents).fingerprint
    for form in (latents.numpy(), list(latents), list(latents.numpy()), latents.double()):
        assert FinalLayer.from_diffusers(vae, latents=form).fingerprint == expected
    compiled = torch.compile(vae, backend="eager")
    assert FinalLayer.from_diffusers(compiled, latents=latents).fingerprint == expected
    mixed = autoencoder()
    mixed.encoder.half()  # it makes no pixels
    assert FinalLayer.from_diffusers(mixed, latents=latents).fingerprint == expected
    distribution = vae.encode(torch.rand(6, 3, 16, 16)).latent_dist
    with pytest.raises(ValueError, match=r"pass latent_dist\.sample"):
        FinalLayer.from_diffusers(vae, latents=distribution)
    with pytest.raises(ValueError, match="complex"):
        FinalLayer.from_diffusers(vae, latents=latents + 0j)


def test_drawn_latents(vae):
    options = {"n_samples": 6, "random_state": 0}
    layer = FinalLayer.from_diffusers(vae, **options)
    assert layer.output_shape == (3, 16, 16)
    assert FinalLayer.from_diffusers(vae, **options).fingerprint == layer.fingerprint
    other = FinalLayer.from_diffusers(vae, sample_size=(8, 24), **options)
    assert other.output_shape == (3, 8, 24)


def test_a_pipeline_and_its_folders(vae, latents, tmp_path):
    expected = FinalLayer.from_diffusers(vae, latents=latents).fingerprint
    pipeline = types.SimpleNamespace(vae=vae)
    vae.save_pretrained(tmp_path / "pipeline" / "vae")
    for source in (pipeline, str(tmp_path / "pipeline"), tmp_path / "pipeline" / "vae"):
        assert FinalLayer.from_diffusers(source, latents=latents).fingerprint == expected


def test_folders_that_are_none(vae, tmp_path):
    with pytest.raises(ValueError, match=r"no local folder\. Nothing is downloaded"):
        FinalLayer.from_diffusers("someone/some-model")
    with pytest.raises(ValueError, match=r"no config\.json of an autoencoder"):
        FinalLayer.from_diffusers(tmp_path)
    vae.save_pretrained(tmp_path / "pickled", safe_serialization=False)
    with pytest.raises(ValueError, match="no weights that can be read"):
        FinalLayer.from_diffusers(tmp_path / "pickled")
    (tmp_path / "config.json").write_text(json.dumps({"_class_name": "UNet2DModel"}))
    with pytest.raises(TypeError, match="of class UNet2DModel, not one of AutoencoderKL, "):
        FinalLayer.from_diffusers(tmp_path)


def test_what_is_refused(latents):
    tiled = autoencoder()
    tiled.enable_tiling()
    FinalLayer.from_diffusers(tiled, latents=latents)  # one tile
    with pytest.raises(ValueError, match="in tiles"):
        FinalLayer.from_diffusers(tiled, sample_size=64)
    with pytest.raises(TypeError, match=r"got UNet2DModel\. For others, wrap"):
        FinalLayer.from_diffusers(diffusers.UNet2DModel(block_out_channels=(32,) * 4))
    with pytest.raises(TypeError, match=r"must be one of AutoencoderKL, .*got int"):
        FinalLayer.from_diffusers(3)
    with pytest.raises(ValueError, match="multiples of 2"):
        FinalLayer.from_diffusers(autoencoder(), sample_size=15)
    with pytest.raises(ValueError, match=r"shape \(n, 4, height, width\)"):
        FinalLayer.from_diffusers(autoencoder(), latents=latents[:, :3])
    with pytest.raises(ValueError, match="not finite"):
        FinalLayer.from_diffusers(autoencoder(), latents=latents * np.nan)
    with pytest.raises(ValueError, match="pass one of the two"):
        FinalLayer.from_diffusers(autoencoder(), latents=latents, sample_size=16)


def test_models_that_share_a_decoder_are_named(vae, latents):
    def attributor(vae, seed):
        layer = FinalLayer.from_diffusers(vae, n_samples=4, random_state=seed)
        detector = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        return make_flipad(layer, pool_size=4, detector=detector, fnr=0.2, random_state=0)

    first, second = attributor(vae, 0), attributor(vae, 1)
    layers = [part.get_params()["invert__final_layer"] for part in (first, second)]
    assert layers[0].fingerprint != layers[1].fingerprint
    assert layers[0].map_fingerprint == layers[1].map_fingerprint
    X = np.random.default_rng(0).integers(0, 256, (60, 3, 16, 16), dtype=np.uint8)
    names = np.repeat(["v1-1", "v1-4", "v2"], 20)
    other = attributor(autoencoder(1), 0)
    together = OpenSetAttributor([("v1-1", first), ("v1-4", second), ("v2", other)])
    with pytest.warns(UserWarning, match="'v1-1' and 'v1-4' have the same final layer"):
        together.fit(X, names)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        OpenSetAttributor([("v1-1", first), ("v2", other)]).check_fit(
            X, np.repeat(["v1-1", "v2"], 30)
        )


def test_missing_diffusers(monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(ImportError, match=r"sklearn-flipad\[diffusers\]"):
        FinalLayer.from_diffusers("folder")


def test_from_an_autoencoder_to_a_verdict(vae):
    decoder = LatentDecoder(vae)
    layer = FinalLayer.from_diffusers(vae, random_state=0)
    own = sample(decoder, 160, output_range=(0, 1), random_state=1)
    assert own.shape == (160, 3, 16, 16)
    real = np.repeat(load_fashion_sample(80)[:, :, 8:24, 8:24], 3, axis=1)
    other = sample(LatentDecoder(autoencoder(1)), 40, output_range=(0, 1), random_state=1)
    detector = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    attributor = make_flipad(layer, pool_size=2, detector=detector, fnr=0.1, random_state=0)
    attributor.fit(np.concatenate([own[:120], real]), np.repeat([1, -1], [120, 80]))
    assert (attributor.predict(own[120:]) == 1).mean() > 0.7
    assert (attributor.predict(other) == -1).mean() > 0.9
