"""Decoders of all known autoencoders of diffusers, never trained."""

import json
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_flipad import FinalLayer, ReproductionDetector
from sklearn_flipad.final_layer import LatentDecoder, LatentGuess
from sklearn_flipad.generators import sample

diffusers = pytest.importorskip("diffusers")

BLOCKS = {
    "down_block_types": ("DownEncoderBlock2D",) * 2,
    "up_block_types": ("UpDecoderBlock2D",) * 2,
    "norm_num_groups": 4,
    "sample_size": 16,
}
TWO = {"block_out_channels": (8, 16), **BLOCKS}
VQ = {**TWO, "num_vq_embeddings": 16}
MOVQ = {
    "norm_type": "spatial",
    "latent_channels": 4,
    "block_out_channels": (32, 32),
    "norm_num_groups": 32,
}
DC = {
    "latent_channels": 4,
    "attention_head_dim": 2,
    "encoder_block_types": ("ResBlock", "EfficientViTBlock"),
    "decoder_block_types": ("ResBlock", "EfficientViTBlock"),
    "encoder_block_out_channels": (8, 8),
    "decoder_block_out_channels": (8, 8),
    "encoder_layers_per_block": (1, 1),
    "encoder_qkv_multiscales": ((), (5,)),
    "decoder_qkv_multiscales": ((), (5,)),
    "scaling_factor": 0.4,
}
WAN = {
    "base_dim": 4,
    "z_dim": 4,
    "dim_mult": [1, 2],
    "num_res_blocks": 1,
    "temperal_downsample": [True],
    "latents_mean": [0.1, -0.2, 0.3, 0.4],
    "latents_std": [2.0, 0.5, 1.0, 3.0],
}
#: Wan 2.2: residual blocks, and the last layer makes patches of 2x2 pixels.
PATCHED = {
    "dim_mult": [1, 1],
    "is_residual": True,
    "in_channels": 12,
    "out_channels": 12,
    "patch_size": 2,
}
COG = {
    "down_block_types": ("CogVideoXDownBlock3D",) * 2,
    "up_block_types": ("CogVideoXUpBlock3D",) * 2,
    "block_out_channels": (8, 8),
    "latent_channels": 4,
    "layers_per_block": 1,
    "norm_num_groups": 2,
    "temporal_compression_ratio": 2,
}
LTX = {
    "latent_channels": 8,
    "block_out_channels": (8,) * 4,
    "decoder_block_out_channels": (8,) * 4,
    "layers_per_block": (1,) * 5,
    "decoder_layers_per_block": (1,) * 5,
    "spatio_temporal_scaling": (True, False, False, False),
    "decoder_spatio_temporal_scaling": (True, False, False, False),
    "patch_size": 2,
}
#: Class, config, size of a sample, shape of its latent, name of the last convolution.
KINDS = {
    "KL": ("AutoencoderKL", TWO, 16, (4, 8, 8), "decoder.conv_out"),
    "Tiny": (
        "AutoencoderTiny",
        {
            "encoder_block_out_channels": (8, 8),
            "decoder_block_out_channels": (8, 8),
            "num_encoder_blocks": (1, 1),
            "num_decoder_blocks": (1, 1),
        },
        16,
        (4, 8, 8),
        "decoder.layers.6",
    ),
    "asymmetric": (
        "AsymmetricAutoencoderKL",
        {**BLOCKS, "down_block_out_channels": (8, 8), "up_block_out_channels": (8, 16)},
        (16, 24),
        (4, 8, 12),
        "decoder.conv_out",
    ),
    "VQ": ("VQModel", VQ, 16, (3, 8, 8), "decoder.conv_out"),
    "MoVQ": (
        "VQModel",
        {**VQ, **MOVQ},
        16,
        (4, 8, 8),
        "decoder.conv_out",
    ),
    "DC": (
        "AutoencoderDC",
        {**DC, "decoder_layers_per_block": (1, 1)},
        16,
        (4, 8, 8),
        "decoder.conv_out",
    ),
    "DC, pixel shuffle": (
        "AutoencoderDC",
        {**DC, "decoder_layers_per_block": (0, 1)},
        16,
        (4, 8, 8),
        "decoder.conv_out.conv",
    ),
    "Oobleck": (
        "AutoencoderOobleck",
        {
            "encoder_hidden_size": 6,
            "downsampling_ratios": [2, 4],
            "channel_multiples": [1, 2],
            "decoder_channels": 4,
            "decoder_input_channels": 3,
        },
        64,
        (3, 8),
        "decoder.conv2",
    ),
    "Wan": ("AutoencoderKLWan", WAN, 16, (4, 1, 8, 8), "decoder.conv_out"),
    "Wan, patches": (
        "AutoencoderKLWan",
        {**WAN, **PATCHED},
        16,
        (4, 1, 4, 4),
        "decoder.conv_out",
    ),
    "QwenImage": ("AutoencoderKLQwenImage", WAN, 16, (4, 1, 8, 8), "decoder.conv_out"),
    "CogVideoX": (
        "AutoencoderKLCogVideoX",
        COG,
        (5, 16, 16),
        (4, 3, 8, 8),
        "decoder.conv_out.conv",
    ),
    "CogVideoX, image": (
        "AutoencoderKLCogVideoX",
        COG,
        16,
        (4, 1, 8, 8),
        "decoder.conv_out.conv",
    ),
    "LTX": ("AutoencoderKLLTXVideo", LTX, (5, 16, 16), (8, 3, 4, 4), "decoder.conv_out.conv"),
    "LTX, causal": (
        "AutoencoderKLLTXVideo",
        {**LTX, "decoder_causal": True},
        (3, 8, 16),
        (8, 2, 2, 4),
        "decoder.conv_out.conv",
    ),
}


def made(kind, seed=0):
    """An autoencoder, and the size, latent shape and last convolution of its entry."""
    name, config, *rest = KINDS[kind]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return getattr(diffusers, name)(**config).eval(), *rest


def latents_of(shape, n=3):
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(1))


def what_a_pipeline_makes(vae, latents):
    with torch.no_grad():
        decoded = vae.decode(latents).sample
    if isinstance(vae, diffusers.AutoencoderOobleck):
        return decoded.clamp(-1, 1)
    pixels = (decoded / 2 + 0.5).clamp(0, 1)
    return pixels[:, :, 0] if pixels.ndim == 5 and pixels.shape[2] == 1 else pixels


@pytest.mark.filterwarnings("ignore:The latents deviate")
@pytest.mark.parametrize("kind", KINDS)
def test_the_layer_makes_what_a_pipeline_makes(kind):
    vae, size, latent_shape, last = made(kind)
    latents = latents_of(latent_shape)
    layer = FinalLayer.from_diffusers(vae, latents=latents, batch_size=2)
    seen = []
    hook = vae.get_submodule(last).register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    samples = what_a_pipeline_makes(vae, latents)
    hook.remove()
    assert samples.std() > 0.01
    assert layer.output_shape == samples.shape[1:]
    assert layer.input_shape == seen[-1].shape[1:]
    decoded = np.clip(layer.decode(seen[-1]), *layer.output_range)
    np.testing.assert_allclose(decoded, samples, atol=1e-5)
    np.testing.assert_allclose(layer.mean_activation, seen[-1].mean(dim=0), atol=1e-5)
    decoder = LatentDecoder(vae, sample_size=size)
    assert decoder.latent_shape == latent_shape
    assert decoder.output_range == layer.output_range
    with torch.no_grad():
        torch.testing.assert_close(decoder(decoder._quantized(latents)), samples)
    # What is drawn differs from what is given, and the map does not.
    drawn = FinalLayer.from_diffusers(vae, sample_size=size, n_samples=4, random_state=0)
    assert drawn.map_fingerprint == layer.map_fingerprint
    assert not any(".encoder." in name for name, _ in decoder.named_parameters())
    # The encoder returns latents of these samples, and the noise of none.
    with torch.no_grad():
        encoded = vae.encode(vae.decode(latents).sample.clamp(-1, 1), return_dict=False)[0]
        if not torch.is_tensor(encoded):
            encoded = encoded.mean
        guessed = LatentGuess(vae)(samples)
    assert guessed.shape == latents.shape
    torch.testing.assert_close(guessed, decoder._quantized(encoded))


@pytest.mark.parametrize("kind", ["Tiny", "VQ", "DC", "Wan", "LTX", "CogVideoX"])
def test_gradients_pass_the_decoder(kind):
    vae, size, latent_shape, _ = made(kind)
    latents = latents_of(latent_shape).requires_grad_(True)
    x = LatentDecoder(vae, sample_size=size)(latents)
    (gradient,) = torch.autograd.grad(x.square().sum(), latents)
    assert gradient.isfinite().all()
    assert gradient.any()


@pytest.mark.parametrize("kind", ["VQ", "Wan"])
def test_own_samples_are_reproduced_and_those_of_another_seed_are_not(kind):
    vae, *_ = made(kind)
    decoder, other = (LatentDecoder(v, sample_size=8) for v in (vae, made(kind, 1)[0]))
    detector = ReproductionDetector(decoder, encoder=LatentGuess(vae), n_restarts=0, max_iter=50)
    samples = [sample(d, 2, random_state=0) for d in (decoder, other)]
    found = detector.reconstruct(np.concatenate(samples))
    np.testing.assert_array_equal(found.reproduced, [True, True, False, False])
    assert found.distances[2:].min() > 5


def test_latents_of_a_process_have_the_class_s_own_scale():
    latents = latents_of((4, 1, 8, 8))
    vae, *_ = made("Wan")
    mean, std = (
        torch.tensor(vae.config[name]).view(4, 1, 1, 1) for name in ("latents_mean", "latents_std")
    )
    decoder = LatentDecoder(vae, sample_size=16)
    torch.testing.assert_close(decoder.unscaled(latents), latents * std + mean)
    # Those of LTX are buffers, and its pipeline divides by the scaling factor, too.
    vae, size, latent_shape, _ = made("LTX")
    vae.latents_mean += 0.5
    vae.latents_std *= 3
    vae.register_to_config(scaling_factor=2.0)
    latents = latents_of(latent_shape)
    torch.testing.assert_close(
        LatentDecoder(vae, sample_size=size).unscaled(latents), latents * 3 / 2 + 0.5
    )
    vae, *_ = made("DC")
    latents = latents_of((4, 8, 8))
    decoder = LatentDecoder(vae, sample_size=16)
    torch.testing.assert_close(decoder.unscaled(latents), latents / 0.4)


def test_latents_of_a_vq_model_are_vectors_of_its_codebook(tmp_path):
    vae, *_ = made("VQ")
    process = latents_of((3, 8, 8))
    decoder = LatentDecoder(vae)
    quantized = decoder.unscaled(process)
    codebook = vae.quantize.embedding.weight
    vectors = quantized.movedim(1, -1).reshape(-1, 3)
    distances = (vectors[:, None] - codebook).norm(dim=2)
    assert distances.min(dim=1).values.max() < 1e-6
    torch.testing.assert_close(quantized, decoder.unscaled(process * 1.0))
    # Pipelines of Kandinsky decode what they are given.
    vae.save_pretrained(tmp_path / "movq")
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "KandinskyPipeline"}))
    kandinsky = LatentDecoder(tmp_path)
    torch.testing.assert_close(kandinsky.unscaled(process), process)
    with torch.no_grad():
        expected = vae.decode(process, force_not_quantize=True).sample / 2 + 0.5
        torch.testing.assert_close(kandinsky(process), expected.clamp(0, 1))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_that_of_the_samples(dtype):
    vae, *_ = made("KL")
    full = FinalLayer.from_diffusers(vae, n_samples=8, random_state=0)
    half = FinalLayer.from_diffusers(vae.to(dtype), n_samples=8, random_state=0)
    rounded = full.links[0].weight.astype(np.float32)
    expected = torch.from_numpy(rounded).to(dtype).float().numpy()
    np.testing.assert_array_equal(half.links[0].weight, expected)
    np.testing.assert_allclose(half.mean_activation, full.mean_activation, atol=0.05)
    own = sample(LatentDecoder(vae), 2, dtype="float32", random_state=0)
    assert (torch.from_numpy(own).to(dtype).float().numpy() == own).all()


class Upcasting:
    """In the manner of pipelines of Stable Diffusion XL."""

    def __call__(self, latents):
        if self.vae.dtype == torch.float16 and self.vae.config.force_upcast:
            self.vae.to(dtype=torch.float32)
        return self.vae.decode(latents / self.vae.config.scaling_factor)


def test_pipelines_that_decode_in_single_precision():
    pipeline = Upcasting()
    pipeline.vae = made("KL")[0].half()
    latents = latents_of((4, 8, 8))
    with torch.no_grad():
        x = LatentDecoder(pipeline)(latents)
        torch.testing.assert_close(x, LatentDecoder(made("KL")[0].half().float())(latents))
    assert pipeline.vae.dtype == torch.float16
    assert LatentDecoder(pipeline.vae).autoencoder.dtype == torch.float16
    pipeline.vae.register_to_config(force_upcast=False)
    assert LatentDecoder(pipeline).autoencoder.dtype == torch.float16


def test_slices_are_not_tiles():
    vae, *_ = made("KL")
    expected = FinalLayer.from_diffusers(vae, n_samples=4, random_state=0)
    vae.enable_slicing()
    layer = FinalLayer.from_diffusers(vae, n_samples=4, random_state=0)
    assert layer.map_fingerprint == expected.map_fingerprint
    np.testing.assert_allclose(layer.mean_activation, expected.mean_activation, atol=1e-5)


@pytest.mark.parametrize("kind", ["KL", "Tiny", "DC", "Oobleck", "Wan", "CogVideoX", "LTX"])
def test_tiles_are_refused(kind):
    vae, size, latent_shape, _ = made(kind)
    vae.enable_tiling()
    for name in vars(vae):
        if name.startswith("tile_") and isinstance(getattr(vae, name), int):
            setattr(vae, name, 4)
    latents = latents_of(latent_shape)
    decoder = LatentDecoder(vae, sample_size=size)
    with pytest.raises(ValueError, match=r"in tiles .* Call disable_tiling\(\)"):
        decoder(latents)
    with pytest.raises(ValueError, match="in tiles"):
        FinalLayer.from_diffusers(vae, latents=latents)
    vae.disable_tiling()
    assert LatentDecoder(vae, sample_size=size)(latents).shape[0] == len(latents)


def test_frames_in_parts_are_refused_and_the_first_part_is_that_of_the_video():
    for kind, n_frames, more in (("Wan", 1, 3), ("QwenImage", 1, 2), ("CogVideoX", 3, 5)):
        vae, _, (n_channels, *_), _ = made(kind)
        latents = latents_of((n_channels, more, 8, 8))
        with pytest.raises(ValueError, match=rf"latents\[:, :, :{n_frames}\]"):
            FinalLayer.from_diffusers(vae, latents=latents)
        video = what_a_pipeline_makes(vae, latents)
        first = what_a_pipeline_makes(vae, latents[:, :, :n_frames])
        first = first[:, :, None] if first.ndim == 4 else first
        torch.testing.assert_close(video[:, :, : first.shape[2]], first)
        FinalLayer.from_diffusers(vae, latents=latents[:, :, :n_frames])


def test_sizes_and_classes_that_are_refused():
    refused = partial(pytest.raises, ValueError)
    with refused(match="sample_size is needed: the config of this AutoencoderTiny has none"):
        LatentDecoder(made("Tiny")[0])
    with refused(match=r"3 number\(s\), 1 more than a multiple of 2 \(frames\), then mult"):
        LatentDecoder(made("LTX")[0], sample_size=(4, 16, 16))
    with refused(match=r"1 number\(s\), multiples of 8, which"):
        LatentDecoder(made("Oobleck")[0], sample_size=(64, 64))
    with refused(match=r"shape \(n, 3, length\)"):
        FinalLayer.from_diffusers(made("Oobleck")[0], latents=latents_of((3, 8, 8)))
    with refused(match=r"shape \(n, 4, frames, height, width\), got .* must be unpacked"):
        FinalLayer.from_diffusers(made("QwenImage")[0], latents=latents_of((16, 16)))
    timed = diffusers.AutoencoderKLLTXVideo(**LTX, timestep_conditioning=True)
    with refused(match="also takes a timestep.*Wrap it in a module"):
        FinalLayer.from_diffusers(timed, sample_size=16)
    with pytest.raises(TypeError, match=r"AutoencoderTiny, .*got Linear"):
        LatentDecoder(nn.Linear(2, 2))


def test_a_class_that_is_absent_is_no_error(monkeypatch, tmp_path):
    vae, *_ = made("Tiny")
    vae.save_pretrained(tmp_path)
    monkeypatch.delattr(diffusers, "AutoencoderDC", raising=False)
    assert LatentDecoder(tmp_path, sample_size=16).latent_shape == (4, 8, 8)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "_class_name": "AutoencoderDC"}))
    monkeypatch.setattr(diffusers, "AutoencoderDC", None, raising=False)
    with pytest.raises(ImportError, match=r"has no AutoencoderDC\. Update it"):
        LatentDecoder(tmp_path, sample_size=16)
