"""Models from elsewhere: what diffusers itself computes is the oracle, and what is read is a model of the lab."""

import json
import math
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

import vae
from tests.models.folders import CONFIGS, KL, TINY, pictures, seeded, stirred, written
from vae.latent import maps
from vae.models import checkpoint
from vae.models.elsewhere import CONFIG, PHOTO, WEIGHTS, read_config
from vae.models.families.foreign import DEVIATION
from vae.models.spaces import Map
from vae.objective import elbo, importance_bound, terms

EVERY = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)


# ---- against diffusers ----


@pytest.fixture
def diffusers():
    return pytest.importorskip("diffusers")


def theirs(diffusers, config: dict) -> torch.nn.Module:
    torch.manual_seed(3)
    kind = getattr(diffusers, config["_class_name"])
    unsaid = ("block_out_channels",) if config["_class_name"] == "AutoencoderTiny" else ()  # which it adds itself
    said = {key: value for key, value in config.items() if key[0] != "_" and key not in unsaid}
    return stirred(kind(**said))


@EVERY
def test_what_is_encoded_and_decoded_is_what_diffusers_itself_says(config, diffusers, tmp_path):
    other = theirs(diffusers, config)
    other.save_pretrained(tmp_path)
    model = vae.load(tmp_path, "cpu")
    scale, shift = config["scaling_factor"], config.get("shift_factor") or 0.0
    x = pictures()
    q, said = model.encode(x), other.encode(2 * x - 1)
    if model.prior is None:
        mu, sigma = said.latents, torch.zeros_like(said.latents)
    else:
        mu, sigma = said.latent_dist.mean, said.latent_dist.std
    assert mu.std() > 0.01
    torch.testing.assert_close(q.mean, (mu - shift) * scale, atol=2e-5, rtol=1e-5)
    torch.testing.assert_close(q.stddev, sigma * scale, atol=2e-5, rtol=1e-5)
    z = 2 * torch.randn(mu.shape, generator=seeded(2))
    drawn = other.decode(z / scale + shift).sample
    assert drawn.std() > 0.01
    torch.testing.assert_close(model.decode(z).base_dist.loc, (drawn + 1) / 2, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize(("bias", "log_variance"), [(100.0, 20), (-100.0, -30)])
def test_the_width_of_q_is_cut_where_diffusers_cuts_it(bias, log_variance, diffusers, tmp_path):
    other = theirs(diffusers, KL)
    with torch.no_grad():
        other.quant_conv.bias[4:] = bias
    other.save_pretrained(tmp_path)
    q, x = vae.load(tmp_path, "cpu").encode(pictures()), pictures()
    torch.testing.assert_close(q.stddev, other.encode(2 * x - 1).latent_dist.std * KL["scaling_factor"])
    assert q.stddev.flatten()[0] == pytest.approx(math.exp(log_variance / 2) * KL["scaling_factor"])


def test_a_pipelines_folder_with_halved_weights_is_read(diffusers, tmp_path):
    other = theirs(diffusers, KL)
    other.half().save_pretrained(tmp_path / "vae", variant="fp16")
    (tmp_path / "model_index.json").write_text("{}")
    (tmp_path / "text_encoder").mkdir()
    (tmp_path / "text_encoder" / "model.safetensors").touch()
    model = vae.load(tmp_path, "cpu")
    assert next(model.parameters()).dtype == torch.float32
    expected = other.float().encode(2 * pictures() - 1).latent_dist.mean * KL["scaling_factor"]
    torch.testing.assert_close(model.encode(pictures()).mean, expected, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["AutoencoderKL", "AutoencoderTiny"])
def test_a_configuration_without_a_key_means_what_it_means_to_diffusers(name, diffusers, tmp_path):
    (tmp_path / CONFIG).write_text(json.dumps({"_class_name": name}))
    found, default = read_config(tmp_path / CONFIG), getattr(diffusers, name)().config
    assert found.latents == default["latent_channels"]
    compared = vars(found).keys() & default.keys()
    assert {"scaling_factor", "shift_factor"} < compared
    for key in compared:
        expected = default[key] or 0.0 if key == "shift_factor" else default[key]
        assert getattr(found, key) == (tuple(expected) if isinstance(expected, list | tuple) else expected), key


# ---- as a model of the lab ----


@EVERY
def test_a_model_from_elsewhere_comes_back_from_a_file_of_the_labs_bit_for_bit(config, tmp_path):
    model = vae.load(written(tmp_path / "theirs", config), "cpu")
    checkpoint.save(model, tmp_path / "ours" / checkpoint.WEIGHTS)
    for path in (tmp_path / "ours", tmp_path / "ours" / checkpoint.WEIGHTS):
        again = vae.load(path, "cpu")
        assert again.config == model.config
        assert not again.training
        assert not any(parameter.requires_grad for parameter in again.parameters())
        q, p = model.encode(pictures()), again.encode(pictures())
        assert torch.equal(q.mean, p.mean)
        assert torch.equal(q.stddev, p.stddev)
        assert torch.equal(model.decode(q.mean).mean, again.decode(p.mean).mean)
    assert checkpoint.head(tmp_path / "ours" / checkpoint.WEIGHTS)[0] == model.config


@EVERY
def test_it_is_a_model_of_photos_whose_z_is_a_map(config, tmp_path):
    model, x = vae.load(written(tmp_path, config), "cpu"), pictures()
    step = 2 ** (len(config["block_out_channels"]) - 1)
    assert model.input_spec == PHOTO
    assert model.config.space == Map(config["latent_channels"], step)
    q = model.encode(x)
    assert q.batch_shape == (2,)
    assert q.event_shape == model.config.space.shape(32, 48)
    p = model.decode(q.mean)
    assert p.event_shape == (3, 32, 48)
    assert p.log_prob(x.mul(255).round() / 255).isfinite().all()
    assert p.mean.min() >= 0
    assert p.mean.max() <= 1
    with pytest.raises(ValueError, match=f"multiples of {step}, not 32 x {48 + step // 2}"):
        model.encode(pictures(1, 32, 48 + step // 2))


def test_the_likelihood_is_a_logistic_of_the_stated_width(tmp_path):
    model = vae.load(written(tmp_path, KL), "cpu")
    pixels = model.decode(torch.zeros(1, 4, 2, 2)).base_dist
    assert pixels.log_scale.exp() * math.pi / math.sqrt(3) == pytest.approx(torch.full((1, 3, 16, 16), DEVIATION))


def test_a_kl_model_has_bounds_that_rise_and_a_tiny_one_has_none(tmp_path):
    model, tiny = (vae.load(written(tmp_path / name, config), "cpu") for name, config in (("kl", KL), ("tiny", TINY)))
    x = pictures(1, 8, 8).mul(255).round() / 255
    assert importance_bound(model, x, 200, seeded()) > elbo(model, x, 200, seeded())
    assert model.config.prior
    assert not tiny.config.prior
    assert tiny.prior is None
    assert torch.equal(terms(tiny, x).kl, torch.zeros(1))
    for bound in (lambda: elbo(tiny, x), lambda: importance_bound(tiny, x, 3)):
        with pytest.raises(ValueError, match="no prior"):
            bound()


@pytest.mark.parametrize("config", [KL, TINY], ids=["kl", "tiny"])
def test_of_a_channel_that_is_cut_q_is_the_prior_or_zero_and_the_decoder_is_told_nothing(config, tmp_path):
    model, keep = vae.load(written(tmp_path, config), "cpu"), torch.tensor([1, 3])
    cut, x = model.given(keep), pictures()
    q, whole = cut.encode(x), model.encode(x)
    for row, k in enumerate(keep):
        assert torch.equal(q.mean[row, :k], whole.mean[row, :k])
        assert torch.equal(q.stddev[row, :k], whole.stddev[row, :k])
        assert (q.mean[row, k:] == 0).all()
        assert (q.stddev[row, k:] == (0 if model.prior is None else 1)).all()
    z = whole.mean.clone()
    z[0, 1:] += 5
    assert torch.equal(cut.decode(z).mean[0], cut.decode(whole.mean).mean[0])
    torch.testing.assert_close(cut.decode(z).mean[1], model.decode(q.mean).mean[1])


@pytest.mark.parametrize("name", ["like Stable Diffusion", "step of 2", "like TAESD", "tiny, step of 4"])
@pytest.mark.parametrize("strip", [1, 40])
def test_a_photo_in_strips_or_in_one_piece_is_what_the_model_says_of_the_whole(name, strip, tmp_path, monkeypatch):
    model = vae.load(written(tmp_path, CONFIGS[name]), "cpu")
    monkeypatch.setattr(maps, "STRIP", strip)
    levels = torch.randint(0, 256, (3, 160, 16), generator=seeded(4)).byte()
    photo = maps.encoded(model, levels)
    q = model.encode(levels[None] / 255)
    torch.testing.assert_close(photo.mu, q.mean[0], rtol=0, atol=1e-5)
    torch.testing.assert_close(photo.sigma, q.stddev[0], rtol=0, atol=1e-5)
    back = maps.decoded(model, photo.mu, 3)
    whole = model.decode(photo.mu[None], torch.tensor([3])).mean[0]
    assert (back.float() / 255 - whole).abs().max() <= 0.5 / 255 + 1e-5


@pytest.mark.parametrize("name", ["like TAESD", "tiny, step of 4"])
def test_the_reach_of_a_tiny_model_is_no_shorter_than_what_has_a_say(name, tmp_path):
    model = vae.load(written(tmp_path, CONFIGS[name]), "cpu")
    step, cells = model.config.space.step, 80
    z = torch.zeros(1, 4, cells, 4)
    moved, x = z.clone(), torch.full((1, 3, step * cells, 4 * step), 0.5)
    moved[:, :, 40], changed = 3, x.clone()
    changed[:, :, 40 * step : 41 * step] = 0
    drawn = (model.decode(z).base_dist.loc - model.decode(moved).base_dist.loc).abs().amax((0, 1, 3))
    read = (model.encode(x).mean - model.encode(changed).mean).abs().amax((0, 1, 3))
    for seen in (drawn.view(cells, step).amax(1), read):
        touched = seen.nonzero()[:, 0]
        assert 40 - model.config.reach <= touched.min() < 40 < touched.max() <= 40 + model.config.reach


@pytest.mark.parametrize("flat", [True, False])
def test_older_names_of_attention_are_read(flat, tmp_path):
    folder = written(tmp_path / "new", KL)
    older = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    weights = {}
    for name, tensor in load_file(folder / WEIGHTS[0]).items():
        new = next((one for one in older if f"attentions.0.{one}." in name), None)
        is_matrix = new is not None and tensor.ndim == 2 and not flat
        weights[name.replace(new, older[new]) if new else name] = tensor[..., None, None] if is_matrix else tensor
    assert sum("proj_attn" in name for name in weights) == 4
    (tmp_path / "old").mkdir()
    shutil.copy(folder / CONFIG, tmp_path / "old")
    save_file(weights, tmp_path / "old" / WEIGHTS[0])
    first, second = (vae.load(one, "cpu").state_dict() for one in (folder, tmp_path / "old"))
    assert all(torch.equal(first[name], second[name]) for name in first.keys() | second.keys())
