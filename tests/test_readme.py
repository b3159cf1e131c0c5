"""The README against the project: its numbers are the cards', its files exist, its commands are real."""

import math
import re
from pathlib import Path

import pytest

from tests.registry import BITS, MAPS, VECTORS
from vae.app.look import named
from vae.latent.named import FACTORS
from vae.models import checkpoint, pretrained
from vae.train.command.line import parser
from vae.train.recipes import RECIPES

OWN = "mine"  # what the README calls a model of one's own
ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


# Models of pictures of 256 levels, those of the chapters too.
COLOURS = [
    name
    for name in [*VECTORS, *pretrained.list_pretrained(chapters=True)]
    if "fidelity" in pretrained.load_card(name)["numbers"]
]


@pytest.mark.parametrize("name", BITS)
def test_the_readme_states_the_numbers_of_the_card(name):
    numbers = pretrained.load_card(name)["numbers"]
    (row,) = re.findall(rf"^\| `{re.escape(name)}` \|(.*)\|$", README, re.MULTILINE)
    cells = [cell.strip().strip("*") for cell in row.split("|")]
    exact = numbers.get("negative_log_evidence")
    probe, nearest, weighed = (numbers[kind] for kind in ("linear_probe", "nearest_neighbours", "weighed_neighbours"))
    features = ((probe["latents"], probe["pca"]), (nearest["latents"], weighed["latents"], nearest["pca"]))
    expected = [
        f"{numbers['negative_elbo']['value']:.2f}",
        f"{numbers['kl']['value']:.2f}",
        f"{numbers['negative_iw']['value']:.2f}",
        f"{exact['value']:.2f}" if exact else "",
        f"{numbers['active_units']}",
        *(", ".join(f"{100 * share:.1f}" for share in shares) for shares in features),
    ]
    assert cells == expected


@pytest.mark.parametrize("name", COLOURS)
def test_the_readme_states_the_numbers_of_the_card_of_a_colour_model(name):
    card = pretrained.load_card(name)
    numbers, spec = card["numbers"], card["training"]["recipe"]["model"]["spec"]
    (row,) = re.findall(rf"^\| `{re.escape(name)}` \|(.*)\|$", README, re.MULTILINE)
    near, places = numbers["fidelity"], spec["height"] * spec["width"]
    linear = [f"{near['linear']['psnr']:.1f}, {near['linear']['ms_ssim']:.3f}"] if "linear" in near else [""]
    assert [cell.strip() for cell in row.split("|")] == [
        f"{numbers['bits_per_dimension']:.3f}",
        f"{numbers['negative_elbo']['value']:,.0f}",
        f"{numbers['negative_iw']['value']:,.0f} ± {numbers['negative_iw']['error']:.0f}",
        f"{numbers['kl']['value']:.0f}, {numbers['kl']['value'] / math.log(2) / places:.2f}",
        *(f"{near[way]['psnr']:.1f}, {near[way]['ms_ssim']:.3f}" for way in ("sampled", "mean")),
        *linear,
    ]


@pytest.mark.parametrize("name", MAPS)
def test_the_readme_states_what_the_card_says_of_each_kind_of_photos(name):
    for kind, numbers in pretrained.load_card(name)["numbers"].items():
        (row,) = re.findall(rf"^\| {kind} \|(.*)\|$", README, re.MULTILINE)
        assert [cell.strip() for cell in row.split("|")] == [
            ", ".join(f"{level:.1f}" for level in numbers["psnr"].values()),
            ", ".join(f"{level:.1f}" for level in numbers["linear"].values()),
            f"{numbers['rate']:.2f}",
            f"{numbers['linear_at_rate']:.1f}",
            f"{numbers['ms_ssim']:.3f}" if numbers["ms_ssim"] else "",
            f"{numbers['bits_per_dimension']:.2f} ± {numbers['error']:.2f}",
        ]


@pytest.mark.parametrize("name", VECTORS)
def test_the_readme_states_the_directions_of_the_card(name):
    kind = checkpoint.head(pretrained.folder_of(name) / checkpoint.WEIGHTS)[0].spec.preparation
    words = {factor.name: factor.words for factor in FACTORS[kind]}
    rows = re.findall(rf"^\| `{re.escape(name)}`, (.*)\|$", README, re.MULTILINE)
    expected = []
    for factor, found in pretrained.load_card(name)["directions"].items():
        if found["offered"]:
            low, high = found["got"]["quartiles"]
            got = f"{found['got']['median']:.2f} ({low:.2f} to {high:.2f})"
            also = ", ".join(named.besides(found, words)) or "none"
            expected.append([words[factor].lower(), f"{found['r2']:.2f}", got, also])
    assert [[cell.strip() for cell in row.split("|")] for row in rows] == expected


def class_row(name: str) -> list[str]:
    """What the README says of a model's directions towards classes, by its card."""
    stated = pretrained.load_card(name)["class_directions"]
    found = [one for one in stated.values() if one["offered"]]
    count = f"{len(found)} of {len(stated)}"
    if not found:
        return [count, "", "", "", ""]
    medians, quartiles = [one["got"]["median"] for one in found], [one["got"]["quartiles"] for one in found]
    spans = [[one["r2"] for one in found], [one["auc"] for one in found], medians]
    outer = f"{min(low for low, _ in quartiles):.2f}, {max(high for _, high in quartiles):.2f}"
    return [count, *(f"{min(span):.2f} to {max(span):.2f}" for span in spans), outer]


@pytest.mark.parametrize("name", VECTORS)
def test_the_readme_states_the_class_directions_of_the_card(name):
    (row,) = re.findall(rf"^\| `{re.escape(name)}` towards a (?:class|tag) \|(.*)\|$", README, re.MULTILINE)
    assert [cell.strip() for cell in row.split("|")] == class_row(name)


def test_the_readme_states_how_long_the_models_of_the_pages_were_trained():
    minutes = [pretrained.load_card(name)["training"]["seconds"] / 60 for name in VECTORS]
    assert f"in {min(minutes):.0f} to {max(minutes):.0f} minutes of wall time" in " ".join(README.split())


def test_the_readme_names_every_augmented_model_of_its_comparison_and_cites_whom_it_compares_with():
    (compared,) = re.findall(r"Where that leaves the flat models.*?tests.benchmarks.draws", README, re.DOTALL)
    warped = {name for name in [*VECTORS, "mnist-ladder"] if RECIPES[name].warp}
    assert set(re.findall(r"`([\w-]+)`", compared.split("augmentation;")[1].split(" were trained")[0])) == warped
    used = re.findall(r"\]\[(\w+)\]", compared)
    assert len(used) == 4
    for label in used:
        assert f"\n[{label}]: https://" in README


def test_the_tree_of_folders_is_that_of_the_library():
    tree = README.split("```")[3]
    said = re.findall(r"^( {2,4})(\w+(?:\.py|/)) ", tree, re.MULTILINE)
    top = {name for indent, name in said if len(indent) == 2}
    app = {name for indent, name in said if len(indent) == 4}
    assert top == rooms(ROOT / "vae")
    assert app == rooms(ROOT / "vae" / "app")


def rooms(folder: Path) -> set[str]:
    """What lies in a folder of the library, as the tree says it."""
    found = [path for path in folder.iterdir() if not path.name.startswith("__")]
    return {f"{path.name}/" if path.is_dir() else path.name for path in found}


def test_every_file_and_picture_that_the_readme_links_to_exists():
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    for link in links:
        assert (ROOT / link).is_file(), link


def test_every_command_of_the_readme_names_a_module_and_a_recipe_that_exist():
    for module, words in re.findall(r"-m (vae\.\w+) ([\w -]*)", README):
        place = ROOT / module.replace(".", "/")
        assert place.with_suffix(".py").is_file() or (place / "__main__.py").is_file()
        if module in ("vae.train", "vae.evaluate"):
            first = words.split()[0]
            assert first in (*RECIPES, "NAME", OWN) or parser().parse_args(words.split()).name == OWN


def test_the_two_commands_stand_in_the_readme():
    assert "pip install -r requirements.txt && streamlit run streamlit_app.py" in README
    assert "pip install -r tests/requirements.txt && pytest" in README


def test_the_python_example_runs_as_it_stands(monkeypatch):
    monkeypatch.chdir(ROOT)
    code = README.split("```python\n")[1].split("```")[0]
    names: dict = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["picture"].shape == (4, 1, 28, 28)
    assert names["prepared"].picture.shape == (1, 1, 28, 28)


@pytest.mark.parametrize("file", ["requirements.txt", "tests/requirements.txt"])
def test_requirements_are_pinned_exactly(file):
    lines = (ROOT / file).read_text().splitlines()
    assert all(re.fullmatch(r"[a-z-]+==[\d.]+", line) for line in lines if line != "-r ../requirements.txt")


def test_what_tests_need_comes_beside_what_runs():
    assert (ROOT / "tests/requirements.txt").read_text().startswith("-r ../requirements.txt\n")
