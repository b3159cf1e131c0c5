"""Folders as diffusers writes them, of small networks with random weights."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from vae.models import build
from vae.models.elsewhere import CONFIG, WEIGHTS, read_config

KL = {
    "_class_name": "AutoencoderKL",
    "_diffusers_version": "0.42.1",
    "act_fn": "silu",
    "block_out_channels": [8, 16, 16, 24],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": 4,
    "layers_per_block": 2,
    "norm_num_groups": 4,
    "sample_size": 32,
    "scaling_factor": 0.18215,
}
TINY = {
    "_class_name": "AutoencoderTiny",
    "in_channels": 3,
    "out_channels": 3,
    "act_fn": "relu",
    "encoder_block_out_channels": [8, 8, 8, 8],
    "decoder_block_out_channels": [12, 12, 12, 12],
    "num_encoder_blocks": [1, 2, 1, 2],
    "num_decoder_blocks": [2, 1, 2, 1],
    "latent_channels": 4,
    "upsampling_scaling_factor": 2,
    "upsample_fn": "nearest",
    "latent_magnitude": 3,
    "latent_shift": 0.5,
    "block_out_channels": [12, 12, 12, 12],
    "force_upcast": False,
    "scaling_factor": 1.0,
    "shift_factor": 0.0,
}
TWO = {"down_block_types": ["DownEncoderBlock2D"] * 2, "up_block_types": ["UpDecoderBlock2D"] * 2}
CONFIGS = {
    "like Stable Diffusion": KL,
    "like FLUX": KL
    | {
        "latent_channels": 16,
        "scaling_factor": 0.3611,
        "shift_factor": 0.1159,
        "use_quant_conv": False,
        "use_post_quant_conv": False,
        "latents_mean": None,
    },
    "without attention": KL | {"mid_block_add_attention": False, "shift_factor": None},
    "one of the quant convolutions": KL | {"use_quant_conv": False},
    "step of 2": KL | TWO | {"block_out_channels": [6, 12], "layers_per_block": 1, "norm_num_groups": 3},
    "like TAESD": TINY,
    "tiny, scaled and shifted": TINY | {"latent_channels": 16, "scaling_factor": 0.7, "shift_factor": 0.3},
    "tiny, step of 4": TINY
    | {
        "encoder_block_out_channels": [8, 8, 8],
        "decoder_block_out_channels": [8, 8, 8],
        "num_encoder_blocks": [0, 1, 3],
        "num_decoder_blocks": [3, 2, 0],
        "block_out_channels": [8, 8, 8],
    },
}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def stirred(model: torch.nn.Module) -> torch.nn.Module:
    """The same model with every weight moved, also those that begin as zeros and ones."""
    generator = seeded(7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    return model.requires_grad_(False).eval()


def written(folder: Path, config: dict) -> Path:
    """A folder as diffusers writes it; the names of the weights are checked against diffusers below."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(json.dumps(config))
    model = stirred(build(read_config(folder / CONFIG), seeded()))
    save_file(model.state_dict(), folder / WEIGHTS[0])
    return folder


def pictures(count: int = 2, height: int = 32, width: int = 48) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=seeded(1))
