"""Every number of every card, computed again."""

import math

import numpy as np
import pytest
import torch

from tests.grids import grid
from tests.registry import CLASSED, VECTORS
from vae import data
from vae.distributions import rsample
from vae.evaluate import __main__, bounds, measures
from vae.evaluate import card as cards
from vae.evaluate.coverage import NEIGHBOURS, drawn_from_prior
from vae.evaluate.decomposition import decompose
from vae.evaluate.fidelity import ms_ssim
from vae.inference.posterior import gap
from vae.inference.record import LARGE
from vae.latent import classes
from vae.models import VAE, Autoencoder, Conditional, Ladder, Model, checkpoint, pretrained
from vae.models.spaces import Pictures
from vae.objective import elbo, importance_bound

MODELS, CHAPTERS = VECTORS, pretrained.list_pretrained(chapters=True)


@pytest.fixture(params=MODELS)
def shipped(request):
    """(model, card, some random pictures of its test set as it reads them, their indices)."""
    card, model = pretrained.load_card(request.param), pretrained.load_pretrained(request.param, "cpu")
    x, some = random_inputs(card, model)
    return model, card, x, some


@pytest.fixture(params=CHAPTERS)
def compared(request):
    """(model or a function that tells it the classes, card, some random pictures of its test set as it reads them) of a
    chapter's model."""
    card, model = pretrained.load_card(request.param), pretrained.load_pretrained(request.param, "cpu")
    x, some = random_inputs(card, model)
    y = data.load(card["data"]["name"], "test").labels[some] if isinstance(model, Conditional) else None
    return model, card, x, y


def random_inputs(card: dict, model: Model) -> tuple[torch.Tensor, torch.Tensor]:
    """200 test pictures as the model reads them, fewer of large ones, and their indices."""
    x = data.test_inputs(card["data"]["name"])
    some = torch.randperm(len(x), generator=torch.Generator().manual_seed(77))[: 200 if is_small(model) else 60]
    return x[some], some


def is_small(model: Model) -> bool:
    """Whether its pictures take no hundred times as long as digits do."""
    return model.input_spec.pixels < LARGE


def at_once(model: Model) -> int:
    """How many pictures are decoded in one pass: of large ones no more than their memory is quickly had for."""
    return 2048 if is_small(model) else 128


def test_a_random_subset_has_the_numbers_that_a_chapters_card_states(compared):
    model, card, x, y = compared
    if not is_small(model):
        x = x[:100]
    parts, numbers = bounds.bound(model, x, y, seed=1), card["numbers"]
    assert agrees(-parts.log_likelihood.mean(0), numbers["reconstruction"])
    assert ("negative_elbo" in numbers) == (model.prior is not None)
    if model.prior is not None:
        assert agrees(-parts.elbo, numbers["negative_elbo"])
        assert agrees(parts.kl.sum(1), numbers["kl"])
        each = torch.tensor(numbers.get("kl_per_layer") or numbers["kl_per_dimension"])
        assert ((parts.kl.mean(0) - each).abs() < 5 * parts.kl.std(0) / math.sqrt(len(x)) + 1e-2).all()
        assert float(each.sum()) == pytest.approx(numbers["kl"]["value"], abs=0.002 * len(each))
        # of a large model a quarter of the card's draws, which shifts the gap by a tenth of what pictures let it vary
        few, draws = (20, 1000) if is_small(model) else (4, 250)
        told, rows = model if y is None else model.given(y[:few]), x[:few]
        with torch.inference_mode():
            tightest = importance_bound(told, rows, draws, torch.Generator().manual_seed(2), at_once(model))
        gap = tightest - parts.elbo[:few]
        stated = numbers["negative_elbo"]["value"] - numbers["negative_iw"]["value"]
        assert abs(float(gap.mean()) - stated) < 4 * float(gap.std()) / math.sqrt(few) + numbers["negative_iw"]["error"]


FLAT = [name for name in MODELS + CHAPTERS if "coverage" in pretrained.load_card(name)["numbers"]]
SPLIT = [name for name in FLAT if "decomposition" in pretrained.load_card(name)["numbers"]]


def test_every_model_of_one_layer_is_compared_by_its_samples_and_every_vae_by_the_parts_of_its_kl():
    families = {name: pretrained.load_pretrained(name, "cpu") for name in MODELS + CHAPTERS}
    assert [name for name, model in families.items() if isinstance(model, VAE | Autoencoder)] == FLAT
    assert [name for name, model in families.items() if isinstance(model, VAE)] == SPLIT


@pytest.mark.parametrize("name", SPLIT)
def test_other_draws_find_the_parts_of_the_kl_that_the_card_states(name):
    card, model = pretrained.load_card(name), pretrained.load_pretrained(name, "cpu")
    stated = card["numbers"]["decomposition"]
    parts = [model.encode(part) for part in data.test_inputs(card["data"]["name"]).split(1000)]
    mu, sigma = (torch.cat(values) for values in zip(*((q.mean, q.stddev) for q in parts), strict=True))
    found = decompose(mu, sigma, torch.Generator().manual_seed(1), 300)
    for part in ("mutual_information", "total_correlation", "dimension_wise_kl", "total"):
        error = math.hypot(stated[f"{part}_error"], getattr(found, f"{part}_error"))
        assert abs(getattr(found, part) - stated[part]) < 4 * error + 1e-3, part
    assert stated["kl"] == pytest.approx(card["numbers"]["kl"]["value"], abs=0.002)
    assert found.kl == pytest.approx(stated["kl"], abs=0.002)
    assert stated["mutual_information"] <= stated["bound"] == pytest.approx(math.log(len(mu)), abs=1e-4)


@pytest.mark.parametrize("name", FLAT)
def test_other_samples_and_pictures_have_the_coverage_that_the_card_states(name):
    card, model = pretrained.load_card(name), pretrained.load_pretrained(name, "cpu")
    stated, x = card["numbers"]["coverage"], data.test_inputs(card["data"]["name"]).flatten(1)
    rows = torch.randperm(len(x), generator=torch.Generator().manual_seed(79))[: stated["pictures"]]
    others = torch.randperm(len(x), generator=torch.Generator().manual_seed(80))
    others, some = others[~torch.isin(others, rows)][: stated["pictures"]], x[rows]
    samples = drawn_from_prior(model, stated["pictures"], torch.Generator().manual_seed(1)).flatten(1)
    reach = torch.cdist(some[:250], some).topk(NEIGHBOURS + 1, largest=False).values[:, -1]  # beside itself
    for given, share in (
        (samples, stated["missed"]),
        (x[others], stated["missed_by_pictures"]),
    ):
        missed = float((torch.cdist(some[:250], given).amin(1) > reach).float().mean())
        assert stands(missed, share, 250, 0.015)  # other samples leave out a little less or more


def stands(share: float, stated: float, count: int, error: float = 0.0) -> bool:
    """Whether a share of `count` is within four binomial standard errors of the stated one; 1 in `count` is allowed."""
    return abs(share - stated) < 4 * math.hypot((stated * (1 - stated) / count) ** 0.5, error) + 1 / count


def test_a_random_subset_finds_its_class_by_the_elbo_as_often_as_the_card_states(compared):
    model, card, x, y = compared
    if isinstance(model, Conditional):
        assert stands(classes.accuracy(model, x, y, seed=1), card["numbers"]["class_by_elbo"], len(x))
    else:
        assert "class_by_elbo" not in card["numbers"]


def agrees(values: torch.Tensor, stated: dict) -> bool:
    """Whether a random subset's mean is within four standard errors of the mean that a card states."""
    return abs(float(values.mean()) - stated["value"]) < 4 * stated["spread"] / math.sqrt(len(values)) + stated["error"]


def test_a_random_subset_has_the_elbo_its_parts_and_the_bits_that_the_card_states(shipped):
    model, card, x, _ = shipped
    with torch.inference_mode():
        parts = bounds.bound(model, x, seed=1)
    numbers = card["numbers"]
    assert agrees(-parts.elbo, numbers["negative_elbo"])
    assert agrees(-parts.log_likelihood.mean(0), numbers["reconstruction"])
    assert agrees(parts.kl.sum(1), numbers["kl"])
    spread = parts.kl.std(0) / math.sqrt(len(x))
    assert ((parts.kl.mean(0) - torch.tensor(numbers["kl_per_dimension"])).abs() < 5 * spread + 1e-3).all()
    assert numbers["bits_per_dimension"] == pytest.approx(
        numbers["negative_elbo"]["value"] / (x[0].numel() * math.log(2)), abs=1e-4
    )


def test_other_samples_come_back_as_near_as_the_card_states():
    """PSNR by numpy; MS-SSIM's formula has tests of its own, and its mean is that of other samples here."""
    for name in [*MODELS, *CHAPTERS]:
        card, model = pretrained.load_card(name), pretrained.load_pretrained(name, "cpu")
        if "fidelity" not in card["numbers"]:
            assert model.input_spec.levels == 2
            continue
        x, _ = random_inputs(card, model)
        with torch.inference_mode():
            q = model.encode(x)
            found = model.decode(rsample(q, torch.Generator().manual_seed(3))).mean
        mse = np.square(found.numpy().astype(np.float64) - x.numpy()).mean((1, 2, 3))
        near, alike = 10 * np.log10(1 / mse), ms_ssim(found, x, measures.SCALES).numpy()
        for values, stated in ((near, "psnr"), (alike, "ms_ssim")):
            error = 4 * values.std() / len(values) ** 0.5
            assert abs(values.mean() - card["numbers"]["fidelity"]["sampled"][stated]) < error


def test_the_parts_of_the_card_add_up(shipped):
    _, card, _, _ = shipped
    numbers = card["numbers"]
    assert numbers["reconstruction"]["value"] + numbers["kl"]["value"] == pytest.approx(
        numbers["negative_elbo"]["value"], abs=0.002
    )
    assert sum(numbers["kl_per_dimension"]) == pytest.approx(numbers["kl"]["value"], abs=0.002 * card["latents"])
    if "gap" in numbers:
        assert numbers["negative_elbo"]["value"] - numbers["negative_log_evidence"]["value"] == pytest.approx(
            numbers["gap"]["value"], abs=0.002
        )


def test_the_card_states_the_importance_weighted_bound_of_a_random_subset(shipped):
    model, card, x, _ = shipped
    x, generator = x[: 20 if is_small(model) else 4], torch.Generator().manual_seed(2)
    with torch.inference_mode():
        tightest = importance_bound(model, x, 1000, generator, at_once(model))
        gap = tightest - elbo(model, x, 10, generator)
    numbers = card["numbers"]
    stated = numbers["negative_elbo"]["value"] - numbers["negative_iw"]["value"]
    assert abs(float(gap.mean()) - stated) < 4 * float(gap.std()) / math.sqrt(len(x)) + numbers["negative_iw"]["error"]


@pytest.mark.parametrize("name", [name for name in MODELS if name.endswith("-2d")])
def test_the_card_states_the_exact_evidence_and_the_gap_of_a_random_subset(name):
    model, card = pretrained.load_pretrained(name, "cpu"), pretrained.load_card(name)
    numbers, x = card["numbers"], data.fixed_binarisation(card["data"]["name"])
    measured = torch.randperm(len(x), generator=torch.Generator().manual_seed(bounds.SEED))
    some = measured[: numbers["gap"]["pictures"]]  # whose log p(x) the card was computed from
    some = some[torch.randperm(len(some), generator=torch.Generator().manual_seed(78))[:24]]
    evidence = grid(name, model).evidence(x[some])
    assert agrees(-evidence.log_evidence, numbers["negative_log_evidence"])
    assert evidence.error.max() <= numbers["quadrature_error"] + 1e-4
    # KL(q || p(z|x)) by quadrature over q, of which the card knows only log p(x) less an ELBO of samples
    gaps = [
        gap(model, one[None], model.encode(one[None]), float(value))[0]
        for one, value in zip(x[some], evidence.log_evidence, strict=True)
    ]
    assert agrees(torch.tensor(gaps), numbers["gap"])


def test_the_shipped_encodings_are_those_of_the_shipped_weights(shipped):
    model, card, x, some = shipped
    with torch.inference_mode():
        q = model.encode(x)
    mu, sigma = pretrained.load_encodings(card["name"])
    torch.testing.assert_close(mu[some], q.mean, atol=5e-3, rtol=2e-3)
    torch.testing.assert_close(sigma[some], q.stddev, atol=1e-3, rtol=2e-3)
    assert card["numbers"]["active_units"] == int((mu.var(0) > bounds.ACTIVE).sum())


def test_the_card_states_the_accuracy_of_its_features(shipped):
    _, card, _, _ = shipped
    if card["data"]["name"] not in CLASSED:
        assert "linear_probe" not in card["numbers"]
        return
    mu, sigma = pretrained.load_encodings(card["name"])
    found = measures.features(mu, sigma, card["data"]["name"])
    for classifier, stated in ((key, card["numbers"][key]) for key in found):
        for kind, accuracy in stated.items():
            assert found[classifier][kind] == pytest.approx(accuracy, abs=4e-3)  # encodings ship in half precision


def test_examples_are_three_of_each_class_or_tag(shipped):
    _, card, _, _ = shipped
    groups = list(data.groups(card["data"]["name"]).values())
    chosen = torch.tensor(card["examples"]).view(len(groups), 3)
    assert all(torch.isin(three, group).all() for three, group in zip(chosen, groups, strict=True))
    if card["data"]["name"] in CLASSED:
        assert data.load(card["data"]["name"], "test").labels[chosen.flatten()].bincount().tolist() == [3] * 10


def test_the_thumbnail_of_a_plane_has_the_most_positive_first_latent_on_its_right_and_second_on_top():
    name = next(name for name in MODELS if name.endswith("-2d"))
    model = pretrained.load_pretrained(name, "cpu")
    sheet = np.asarray(cards.thumbnails(model, side=4))
    quantiles = model.prior.base_dist.icdf(torch.tensor([[0.125], [0.875]]).expand(2, 2))[:, 0]
    low, high = quantiles
    with torch.inference_mode():
        corner = model.decode(torch.stack([high, high])[None]).mean[0, 0].mul(255).round().byte().numpy()
    np.testing.assert_array_equal(sheet[:28, -28:], corner)
    assert low == -high


def test_what_is_compared_is_rounded_to_four_digits_and_counts_stay_whole():
    assert measures.rounded({"share": 0.123456, "samples": 2000}) == {"share": 0.1235, "samples": 2000}


def test_an_estimate_says_how_far_pictures_spread():
    found = bounds.estimate(torch.tensor([1.0, 2.0, 3.0]), 0.5, 7)
    assert found == {"value": 2.0, "spread": 1.0, "error": 0.5, "pictures": 3, "samples": 7}


def test_a_bound_of_more_samples_has_less_noise():
    model = pretrained.load_pretrained(MODELS[0], "cpu")
    x = data.fixed_binarisation(pretrained.load_card(MODELS[0])["data"]["name"])[:100]
    few, many = (bounds.bound(model, x, samples=samples) for samples in (2, 8))
    assert many.log_likelihood.shape == (8, 100)
    assert few.elbo.mean() == pytest.approx(float(many.elbo.mean()), abs=1.0)
    with torch.inference_mode():
        q = model.encode(x)
        single = model.decode(rsample(q, torch.Generator().manual_seed(bounds.SEED))).log_prob(x)
    torch.testing.assert_close(few.log_likelihood[0], single)


def test_weights_that_do_not_say_what_they_were_trained_on_are_refused(tmp_path, monkeypatch, capsys):
    checkpoint.save(pretrained.load_pretrained(MODELS[0], "cpu"), tmp_path / "mine" / checkpoint.WEIGHTS)
    monkeypatch.setattr(pretrained, "PRETRAINED", tmp_path)
    assert __main__.main(["mine"]) == 1
    assert "does not say what it was trained on" in capsys.readouterr().err


def test_an_unknown_name_is_one_sentence_and_exit_status_1(capsys):
    assert __main__.main(["nothing"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def toy(family: type[Model], **more) -> Model:
    """A small model of 4 x 4 bits whose layers all do something."""
    config = family.Config(Pictures(height=4, width=4), 3, width=16, **more)
    model = family(config, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator)
    return model.requires_grad_(False).eval()


X = torch.rand(6, 1, 4, 4, generator=torch.Generator().manual_seed(1)).round()
Y = torch.tensor([0, 3, 1, 1, 2, 0])


def of_toy(model: Model, y: torch.Tensor | None, parts: bounds.Bound) -> dict:
    """The bounds of a card, four pictures for the tighter ones."""
    return measures.measured(measures.Subject(model, "", X, y, parts, 4), measures.BOUNDS)


def test_the_bound_of_a_conditional_model_is_that_of_each_picture_with_its_class():
    model = toy(Conditional, classes=4)
    found = bounds.bound(model, X, Y, samples=4000)
    expected = elbo(model.given(Y), X, 4000, torch.Generator().manual_seed(3))
    error = found.log_likelihood.std(0) / 4000**0.5
    assert ((found.elbo - expected).abs() < 6 * error).all()
    assert torch.equal(found.mu, model.encode(X, Y).mean)
    numbers = of_toy(model, Y, found)
    some = torch.randperm(6, generator=torch.Generator().manual_seed(bounds.SEED))[:4]
    tightest = importance_bound(model.given(Y[some]), X[some], 20_000, torch.Generator().manual_seed(5))
    assert numbers["negative_iw"]["value"] == pytest.approx(
        float(-found.elbo.mean() - (tightest - found.elbo[some]).mean()), abs=0.05
    )


def test_the_bound_of_a_ladder_has_the_kl_of_each_layer_and_the_means_of_its_layers():
    model = toy(Ladder, layers=(1, 2))
    found = bounds.bound(model, X, samples=1000)
    q = model.encode(X)
    z = rsample(q, torch.Generator().manual_seed(4), (1000,))
    layers = q.kl_per_layer(z)
    assert found.kl.shape == (6, 2)
    torch.testing.assert_close(found.kl, layers.mean(0), atol=6 * float(layers.std(0).max()) / 1000**0.5, rtol=0)
    middle = q.along(torch.zeros(6, 3))
    torch.testing.assert_close(found.mu, middle)
    torch.testing.assert_close(found.sigma[:, 1:], q.conditionals(middle)[1][0].stddev)
    numbers = of_toy(model, None, found)
    assert sum(numbers["kl_per_layer"]) == pytest.approx(numbers["kl"]["value"], abs=2e-3)
    assert "active_units" not in numbers


def test_an_autoencoder_has_a_reconstruction_and_no_kl():
    model = toy(Autoencoder)
    found = bounds.bound(model, X, samples=2)
    at_its_point = model.decode(model.encode(X).mean).log_prob(X)
    torch.testing.assert_close(found.log_likelihood, at_its_point.expand(2, -1))
    assert torch.equal(found.kl, torch.zeros(6, 3))


def test_a_chapters_model_ships_on_its_own_shelf():
    assert cards.ships_in("mnist") == pretrained.PRETRAINED / "mnist"
    assert cards.ships_in("mnist-ladder") == pretrained.PRETRAINED / pretrained.CHAPTERS / "mnist-ladder"


def test_ctrl_c_and_a_full_disk_are_one_sentence_and_leave_the_card(monkeypatch, capsys):
    for raised, status, said in (
        (KeyboardInterrupt(), 130, "Stopped; the card is as it was."),
        (OSError("full"), 1, "full"),
    ):
        monkeypatch.setattr(cards, "subject", lambda *_, raised=raised: (_ for _ in ()).throw(raised))
        assert __main__.main(["mnist"]) == status
        assert capsys.readouterr().err == said + "\n"


@pytest.mark.parametrize(
    ("active", "said"), [(23, "1 of its 24 latents is silent"), (20, "4 of its 24 latents are silent")]
)
def test_a_card_counts_its_silent_latents_in_english(active, said):
    model = pretrained.load_pretrained("mnist")
    sentences = cards.limits(model, {"active_units": active}, data.DATASETS["mnist"])
    assert any(sentence.startswith(said) for sentence in sentences)
