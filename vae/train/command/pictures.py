"""What --data names -> pictures as a model reads them, what is said of them, and the file in the run's folder."""

from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from vae.data import DataError, Own, own
from vae.data.own import SHAPES, Brought
from vae.models import files

LEFT_OUT = "left_out.txt"
SAID = 10  # sentences about what was left out, before the rest is counted


def prepared(
    path: Path, folder: Path, title: str, shape: str | None, preparation: str | None, say: Callable[[str], None]
) -> Own:
    """The pictures of a folder, a ZIP archive, an IDX pair, or a file that was made of such before; kept in a run's
    folder. DataError and ValueError where that cannot be, OSError where the folder cannot be written to."""
    if path.suffix == Path(own.FILE).suffix and path.is_file():
        found = _made_before(path, shape, preparation)
        say(f"{len(found.pictures.labels):,} pictures of \u201c{found.title}\u201d, prepared before.")
    else:
        found = _made(path, folder, title, shape, preparation, say)
    spec = found.spec
    size = f"{spec.height} x {spec.width}, {'black and white' if spec.levels == 2 else 'in colour'}"
    say(
        f"A model reads them {size}, prepared as {spec.preparation!r}. Held out: {found.tested:,} to measure with and "
        f"{found.validated:,} to choose weights by; {found.count('train'):,} are trained on."
    )
    own.save(found, folder / own.FILE)
    return found


def _made_before(path: Path, shape: str | None, preparation: str | None) -> Own:
    if shape or preparation:
        raise ValueError(f"the pictures in {path} are prepared already, so --shape and --preparation come too late")
    found = own.load(path)
    if found.count("train") < own.LEAST // 2:
        raise DataError(f"{path} holds only what was held out of its pictures, and none to train on")
    return found


def _made(
    path: Path, folder: Path, title: str, shape: str | None, preparation: str | None, say: Callable[[str], None]
) -> Own:
    listed, refused = own.found_in(path)
    if shape is None or preparation is None:
        usual, way = own.sampled(listed)
        shape = shape or usual
        ways = SHAPES[shape].preparations
        preparation = preparation or (way if way in ways else next(iter(ways)))
    spec, found = SHAPES[shape].spec(preparation), Brought()
    read = own.read_on(found, tqdm(listed, desc="pictures", unit="picture", disable=None))
    try:
        made, more = own.made(title, found, spec, read)
    except DataError as error:
        first = next(iter([*refused, *found.refused, *found.twins]), "")
        raise DataError(f"{error} Left out was, among others: {first}" if first else str(error)) from error
    say(found.words)
    left_out([*refused, *found.refused, *found.twins, *more], len(found.twins), folder, say)
    say(f"They become {shape}: {SHAPES[shape].words}. {SHAPES[shape].preparations[preparation]} ({preparation}).")
    return made


def left_out(sentences: list[str], twins: int, folder: Path, say: Callable[[str], None]) -> None:
    """Say how many were left out and why, all of them in a file of the run's folder where they are many."""
    if not sentences:
        return
    say(f"{len(sentences):,} left out, {twins:,} of them as they are there already:")
    for sentence in sentences[:SAID]:
        say(f"  {sentence}")
    if len(sentences) > SAID:
        with files.whole(folder / LEFT_OUT) as draft:
            draft.write_text("".join(f"{sentence}\n" for sentence in sentences), errors="backslashreplace")
        say(f"  and {len(sentences) - SAID:,} more, all of them in {folder / LEFT_OUT}")
