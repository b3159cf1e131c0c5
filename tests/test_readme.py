"""The README against the project: its numbers are the cards', its files exist, its commands are real."""

import re
from pathlib import Path

import pytest

from vae import checkpoint
from vae.config import RECIPES

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", checkpoint.list_pretrained())
def test_the_readme_states_the_numbers_of_the_card(name):
    numbers = checkpoint.load_card(name)["numbers"]
    (row,) = re.findall(rf"^\| `{re.escape(name)}` \|(.*)\|$", README, re.MULTILINE)
    cells = [cell.strip().strip("*") for cell in row.split("|")]
    exact = numbers.get("negative_log_evidence")
    expected = [
        f"{numbers['negative_elbo']['value']:.2f}",
        f"{numbers['kl']['value']:.2f}",
        f"{numbers['negative_iw']['value']:.2f}",
        f"{exact['value']:.2f}" if exact else "",
        f"{numbers['active_units']}",
        *(
            f"{100 * numbers[key]['latents']:.1f} / {100 * numbers[key]['pca']:.1f}"
            for key in numbers
            if "pca" in str(numbers[key])
        ),
    ]
    assert cells == expected


def test_the_file_tree_names_every_file_of_the_library():
    tree = README.split("```")[3]
    for path in (ROOT / "vae").glob("*.py"):
        assert path.name == "__init__.py" or f"  {path.name} " in tree
    for name in re.findall(r"^  (\w+\.py) ", tree, re.MULTILINE):
        assert (ROOT / "vae" / name).is_file()


def test_every_file_and_picture_that_the_readme_links_to_exists():
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    for link in links:
        assert (ROOT / link).is_file(), link


def test_every_command_of_the_readme_names_a_module_and_a_recipe_that_exist():
    for module, words in re.findall(r"-m (vae\.\w+) ([\w -]*)", README):
        assert (ROOT / f"{module.replace('.', '/')}.py").is_file()
        if module in ("vae.train", "vae.evaluate"):
            assert words.split()[0] in RECIPES or words.split()[0] == "NAME"


def test_the_two_commands_stand_in_the_readme():
    assert "pip install -r requirements.txt && streamlit run streamlit_app.py" in README
    assert "pip install -r requirements.txt && pytest" in README


def test_the_python_example_runs_as_it_stands(monkeypatch):
    monkeypatch.chdir(ROOT)
    code = README.split("```python\n")[1].split("```")[0]
    names: dict = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["picture"].shape == (4, 1, 28, 28)
    assert names["prepared"].picture.shape == (1, 1, 28, 28)


def test_requirements_are_pinned_exactly():
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z-]+==[\d.]+", line) for line in lines)
