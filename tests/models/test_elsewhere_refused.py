"""Folders from elsewhere that are refused: what is not known, does not fit, is damaged or too large, in a sentence."""

import json
import math

import pytest
from safetensors.torch import load_file, save_file

import vae
from tests.models.folders import KL, TINY, written
from vae.models.elsewhere import CONFIG, MOST_CONFIG, WEIGHTS

HUGE = [8, 16, 16, 4 * 10**9]
REFUSED = {
    "another class": (
        KL,
        {"_class_name": "AutoencoderDC"},
        "_class_name in .* must be AutoencoderKL or .*'AutoencoderDC'",
    ),
    "no class": (KL, {"_class_name": None}, "_class_name in .*, not 'None'"),
    "a class that is none": (KL, {"_class_name": ["AutoencoderKL"]}, "_class_name in .* must be"),
    "an unknown key": (KL, {"colour": 1}, "colour is not known here"),
    "grey pictures": (KL, {"in_channels": 1}, "in_channels must be 3, not 1"),
    "another activation": (KL, {"act_fn": "mish"}, "act_fn must be silu or swish, not mish"),
    "another block": (
        KL,
        {"down_block_types": ["DownEncoderBlock2D", "AttnDownEncoderBlock2D"] * 2},
        "down_block_types must be DownEncoderBlock2D, not AttnDownEncoderBlock2D",
    ),
    "too few blocks": (KL, {"up_block_types": ["UpDecoderBlock2D"]}, "up_block_types has 1 entries, and there are 4"),
    "a mean for each channel": (KL, {"latents_mean": [0.1] * 4}, "latents_mean must be None, not 0.1"),
    "a step of 16": (
        KL,
        {"block_out_channels": [8] * 5},
        "a place of z may speak for at most 8 x 8 pixels, which are 1 to 4 stages, not 5",
    ),
    "null for a number": (KL, {"layers_per_block": None}, "layers_per_block must be of type int, not 'None'"),
    "a long number": (KL, {"layers_per_block": 10**4000}, "layers_per_block must be 1 to 64, not 10000"),
    "no stage": (KL, {"block_out_channels": []}, "1 to 4 stages, not 0"),
    "words for numbers": (KL, {"block_out_channels": "8, 8"}, "block_out_channels must be whole numbers, not 8, 8"),
    "parts of channels": (KL, {"block_out_channels": [8, 8, 8, 8.5]}, "block_out_channels must be whole numbers"),
    "groups that do not divide": (KL, {"norm_num_groups": 3}, "multiples of norm_num_groups, 3, not"),
    "no groups": (KL, {"norm_num_groups": 0}, "norm_num_groups must be at least 1, not 0"),
    "no channels": (KL, {"block_out_channels": [0, 8, 8, 8]}, "block_out_channels must be multiples"),
    "too many layers": (KL, {"layers_per_block": 10**9}, "layers_per_block must be 1 to 64, not 1000000000"),
    "a word for a switch": (KL, {"use_quant_conv": "no"}, "use_quant_conv must be of type bool, not 'no'"),
    "no latents": (KL, {"latent_channels": 0}, "at least one latent, not 0"),
    "a scale of 0": (KL, {"scaling_factor": 0}, "scaling_factor must be a number above 0, not 0.0"),
    "no number": (KL, {"scaling_factor": math.nan}, "scaling_factor must be a number above 0, not nan"),
    "too large a number": (KL, {"scaling_factor": 10**400}, "too large to convert to float"),
    "an infinite shift": (KL, {"shift_factor": math.inf}, "shift_factor must be a number, not inf"),
    "another upsampling": (TINY, {"upsample_fn": "bilinear"}, "upsample_fn must be nearest, not bilinear"),
    "channels that change": (
        TINY,
        {"encoder_block_out_channels": [8, 8, 8, 16]},
        "encoder_block_out_channels must be one number of channels at every size",
    ),
    "too few sizes": (TINY, {"num_decoder_blocks": [1, 1]}, "num_decoder_blocks must have 4 entries.*, not 2"),
    "too many blocks": (TINY, {"num_encoder_blocks": [1, 1, 1, 10**9]}, "0 to 64 blocks at a size, not 1000000000"),
    "a key of the other class": (TINY, {"norm_num_groups": 4}, "norm_num_groups is not known here"),
    "more channels than weights": (KL, {"block_out_channels": [8, 16, 16, 32]}, "do not fit their configuration: .*24"),
    "huge": (KL, {"block_out_channels": HUGE}, "do not fit their configuration"),
    "absurd": (KL, {"block_out_channels": [8, 16, 16, 4 * 10**30]}, "do not fit .* no model is that large"),
    "huge latents": (KL, {"latent_channels": 10**18}, "do not fit their configuration"),
    "more layers than weights": (KL, {"layers_per_block": 3}, "do not fit .* and is absent"),
}


@pytest.mark.parametrize(("config", "changes", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_known_is_refused_with_a_sentence_that_names_it(config, changes, sentence, tmp_path):
    folder = written(tmp_path / "model", config)
    (folder / CONFIG).write_text(json.dumps(config | changes))
    with pytest.raises(ValueError, match=sentence) as refusal:
        vae.load(folder)
    assert type(refusal.value) is ValueError
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 300 + len(str(folder))


TEXTS = {
    "deep": ("[" * 10**5, "is not JSON"),
    "deep in a value": ('{"_class_name": "AutoencoderKL", "act_fn": ' + "[" * 10**5, "is not JSON"),
    "too long": (" " * MOST_CONFIG + "{}", r"is not read: it has 262,146 bytes, of at most 262,144"),
    "nothing": ("", "is not JSON"),
    "a list": ("[1]", "is not a JSON object"),
    "no text": ("\xff\xfe", "is not JSON"),
}


@pytest.mark.parametrize(("text", "sentence"), TEXTS.values(), ids=TEXTS)
def test_a_config_that_is_none_is_refused_with_one_sentence(text, sentence, tmp_path):
    folder = written(tmp_path, KL)
    (folder / CONFIG).write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=sentence) as refusal:
        vae.load(folder)
    assert len(str(refusal.value)) < 300 + len(str(folder))


def test_weights_without_their_config_and_a_folder_without_weights_are_told_so(tmp_path):
    folder = written(tmp_path / "model", KL)
    (folder / CONFIG).unlink()
    with pytest.raises(ValueError, match=r"there is no .*config\.json"):
        vae.load(folder)
    with pytest.raises(ValueError, match=r"carries no model configuration.*folder with its config\.json"):
        vae.load(folder / WEIGHTS[0])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"there are no weights in .*: it needs model\.safetensors, or config\.json"):
        vae.load(tmp_path / "empty")
    with pytest.raises(ValueError, match="there is no weights file"):
        vae.load(tmp_path / "missing")


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_weights_that_are_not_all_numbers_are_refused(bad, tmp_path):
    folder = written(tmp_path, KL)
    weights = load_file(folder / WEIGHTS[0])
    weights["decoder.conv_in.bias"][3] = bad
    save_file(weights, folder / WEIGHTS[0])
    with pytest.raises(ValueError, match=r"not all numbers: decoder\.conv_in\.bias has infinities or NaN"):
        vae.load(folder)


def test_weights_larger_than_a_caller_allows_are_refused(tmp_path):
    folder = written(tmp_path, TINY)
    size = (folder / WEIGHTS[0]).stat().st_size
    vae.load(folder, "cpu", most=size)
    with pytest.raises(ValueError, match="MB are read"):
        vae.load(folder, "cpu", most=size - 1)


def test_a_device_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match="'abacus' is not a device"):
        vae.load(written(tmp_path, TINY), "abacus")
