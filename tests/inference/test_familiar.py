"""Whether a model knows a picture: calibrated on pictures it knows, tried on pictures it does not."""

import io
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import norm

import vae
from tests.no_digits import BLACK, KINDS, four_digits, sheet
from tests.pictures.small_digits import everything
from tests.registry import VECTORS
from vae import data
from vae.evaluate import judge as judges
from vae.evaluate import strangers
from vae.inference import familiar, looks
from vae.inference.familiar import FLAGGED, Judge, Judges, Level, Verdict
from vae.inference.looks import BY_CONTENT, MEASURES, measured
from vae.inference.record import sketch
from vae.latent.encodings import Company
from vae.models import pretrained
from vae.models.files import save_tensors
from vae.models.spaces import Pictures
from vae.pictures import Content, Prepared, prepare, prepare_array

NAMES = VECTORS
DIGITS = [name for name in NAMES if pretrained.load_card(name)["data"]["name"] == "mnist"]
CASES = sorted((Path(__file__).parents[1] / "cases").glob("*.jpg"))
SEEN = Content(things=1, kept=0.99, edges=1.0, colours=1.0, ground=0.99)


@cache
def model(name: str) -> vae.models.VAE:
    return vae.load_pretrained(name)


@cache
def held_out(name: str) -> tuple[Company, torch.Tensor]:
    """The encodings of test pictures, and the indices of others that no judge was fitted on."""
    _, others = judges.split(pretrained.load_card(name)["data"]["name"])
    return judges.company_of(pretrained.folder_of(name), others[400:]), others[:400]


@cache
def shipped(name: str) -> Judges:
    return Judges.load(pretrained.folder_of(name) / pretrained.JUDGE)


def saved(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def verdicts(name: str, x: torch.Tensor, contents: list[Content | None]) -> list[Verdict]:
    return familiar.judged(model(name), held_out(name)[0], shipped(name), x, contents)


@cache
def ready(file: bytes, spec: Pictures) -> Prepared:
    """Prepared once for all models that read it alike."""
    return prepare(file, spec)


def of_files(name: str, files: list[bytes]) -> list[Verdict]:
    spec = model(name).input_spec
    prepared = [ready(file, spec) for file in files]
    x = torch.cat([data.as_read(one.picture, spec) for one in prepared])
    return verdicts(name, x, [one.content for one in prepared])


def strange(found: list[Verdict]) -> float:
    return sum(one.level == Level.STRANGE for one in found) / len(found)


@pytest.mark.parametrize("name", NAMES)
def test_of_held_out_pictures_at_most_one_in_twenty_is_strange(name):
    _, rows = held_out(name)
    x = data.test_inputs(pretrained.load_card(name)["data"]["name"])[rows[:200]]
    found = verdicts(name, x, [None] * len(x))
    error = (0.05 * 0.95 / len(found)) ** 0.5
    assert strange(found) < 0.05 + 2 * error
    # half of the known pictures are at least as strange as half of these, give or take how they were brought
    assert 0.3 < float(np.median([one.share for one in found])) < 0.7


@pytest.mark.parametrize("name", DIGITS)
def test_digits_as_people_upload_them_are_seldom_in_doubt(name):
    pictures = data.test_set("mnist").images[held_out(name)[1][:100], 0].numpy()
    chance = np.random.default_rng(0)
    for way in strangers.WAYS.values():
        found = of_files(name, [way(picture, chance, strangers.SHADE["digit"]) for picture in pictures[:60]])
        assert strange(found) <= 0.1
    assert strange(of_files(name, [saved(image) for _, image in everything()])) <= 0.1


def stroke(length: int, width: int, slant: float) -> Image.Image:
    """A straight stroke, as many people write a one; the slant in degrees from upright, the head to the right."""
    image, pen = sheet()
    x, y = length / 2 * np.sin(np.radians(slant)), length / 2 * np.cos(np.radians(slant))
    pen.line((300 - x, 300 + y, 300 + x, 300 - y), BLACK, width)
    return image.resize((300, 300), Image.Resampling.BOX)


SIZES = [(length, width) for length in (200, 380, 560) for width in (8, 20, 40, 70) if length > 3 * width]  # no blocks
STROKES = [stroke(*size, slant) for size in SIZES for slant in (-8, 0, 3, 8, 20)]


@pytest.mark.parametrize("name", DIGITS)
def test_a_straight_stroke_is_a_one_long_or_short_thick_or_thin_upright_or_slanted(name):
    assert strange(of_files(name, [saved(image) for image in STROKES])) == 0


@pytest.mark.parametrize("name", DIGITS)
def test_a_straight_stroke_is_a_one_on_the_pad_and_on_paper(name):
    spec, chance = model(name).input_spec, np.random.default_rng(2)
    greys = [255 - np.asarray(image.convert("L").resize((140, 140))) for image in STROKES]
    pad = [prepare_array(grey, spec) for grey in greys]
    x = torch.cat([data.as_read(one.picture, spec) for one in pad])
    assert strange(verdicts(name, x, [one.content for one in pad])) == 0
    assert strange(of_files(name, [strangers.on_paper(grey, chance, 0.3) for grey in greys])) <= 0.05


@pytest.mark.parametrize("name", DIGITS)
def test_a_stroke_that_lies_or_is_as_wide_as_a_block_is_no_digit(name):
    assert strange(of_files(name, [saved(stroke(*one)) for one in ((380, 40, 90), (380, 380, 0), (380, 220, 0))])) == 1


@pytest.mark.parametrize("name", DIGITS)
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_landscape_a_selfie_a_shirt_and_four_digits_are_called_no_digit(name, path):
    assert strange(of_files(name, [path.read_bytes()])) == 1


@pytest.mark.parametrize("name", DIGITS)
@pytest.mark.parametrize("kind", KINDS)
def test_drawings_of_other_things_are_called_no_digit(name, kind):
    assert strange(of_files(name, [saved(kind())])) == 1


@pytest.mark.parametrize("name", NAMES)
def test_pictures_of_the_other_data_set_and_several_at_once_are_called_strange(name):
    dataset = pretrained.load_card(name)["data"]["name"]
    makers = strangers.strangers(dataset, {each: judges.split(each)[1] for each in strangers.beside(dataset)})
    chance = np.random.default_rng(1)
    for word, make in makers.items():
        if word not in ("noise", "clouds") and "doodles" not in word:
            assert strange(of_files(name, [make(chance) for _ in range(25)])) >= 0.84, word


def test_the_reason_is_what_was_seen(digits):
    x = data.grey(digits[:1]).gt(0.5).float()
    assert verdicts("mnist", x, [SEEN])[0].level != Level.STRANGE
    (several,) = of_files("mnist", [saved(four_digits())])
    assert several.level == Level.STRANGE
    assert several.why == "4 separate things were found, and this model knows one digit at a time"
    assert several.advice == "Cut the picture to one of them."
    lost = verdicts("mnist", x, [replace(SEEN, kept=0.2, edges=0.3)])[0]
    assert lost.level == Level.STRANGE
    assert lost.why.startswith(("making it ready lost more of it", "making it ready lost more of its edges"))
    assert lost.why.endswith("% of real digits")
    assert "plain ground" in lost.advice


def test_a_picture_without_a_face_is_no_portrait_however_usual_it_is():
    """A plain ground may be as usual as most portraits."""
    count = len(MEASURES)

    def verdict(strangeness: float, things: int | None) -> Verdict:
        """Where so large a share of known pictures is less strange."""
        judge = Judge(torch.zeros(257, count), torch.zeros(2, count), torch.linspace(0, 1, 1001) - strangeness)
        return familiar._verdict(judge, torch.zeros(1, count), False, Content(things=things), "portrait")

    assert verdict(0.9, 1).level == verdict(0.9, None).level == Level.UNUSUAL
    for strangeness in (0.0, 0.5, 0.9):
        faceless = verdict(strangeness, 0)
        assert (faceless.level, faceless.why) == (Level.STRANGE, "no face was found in it")
        assert faceless.advice == "Help to find it, or try another picture."
    assert verdict(0.5, 1).level == verdict(0.5, None).level == Level.TYPICAL
    assert verdict(0.99, 2).why == "2 faces were found, and this model knows one portrait at a time"


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_with_nothing_on_it_or_all_white_is_strange(name):
    blank = torch.zeros(1, *model(name).input_spec.shape)
    dot, white = blank.clone(), blank + 1
    dot[..., 3, 3] = 1
    assert strange(verdicts(name, torch.cat([blank, dot, white]), [None] * 3)) == 1


def test_a_known_picture_is_called_typical_or_unusual_in_words():
    bits = data.fixed_binarisation("mnist")[held_out("mnist")[1][:60]]
    found = verdicts("mnist", bits, [None] * len(bits))
    for one in found:
        word = {
            Level.TYPICAL: "A typical digit.",
            Level.UNUSUAL: "An unusual digit.",
            Level.STRANGE: "Probably no digit.",
        }
        assert one.sentence == word[one.level]
        assert (one.level == Level.TYPICAL) == (one.share >= familiar.UNUSUAL) == (one.why == "")
        assert (one.level == Level.STRANGE) == (one.share < FLAGGED) == (one.advice != "")
    assert {one.level for one in found} >= {Level.TYPICAL, Level.UNUSUAL}


def test_a_test_picture_is_no_neighbour_of_its_own():
    _, rows = held_out("mnist")
    everybody, here = judges.company_of(pretrained.folder_of("mnist"), torch.arange(10_000)), int(rows[0])
    alone = judges.company_of(
        pretrained.folder_of("mnist"), torch.tensor([one for one in range(10_000) if one != here])
    )
    x = data.fixed_binarisation("mnist")[rows[:1]].float()
    seen = sketch(model("mnist"), x)
    found, expected = (measured(model("mnist"), one, x, seen, [None]) for one in (everybody, alone))
    assert torch.allclose(found, expected, rtol=1e-3, equal_nan=True)


@pytest.mark.parametrize("slant", [-30, 0, 10, 45, 80])
def test_a_box_is_filled_by_a_stroke_however_it_leans(slant):
    picture = np.asarray(stroke(400, 60, slant).convert("L").resize((56, 56))) < 128
    area, box = picture.sum(), looks._smallest_box(picture)
    assert 0.75 < area / box <= 1.0


# ---- the judge itself ----


def column(name: str, values: list[float]) -> torch.Tensor:
    """Measures of which only one was taken."""
    measures = torch.full((len(values), len(MEASURES)), torch.nan)
    measures[:, MEASURES.index(name)] = torch.tensor(values)
    return measures


def made(weight: float, square: float) -> Judge:
    """A judge of measures that lie evenly from -1 to 1 for known pictures."""
    weights = torch.tensor([weight, square])[:, None].repeat(1, len(MEASURES))
    return Judge(torch.linspace(-1, 1, 101)[:, None].repeat(1, len(MEASURES)), weights, torch.linspace(0, 9.9, 100))


def test_each_measure_has_its_reasons():
    assert tuple(familiar.REASONS) == MEASURES
    assert all(low or high for low, high in familiar.REASONS.values())


def test_a_normal_score_is_the_quantile_of_the_rank_and_goes_on_beyond_the_known():
    judge, at = made(1.0, 0.0), MEASURES.index("ink")
    values, knots = [-0.991, -0.503, 0.007, 0.507, 0.993], np.linspace(-1, 1, 101, dtype=np.float32)
    ranks = np.array([(knots < np.float32(one)).sum() + (knots == np.float32(one)).sum() / 2 for one in values])
    found = judge.normal_scores(column("ink", values))[:, at]
    assert found.numpy() == pytest.approx(norm.ppf((ranks + 0.5) / 102), abs=1e-4)
    far = judge.normal_scores(column("ink", [1.0, 1.2, 2.0, 1e9, -1e9]))[:, at]
    assert (far[:4].diff() >= 0).all()
    assert far[3] - norm.ppf(1 - 0.5 / 102) == pytest.approx(familiar.FAR, abs=1e-3)
    assert far[4] == pytest.approx(-float(far[3]), abs=1e-4)


def test_what_was_not_measured_and_the_side_that_is_never_strange_add_nothing():
    judge = made(3.0, 2.0)
    assert (judge.parts(column("ink", [torch.nan])) == 0).all()
    (score,) = judge.normal_scores(column("ink", [0.4])).sum(1).tolist()
    assert score > 0
    assert judge.parts(column("ink", [0.4])).sum() == pytest.approx(3 * score + 2 * score**2)
    assert judge.parts(column("kept", [5.0])).sum() == 0  # less was lost than of any known picture
    assert judge.parts(column("kept", [-0.9])).sum() != 0
    assert judge.parts(column("error", [-5.0])).sum() == 0
    assert judge.parts(column("error", [0.9])).sum() != 0


def test_a_share_is_that_of_the_known_pictures_which_are_at_least_as_strange():
    judge, measures = made(0.0, 1.0), column("ink", torch.linspace(-1.5, 1.5, 7).tolist())
    expected = [(judge.known >= one).float().mean() for one in judge.parts(measures).sum(1)]
    assert torch.allclose(judge.shares(measures), torch.stack(expected), atol=1e-6)


def test_judges_are_read_back_as_they_were_and_not_where_they_are_damaged_or_of_other_measures(tmp_path, monkeypatch):
    path = tmp_path / "judge.safetensors"
    before = shipped("mnist")
    before.save(path)
    after = Judges.load(path)
    for word in familiar.SORTS:
        one, other = getattr(before, word).tensors, getattr(after, word).tensors
        assert all(torch.equal(one[name], other[name]) for name in one)
    tensors = {f"{word}.{name}": one for word in familiar.SORTS for name, one in getattr(before, word).tensors.items()}
    said = {"measures": " ".join(MEASURES)}
    for name, bad in (
        ("bare.weights", tensors["bare.weights"] * torch.nan),
        ("bare.knots", tensors["bare.knots"][:, 1:].contiguous()),
        ("bare.known", tensors["bare.known"][:0]),
    ):
        save_tensors(tensors | {name: bad}, path, said)
        with pytest.raises(ValueError, match="damaged"):
            Judges.load(path)
    save_tensors({name: one for name, one in tensors.items() if name != "bare.known"}, path, said)
    with pytest.raises(ValueError, match=r"lacks 'bare.known'"):
        Judges.load(path)
    before.save(path)
    monkeypatch.setattr(familiar, "MEASURES", MEASURES[::-1])
    with pytest.raises(ValueError, match="no judge of these measures"):
        Judges.load(path)


def test_a_picture_whose_preparation_nobody_saw_has_a_judge_of_its_own():
    judges = shipped("mnist")
    measures = torch.zeros(1, len(MEASURES))
    assert judges.of(measures) is judges.prepared
    measures[:, -len(BY_CONTENT) :] = torch.nan
    assert judges.of(measures) is judges.bare
