"""Weights on disk: what is saved comes back bit for bit, and nothing else is let in."""

import json
import pickle

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from tests.registry import VECTORS
from vae.models import NETWORKS, VAE, checkpoint, files, pretrained
from vae.models.checkpoint import config_to_json, load, save
from vae.models.pretrained import list_pretrained, load_card, load_encodings, load_pretrained
from vae.models.spaces import Pictures

CONFIG = VAE.Config(Pictures(height=8, width=8), 2, width=8, channels=(4, 8))


def model(network: str = "dense", octaves: int = 0) -> VAE:
    config = VAE.Config(CONFIG.spec, 2, network, width=8, channels=(4, 8), octaves=octaves)
    built = VAE(config, torch.Generator().manual_seed(0))
    return built.to(memory_format=torch.channels_last)


@pytest.fixture
def pictures() -> torch.Tensor:
    return torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(1)).round()


@pytest.mark.parametrize("octaves", [0, 3])
@pytest.mark.parametrize("network", NETWORKS)
def test_a_loaded_model_gives_bit_for_bit_what_the_saved_one_gave(network, octaves, tmp_path, pictures):
    saved = model(network, octaves)
    save(saved, tmp_path / "deep" / "model.safetensors")
    loaded = load(tmp_path / "deep" / "model.safetensors", "cpu")
    assert loaded.config == saved.config
    with torch.inference_mode():
        q, p = saved.encode(pictures), loaded.encode(pictures)
        assert torch.equal(q.mean, p.mean)
        assert torch.equal(q.stddev, p.stddev)
        assert torch.equal(saved.decode(q.mean).mean, loaded.decode(p.mean).mean)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["model.safetensors"]


def test_a_file_from_before_there_were_octaves_gives_bit_for_bit_what_its_model_gave(tmp_path, pictures):
    saved, path = model(), tmp_path / "model.safetensors"
    config = json.loads(config_to_json(saved.config))
    del config["octaves"]
    save_file(saved.state_dict(), path, {"config": json.dumps(config)})
    loaded = load(path, "cpu")
    q = loaded.encode(pictures)
    assert torch.equal(q.mean, saved.encode(pictures).mean)
    assert torch.equal(loaded.decode(q.mean).mean, saved.decode(q.mean).mean)


def test_a_loaded_model_is_frozen_and_in_eval_mode(tmp_path):
    save(model(), tmp_path / "model.safetensors")
    loaded = load(tmp_path / "model.safetensors", "cpu")
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_half_precision_weights_are_stored_as_such_and_loaded_as_float32(tmp_path):
    saved, path = model(), tmp_path / "model.safetensors"
    save(saved, path, dtype=torch.float16)
    with safe_open(path, "pt") as file:
        assert {file.get_tensor(name).dtype for name in file.keys()} == {torch.float16}  # noqa: SIM118 (not a dict)
    for name, tensor in load(path, "cpu").state_dict().items():
        assert torch.equal(tensor, saved.state_dict()[name].half().float())
    assert next(saved.parameters()).dtype == torch.float32


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    save(model(), path)
    before = path.read_bytes()

    def full(tensors, partial, metadata):
        partial.write_bytes(b"half of it")
        raise OSError("No space left on device")

    monkeypatch.setattr(files, "save_file", full)
    with pytest.raises(OSError, match="No space"):
        save(model("conv"), path)
    assert path.read_bytes() == before


def write_truncated(path):
    save(model(), path)
    path.write_bytes(path.read_bytes()[:-100])


def write_short(path):
    path.write_bytes(b"\x08\0\0")


def write_pickle(path):
    path.write_bytes(pickle.dumps({"config": "{}"}))


def write_torch_pickle(path):
    torch.save(model().state_dict(), path)


def write_without_metadata(path):
    save_file(model().state_dict(), path)


def write_without_config(path):
    save_file(model().state_dict(), path, {"training": "{}"})


def write_with_unknown_key(path):
    save_file(model().state_dict(), path, {"config": json.dumps(json.loads(config_to_json(CONFIG)) | {"colour": 1})})


def write_with_other_shapes(path):
    wider = VAE.Config(CONFIG.spec, 2, width=16)
    save_file(model().state_dict(), path, {"config": config_to_json(wider)})


def write_with_other_octaves(path):
    save_file(model(octaves=3).state_dict(), path, {"config": config_to_json(model(octaves=2).config)})


def write_with_missing_weight(path):
    state = model().state_dict()
    state.popitem()
    save_file(state, path, {"config": config_to_json(CONFIG)})


def write_with_extra_weight(path):
    save_file(model().state_dict() | {"trojan": torch.zeros(1)}, path, {"config": config_to_json(CONFIG)})


def write_with_gigantic_model(path):
    save_file(model().state_dict(), path, {"config": config_to_json(VAE.Config(CONFIG.spec, 2, width=10**6))})


def write_with_absurd_model(path):
    save_file(model().state_dict(), path, {"config": config_to_json(VAE.Config(CONFIG.spec, 2, width=10**30))})


BAD = {
    "truncated": (write_truncated, "safetensors"),
    "three bytes": (write_short, "safetensors"),
    "nothing": (lambda path: path.touch(), "safetensors"),
    "pickle": (write_pickle, "safetensors"),
    "torch.save": (write_torch_pickle, "safetensors"),
    "folder": (lambda path: path.mkdir(), "there is no weights file"),
    "missing": (lambda path: None, "there is no weights file"),
    "no metadata": (write_without_metadata, "carries no model configuration"),
    "no configuration": (write_without_config, "carries no model configuration"),
    "unknown key": (write_with_unknown_key, "colour"),
    "other shapes": (write_with_other_shapes, "do not fit"),
    "other octaves": (write_with_other_octaves, "do not fit"),
    "gigantic": (write_with_gigantic_model, "do not fit"),
    "absurd": (write_with_absurd_model, "do not fit"),
    "weight missing": (write_with_missing_weight, "do not fit"),
    "weight too many": (write_with_extra_weight, "do not fit"),
}


@pytest.mark.parametrize(("make", "reason"), BAD.values(), ids=BAD)
def test_a_bad_file_is_refused_with_one_sentence(make, reason, tmp_path):
    path = tmp_path / "model.safetensors"
    make(path)
    with pytest.raises(ValueError, match=reason) as refusal:
        load(path, "cpu")
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 300 + len(str(path))


class Trap:
    """A pickle that leaves a mark where it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_pickle_in_disguise_is_not_executed(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(pickle.dumps(Trap(tmp_path / "mark")))
    with pytest.raises(ValueError, match="safetensors"):
        load(tmp_path / "model.safetensors", "cpu")
    assert not (tmp_path / "mark").exists()


def test_what_is_told_of_a_training_is_kept_beside_the_weights(tmp_path):
    path = tmp_path / "model.safetensors"
    save(model(), path, {"recipe": {"name": "mnist"}, "seconds": 12})
    assert checkpoint.training_facts(path) == {"recipe": {"name": "mnist"}, "seconds": 12}
    save(model(), path)
    assert checkpoint.training_facts(path) == {}


def test_pretrained_models_are_the_folders_with_weights_and_a_card_in_alphabetical_order(
    tmp_path, monkeypatch, pictures
):
    monkeypatch.setattr(pretrained, "PRETRAINED", tmp_path)
    assert list_pretrained() == []
    for name in ("b", "a", "unmeasured"):
        save(model(), tmp_path / name / checkpoint.WEIGHTS)
    for name in ("b", "a", "data"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / pretrained.CARD).write_text("{}")
    assert list_pretrained() == ["a", "b"]
    assert torch.equal(load_pretrained("a", "cpu").encode(pictures).mean, model().encode(pictures).mean)


@pytest.mark.parametrize("name", ["nothing", "", ".", "..", "../pretrained/mnist", "data"])
def test_an_unknown_name_is_refused_with_the_names_there_are(name):
    for ask in (load_pretrained, load_card, load_encodings):
        with pytest.raises(ValueError, match="there is no pretrained model") as refusal:
            ask(name)
        assert str(refusal.value).endswith(f"there are: {', '.join(list_pretrained())}")


@pytest.mark.parametrize("name", VECTORS)
def test_a_shipped_model_loads_and_encodes_as_its_stored_encodings_say(name):
    loaded = load_pretrained(name, "cpu")
    mu, sigma = load_encodings(name)
    assert mu.shape == sigma.shape
    assert mu.shape[1] == loaded.latents
    assert all(tensor.isfinite().all() for tensor in (mu, sigma, *loaded.state_dict().values()))
    assert (sigma > 0).all()
    assert load_card(name)["latents"] == loaded.latents


@pytest.mark.parametrize("network", NETWORKS)
def test_a_model_kept_in_bytes_is_a_quarter_as_large_and_each_weight_is_within_half_a_step(network, tmp_path):
    config = VAE.Config(CONFIG.spec, 2, network, width=64, channels=(16, 16))
    whole = VAE(config, torch.Generator().manual_seed(3))
    with torch.no_grad():
        next(whole.decoder.parameters())[0] = 0  # a row of zeros has no scale of its own
    for name, dtype in (("float", None), ("bytes", torch.int8)):
        save(whole, tmp_path / f"{name}.safetensors", dtype=dtype)
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("bytes", "float")]
    assert sizes[0] < 0.35 * sizes[1]
    kept = load(tmp_path / "bytes.safetensors", "cpu").state_dict()
    for name, weight in whole.state_dict().items():
        if weight.ndim < 2:
            assert torch.equal(kept[name], weight.half().float())
        else:
            step = weight.flatten(1).abs().amax(1).clamp(min=1e-4) / 127
            error = (kept[name] - weight).flatten(1).abs().amax(1)
            assert (error <= 0.51 * step + 1e-7).all(), name


def test_scales_that_belong_to_no_matrix_are_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    save(model(), path, dtype=torch.int8)
    with safe_open(path, framework="pt") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for wrong in ({"stray|scale": torch.ones(3)}, {"encoder.1.weight|scale": torch.ones(5)}):
        save_file(tensors | wrong, path, metadata)
        with pytest.raises(ValueError, match="for no matrix of"):
            load(path, "cpu")
