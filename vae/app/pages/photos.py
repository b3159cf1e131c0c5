"""Photos: any photo through a network whose z is a map, and what can be done with such a z."""

from typing import NamedTuple

import numpy as np
import streamlit as st
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps

from vae.app import look
from vae.app.components import photos
from vae.app.live import sessions, wire
from vae.app.live.messages import LOUDEST
from vae.app.look import charts
from vae.app.session import inputs, kept, link, picker
from vae.app.session.ids import UPLOAD
from vae.data import bank
from vae.latent.maps import Photo, encoded
from vae.models import pretrained
from vae.pictures import prepare, prepare_array
from vae.pictures.steps import smaller
from vae.serve.engine import engine
from vae.serve.entry import Entry
from vae.serve.library import library

THUMB = 112  # of a photo to choose
OWN = 2  # photos of the visitor's that can be chosen from, so that two of them can be blended
FARTHEST = 4.0  # of a number of the map: black or white in its channel's picture
LOOKS = ("compared", "difference", "bits")
OWNED = "own"  # what a link calls a photo that it cannot hold, with its place
CODECS = (
    "Each point is a mean over {count} {which}: to the right costs more, further up "
    "comes back better. **JPEG and WebP win**, and that is no wonder. They code a whole photo with the care of thirty "
    "years: each number is guessed from its neighbours, and only the surprise is stored. This network pays for each "
    "number as if it knew nothing of the others, which is what the prior N(0, I) says. What it has instead is numbers "
    "that can be changed, mixed and learned from."
)


class File(NamedTuple):
    """A photo by its name in this session and its link, what it is called, and its bytes; `own` to the visitor."""

    id: str
    name: str
    content: bytes
    own: bool = False


class Chosen(NamedTuple):
    """Which photo is shown, which one it is blended with, "" for none, and how many pixels on its long side."""

    photo: str
    other: str = ""
    side: int = 0


class See(NamedTuple):
    """What of it is shown; see `vae.latent.maps.Asked`."""

    keep: int
    noise: float = 0.0
    seed: int = 0
    share: float = 0.5
    look: str = LOOKS[0]


# ---- which photo ----


@kept.of_model
def examples(entry: Entry) -> list[File]:
    """Those that ship with the model."""
    shipped = bank.load(entry.folder / pretrained.EXAMPLES)
    return [File(str(row + 1), f"Example {row + 1}", shipped.content(row)) for row in range(len(shipped))]


def own() -> list[File]:
    """The visitor's own, the newest first; one that has just come is chosen, and blended with none. None once they were
    put away."""
    files = st.session_state.setdefault("photos.own", [])
    # one that another model refused is a photo still
    newest = st.session_state.get(f"{UPLOAD.kind}.whole") or st.session_state.get(UPLOAD.kind)
    if newest is None:
        files.clear()
    elif newest[0] not in [file_id for file_id, _ in files]:
        files.insert(0, newest)
        del files[OWN:]
        if "photos.chosen" in st.session_state:
            st.session_state["photos.chosen"] = st.session_state["photos.chosen"]._replace(
                photo=f"own-{newest[0]}", other=""
            )
    return [
        File(f"own-{file_id}", "Your photo" if place == 0 else "Your last one", content, own=True)
        for place, (file_id, content) in enumerate(files)
    ]


def chosen(entry: Entry, files: list[File]) -> Chosen:
    """What is chosen; at first what the link says, or the first photo there is, as large as this network is usually
    given one."""
    if "photos.chosen" not in st.session_state:
        st.session_state["photos.chosen"] = from_link(files)
    known, said = [file.id for file in files], st.session_state["photos.chosen"]
    photo = said.photo if said.photo in known else known[0]
    other = said.other if said.other in known and said.other != photo else ""
    return Chosen(photo, other, said.side if said.side in entry.sides else entry.sides[0])


def from_link(files: list[File]) -> Chosen:
    """What the link says: an example by its number, and of a photo of somebody's own no more than that it was one."""
    photo, other, side, *_ = [*link.asked("photo").split("_"), "", "", ""]
    known = {file.id: file.id for file in files} | {names_in_link(files)[file.id]: file.id for file in files}
    for one in (photo, other):
        if one.startswith(OWNED) and one not in known:
            link.lost("a photo of somebody's own, which is too large for a link")
        elif one and one not in known:
            link.lost("a photo that is not known here")
    return Chosen(known.get(photo, ""), known.get(other, ""), int(side) if side.isdecimal() and len(side) < 5 else 0)


def names_in_link(files: list[File]) -> dict[str, str]:
    """What a link calls each photo: the visitor's own by their place, the newest first."""
    return {file.id: f"{OWNED}{place}" if file.own else file.id for place, file in enumerate(files, 1)}


def address(at: Chosen, seen: See, files: list[File]) -> dict[str, str]:
    """What the link says."""
    names = [names_in_link(files).get(one, "") for one in (at.photo, at.other)]
    return {"photo": "_".join([*names, str(at.side)]), "show": "_".join(map(str, seen))}


def choose() -> None:
    """The component's callback: another photo, another one to blend it with, or another size."""
    said = st.session_state["photos"].get("choose")
    if isinstance(said, dict) and said.get("side") in picker.shown().sides:
        st.session_state["photos.chosen"] = Chosen(str(said.get("photo")), str(said.get("other")), said["side"])


# ---- what is seen of it ----


def see(entry: Entry) -> See:
    """What is shown: at first what the link says; of another network all its numbers."""
    whose, shown = st.session_state.get("photos.shown", (None, None))
    if shown is None:
        shown = as_seen(entry, link.asked("show").split("_")) or See(entry.latents)
    elif whose != entry.name:
        shown = as_seen(entry, shown._replace(keep=entry.latents)) or See(entry.latents)
    st.session_state["photos.shown"] = entry.name, shown
    return shown


def as_seen(entry: Entry, parts: object) -> See | None:
    """What a link or the browser says; None for anything that it does not show."""
    try:
        keep, noise, seed, share, word = parts
        found = See(int(keep), float(noise), int(seed), float(share), str(word))
    except (TypeError, ValueError, OverflowError):
        return None
    is_in_range = 1 <= found.keep <= entry.latents and 0 <= found.noise <= LOUDEST and 0 <= found.seed < 2**32
    return found if is_in_range and 0 <= found.share <= 1 and word in looks(entry) else None


def looks(entry: Entry) -> tuple[str, ...]:
    """How a photo can be looked at: where its bits go only where numbers cost any."""
    return LOOKS if entry.config.prior else LOOKS[:-1]


def saw() -> None:
    """The component's callback: a hand rests, and this is what is seen."""
    entry = picker.shown()
    found = as_seen(entry, st.session_state["photos"].get("see"))
    if found is not None:
        st.session_state["photos.shown"] = entry.name, found


# ---- the photo as the model has it ----


class Seen(NamedTuple):
    """A photo that was encoded, and what its file was."""

    photo: Photo
    file: str


def read(entry: Entry, file: File, side: int) -> tuple[UInt8[np.ndarray, "h w 3"], str]:
    """Its pixels as the model reads them, at most `side` on the long side, and what the file was. Raises ImageError."""
    found = inputs.prepared_file(entry, file.id, file.content) if file.own else prepare(file.content, entry.pictures)
    pixels = look.to_uint8(found.picture[0])
    if max(pixels.shape) > side:
        small = prepare_array(np.asarray(smaller(Image.fromarray(pixels), side)), entry.pictures)
        pixels = look.to_uint8(small.picture[0])
    return pixels, found.steps[0].text


def encode(entry: Entry, file: File, side: int, size: tuple[int, int] | None = None) -> Seen:
    """A photo as the model has it, at most `side` pixels on its long side; where `size` is said, the middle of it in so
    many columns and rows. Raises ImageError."""
    pixels, text = read(entry, file, side)
    if size is not None:
        pixels = np.asarray(ImageOps.fit(Image.fromarray(pixels), size))
    levels = torch.from_numpy(pixels.copy()).permute(2, 0, 1)
    loaded = library().lease(entry)
    return Seen(engine().compute_photo(loaded, encoded, levels), text)


@kept.of_model
def example(entry: Entry, file: File, side: int) -> Seen:
    """An example, encoded once for all who look at it."""
    return encode(entry, file, side)


def brought(entry: Entry, file: File, side: int, like: Photo | None = None) -> tuple[int, str]:
    """The number that this session gives to a photo, which is encoded where it has none, and what its file was; to
    blend it with another one, as large as that, its middle. Raises ImageError."""
    session = sessions.by_token[wire.live_token()]
    known = st.session_state.get("photos.numbers", {})
    numbers = {key: found for key, found in known.items() if found[0] in session.photos}
    size = None if like is None else tuple(like.levels.shape[:0:-1])
    key = (entry.fingerprint, file.id, side, size)
    if key not in numbers:
        seen = encode(entry, file, side, size) if file.own or size else example(entry, file, side)
        numbers[key] = session.keep(seen.photo), seen.file
    st.session_state["photos.numbers"] = numbers
    session.use(numbers[key][0])
    return numbers[key]


def thumbnails(entry: Entry, files: list[File]) -> list[dict]:
    """The photos to choose from, each with an address of its own, made once for a session. Raises ImageError."""
    known = st.session_state.get("photos.thumbs", {})
    st.session_state["photos.thumbs"] = made = {
        file.id: known.get(file.id) or look.photo_url(read(entry, file, THUMB)[0]) for file in files
    }
    return [{"id": file.id, "name": file.name, "picture": made[file.id]} for file in files]


# ---- the page ----


def channels(photo: Photo) -> dict:
    """What the component draws of the map: of each channel the means as levels, 0 at FARTHEST below nothing, and the
    bits that its places tell, 255 for `most`; and what it costs in all, in bits per pixel. Where q is a point, nothing
    says what a number costs, and there are no bits."""
    bits = photo.bits
    if not bits.isfinite().all():
        return {"map": list(photo.mu.shape), "means": _means(photo), "told": None, "most": 0.0, "costs": []}
    most = float(bits.max())
    return {
        "map": list(bits.shape),
        "means": _means(photo),
        "told": look.as_text(look.as_levels(bits / most)),
        "most": most,
        "costs": (bits.sum((1, 2)) / photo.levels[0].numel()).tolist(),
    }


def _means(photo: Photo) -> str:
    return look.as_text(look.as_levels(photo.mu / (2 * FARTHEST) + 0.5))


@wire.fragment
def show(entry: Entry) -> None:
    """The photo, its controls and its map; only this part runs again when a hand lets go."""
    files = own() + examples(entry)
    at, seen = chosen(entry, files), see(entry)
    by_id = {file.id: file for file in files}
    session = sessions.by_token[wire.live_token()]
    number, file = brought(entry, by_id[at.photo], at.side)
    photo = session.photos[number]
    other, _ = brought(entry, by_id[at.other], at.side, photo) if at.other else (0, "")
    _, height, width = photo.levels.shape
    photos(
        key="photos",
        data={
            "live": wire.wire("photos", entry),
            "rev": f"{entry.name} {number} {other} {link.turn()} {' '.join(by_id)}",
            "photos": thumbnails(entry, files),
            "chosen": at._asdict(),
            "sides": entry.sides,
            "about": f"{file}; the network has it as {width} x {height}.",
            "number": number,
            "other": other,
            "shape": list(photo.levels.shape),
            "latents": entry.latents,
            "looks": list(looks(entry)),
            "ordered": not entry.is_tried,
            "farthest": FARTHEST,
            "see": list(seen),
            **channels(photo),
        },
        on_choose_change=choose,
        on_see_change=saw,
        on_question_change=lambda: wire.answer("photos"),
    )
    link.write({"model": entry.name} | address(at, seen, files))


def beside_codecs(entry: Entry) -> None:
    """What a photo takes and how near it comes back, beside two codecs, from the card."""
    numbers = next(iter(entry.numbers.values()))
    if "rates" not in numbers:  # nothing says what its numbers cost
        return
    box = st.expander("How does it do beside JPEG and WebP?", icon=":material/show_chart:", key="codecs")
    with box:
        which = "example photos" if entry.is_tried else "photos that the network has never seen"
        st.plotly_chart(charts.rates(numbers, entry.latents), key="rates", config={"displayModeBar": False})
        look.say(CODECS.format(count=numbers["pictures"], which=which))


def page(entry: Entry) -> None:
    """The photo first, then what its numbers are worth."""
    show(entry)
    beside_codecs(entry)


if __name__ == "__main__":  # what Streamlit calls a page that it runs
    page(picker.shown())
