"""The one-way order of the imports, and what the library never does, read from the source."""

import ast
import random
import re
from pathlib import Path

import pytest

from vae.data import BANKS, DATASETS, DataError
from vae.data.sets import IdxFile
from vae.data.splits import first_good
from vae.train.recipes import RECIPES

ROOT = Path(__file__).resolve().parent.parent
# Each room of the house imports from those above it only; so does each of the app's own.
ORDER = (
    *("distributions", "objective", "models", "pictures", "data", "latent", "inference", "train", "evaluate"),
    *("features", "serve", "app", "streamlit_app"),
)
APP = ("look", "live", "components", "door", "session", "train", "chapters", "pages")
MOST = 12  # entries of a folder, beside what makes it a package
SOURCES = sorted([*(ROOT / "vae").rglob("*.py"), *ROOT.glob("streamlit_app.py")])
EACH = pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))


def module(path: Path) -> str:
    """The name that ORDER knows a file by: a package counts as one module."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[1] if parts[0] == "vae" else parts[0]


def rank(name: str) -> int:
    assert name in ORDER, f"{name} has no place in the order of the imports: give it one"
    return ORDER.index(name)


def imports(path: Path) -> list[tuple[str, ...]]:
    """Everything a file imports, anywhere in it, as dotted names split at the dots."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found += [(*node.module.split("."), alias.name) for alias in node.names]
    return found


@EACH
def test_imports_point_one_way(path):
    if path == ROOT / "vae" / "__init__.py":
        return
    here = module(path)
    for name in imports(path):
        if name[0] == "vae" and here not in ("app", "streamlit_app"):
            assert len(name) > 1, f"{path} imports the whole package"
        target = name[1] if name[0] == "vae" and len(name) > 1 else name[0]
        if name[0] != "vae" and target != "streamlit_app":
            continue
        if target not in (here, "vae") and not reexported(target):
            assert rank(target) < rank(here), f"{path} imports {target}"


@pytest.mark.parametrize("path", sorted((ROOT / "vae" / "app").glob("*/**/*.py")), ids=lambda path: str(path))
def test_the_rooms_of_the_app_import_one_way_too(path):
    here = path.relative_to(ROOT / "vae" / "app").parts[0]
    for name in imports(path):
        if name[:2] == ("vae", "app") and name[2] != here:
            assert APP.index(name[2]) < APP.index(here), f"{path} imports {name[2]}"


def test_a_folder_has_few_entries():
    folders = [
        ROOT / "vae",
        *(path for path in (ROOT / "vae").rglob("*") if path.is_dir() and path.name != "__pycache__"),
    ]
    for folder in folders:
        entries = [path.name for path in folder.iterdir() if not path.name.startswith("__")]
        assert len(entries) <= MOST, f"{folder} has {len(entries)} entries"


def reexported(name: str) -> bool:
    """Whether it is a function that `vae` gives away, rather than one of its modules."""
    return not (ROOT / "vae" / name).is_dir() and not (ROOT / "vae" / f"{name}.py").is_file() and name.islower()


@EACH
def test_only_the_app_imports_streamlit(path):
    if module(path) not in ("app", "streamlit_app"):
        assert "streamlit" not in {name[0] for name in imports(path)}


@EACH
def test_nothing_reads_pickles_or_runs_text_or_swallows_every_exception(path):
    names = {part for name in imports(path) for part in [".".join(name[:2]), name[0]]}
    assert not names & {"pickle", "dill", "cloudpickle", "joblib", "torch.load", "shelve", "marshal"}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{path}:{node.lineno} is a bare except"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("eval", "exec"), f"{path}:{node.lineno}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) != ("torch", "load"), f"{path}:{node.lineno}"


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_names_a_registered_data_set_whose_pictures_it_reads(name):
    assert RECIPES[name].name == name
    assert RECIPES[name].model.spec == (DATASETS | BANKS)[RECIPES[name].dataset].spec


ASKS = re.compile(
    r"(latents|levels) *(==|!=|<|>|<=|>=) *\d|len\(kl\) *==|\.family *[=!]=|"
    r"isinstance\([^)]*\b(VAE|Ladder|Conditional|Autoencoder)\b"
)


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in [*SOURCES, *sorted((ROOT / "vae" / "app" / "components").rglob("*.js"))]
        if path.is_relative_to(ROOT / "vae" / "app") or path.is_relative_to(ROOT / "vae" / "serve")
    ],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_no_page_message_or_cache_asks_what_kind_of_model_it_is(path):
    """What can be done with a model is a row of `vae.serve.capabilities`."""
    if path.name != "capabilities.py":
        found = [line for line in path.read_text().splitlines() if ASKS.search(line)]
        assert found == [], path


def test_the_checks_of_types_draw_nothing_from_everybodys_generator():
    before = random.getstate()
    with pytest.raises(DataError):
        first_good([ROOT / "none", ROOT / "neither"], ROOT, IdxFile("test", "images", 0, ""))
    assert random.getstate() == before
