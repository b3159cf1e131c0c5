"""Chapter 6: an autoencoder and a VAE of the same network, on the same data, with the same z."""

import streamlit as st
import torch
from torch import Tensor

from vae import data
from vae.app import look
from vae.app.chapters.lecture import Question
from vae.app.components import twins as component
from vae.app.look.keys import KEYS
from vae.app.session import inputs, kept, link, picker, state
from vae.app.session.ids import Example
from vae.evaluate.coverage import nearest_pictures
from vae.inference.comparison import Scene, passed, scene
from vae.serve import asked
from vae.serve.engine import engine
from vae.serve.entry import Entry
from vae.serve.library import library
from vae.train.recipes import RECIPES

OPENS = "fashion"  # the pair whose difference is plainest
TITLE, WORD = "Why not a plain autoencoder", "Autoencoder"
PICTURES, SAMPLES, STEPS = 2000, 8, 33
OTHER_END = 7  # the class that the way leads to; one further where it begins there
QUESTION = Question(
    "Both models draw pictures from the same random z. Which one draws nonsense more often?",
    ("The autoencoder", "The VAE", "Both alike"),
    0,
    "Press “Draw again” a few times and look at the rows.",
    ".after button, .pairs button",
    "Nothing told the autoencoder what lies between its points, so most random z mean nothing to it.",
)
SUMMARY = (
    "An autoencoder rebuilds better; a VAE can also draw.",
    "Noise on z makes neighbours alike, and the KL keeps all of them where N(0, I) draws.",
)


def show(entry: Entry) -> dict[str, str] | None:
    """Samples of N(0, I) side by side and what they leave out, then the two latent maps and one way."""
    pair = chosen(entry)
    if not has_twin(entry):
        look.aside(f"No plain autoencoder learned {entry.dataset.things} here: the pair below is of another network.")
    if picker.lacks(f"{pair.name}-ae"):
        return None
    twin = library().find(f"{pair.name}-ae")
    look.say(
        "Both models are the same network, trained as long on the same pictures, and both draw the same z ~ N(0, I). "
        "While the VAE learned, **noise**, the σ of q(z|x), blurred each z. "
        "The autoencoder learned without noise, each picture as a single point."
    )
    given, seed = inputs.current(pair), draw_number()
    start, end = ends(pair, given)
    entries, dataset = {"Autoencoder": twin, "VAE": pair}, pair.dataset
    sides = [
        side(one, both(start, end), seed)
        | {
            "title": title,
            "missed": look.percent(one.numbers["coverage"]["missed"]),
            "epochs": round(one.card["training"]["epochs"]),
        }
        for title, one in entries.items()
    ]
    real = pair.numbers["coverage"]
    mount = {
        "sides": sides,
        "labels": look.as_text(subset(dataset.name)[1]),
        "classes": dataset.class_names,
        "colours": look.CLASS_COLOURS,
        "shape": list(start.x.shape[1:]),
        "ends": [start.name, end.name],
        "samples": real["pictures"],
        "real": look.percent(real["missed_by_pictures"]),
        "rev": f"{pair.name} {inputs.identity(start)} {end.id} {seed} {link.turn()}",
        "see": link.seen("autoencoder"),
        "draw": seed,
    }
    component(
        key="twins",
        data=mount,
        on_again_change=lambda: state.count_up("twins.draws"),
        on_see_change=lambda: link.see("autoencoder", "twins"),
    )
    st.html(losses(pair, twin, given.x))
    look.aside(
        f"Of {start.name}. Rebuilding is all that an autoencoder is asked for. What the VAE pays beside it is the "
        "price of being able to draw, so that the lower loss is no better model.",
        answers=True,
    )
    _, *rest = link.seen("autoencoder").split("_")
    see = {"see": "_".join([str(seed), *rest])} if seed or rest else {}
    return {"pair": pair.name} | inputs.linked(entry, pair) | see


def draw_number() -> int:
    """How often was drawn again: what the link says at first, and after Back."""
    if "twins.draws" not in st.session_state:
        said = link.numbers("autoencoder", -1.0, 10_000.0)
        st.session_state["twins.draws"] = int(max(0, said[0])) if said else 0
    return state.counted("twins.draws")


def has_twin(entry: Entry) -> bool:
    """Whether a plain autoencoder of the same network was trained, or can be."""
    return f"{entry.name}-ae" in RECIPES


def chosen(entry: Entry) -> Entry:
    """The pair that is compared: at first, and after Back, what the link says, else OPENS; once the picker was turned,
    its model, if that has a twin.
    """
    here, pairs = (entry.name, link.turn()), {one.name: one for one in picker.visible() if has_twin(one)}
    before = st.session_state.get("twins.here", here)
    turned = before[0] != entry.name and before[1] == link.turn()
    if turned or st.session_state.get("twins.pair") not in pairs:
        asked = "" if turned else link.asked("pair")
        said = (entry.name,) if turned else (asked, link.asked("model"))
        st.session_state["twins.pair"] = next(pair for pair in (*said, OPENS, entry.name, *pairs) if pair in pairs)
        if asked and asked not in pairs:
            link.lost("a pair of models that there is not; this is another")
    st.session_state["twins.here"] = here
    options = {"label_visibility": "collapsed", "required": True, "wrap": True, "persist_state": "session"}
    options |= {"format_func": lambda name: pairs[name].words}
    return pairs[st.pills("Pair", list(pairs), key="twins.pair", **options)]


def ends(entry: Entry, given: inputs.Input) -> tuple[inputs.Input, inputs.Input]:
    """The current picture, and an example of another class."""
    label = None
    if isinstance(given.id, Example):
        label = int(kept.test_set(entry.dataset.name)[1][given.id.index])
    return given, inputs.find(entry, Example(kept.typical(entry)[OTHER_END + (label == OTHER_END)]))


def both(start: inputs.Input, end: inputs.Input) -> Tensor:
    """The x of both ends, as one batch."""
    return torch.cat([start.x, end.x])


def draws(latents: int, seed: int) -> Tensor:
    """z ~ N(0, I), the same for both models."""
    return torch.randn(SAMPLES, latents, generator=torch.Generator().manual_seed(seed))


@st.cache_resource(show_spinner=False)
def subset(dataset: str) -> tuple[Tensor, Tensor]:
    """x and labels of random test pictures."""
    _, labels, bits = kept.test_set(dataset)
    rows = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))[:PICTURES]
    return bits[rows].float(), labels[rows].byte()


@st.cache_resource(show_spinner=False)
def grey(dataset: str) -> Tensor:
    """The test pictures in [0, 1]."""
    return data.grey(kept.test_set(dataset)[0])


@st.cache_resource(show_spinner=False, max_entries=64, hash_funcs=KEYS)
def side(entry: Entry, ends: Tensor, seed: int) -> dict:
    """A model's half of the picture, for the browser: once for all who look at the same ends and draws."""
    model, dataset = library().lease(entry).model, entry.dataset
    drawn: Scene = engine().compute(scene, model, subset(dataset.name)[0], draws(model.latents, seed), ends, STEPS)
    pictures, labels, _ = kept.test_set(dataset.name)
    distances, nearest = engine().compute(nearest_pictures, drawn.samples, grey(dataset.name))
    return {
        "plane": "z₀ across, z₁ up"
        if drawn.explained > 0.9999
        else f"two principal components, {100 * drawn.explained:.0f} % of the variance",
        "encodings": look.as_text(drawn.encodings),
        "places": look.as_text(drawn.places),
        "way": look.as_text(drawn.way),
        "samples": look.as_text(look.as_levels(drawn.samples)),
        "strip": look.as_text(look.as_levels(drawn.strip)),
        "nearest": look.as_text(pictures[nearest]),
        "names": [dataset.class_names[label] for label in labels[nearest]],
        "distances": [round(distance, 2) for distance in distances.tolist()],
    }


@st.cache_resource(show_spinner=False, max_entries=64, hash_funcs=KEYS)
def losses(entry: Entry, twin: Entry, x: Tensor) -> str:
    """What each model's training minimised, for a picture."""
    rebuilt = engine().compute(passed, library().lease(twin).model, x, torch.zeros(1, twin.latents)).log_likelihood
    seen = engine().answer(asked.SKETCH, library().lease(entry), x)
    kl = float(seen.kl_per_dimension.sum())
    x_, z, mu = look.symbol("x"), look.symbol("z"), look.symbol("mu", "μ")
    label = look.label("the autoencoder’s loss", f"−log p({x_}|{z} = {mu})")
    autoencoder = look.equation([("", look.nats(-rebuilt), label)])
    missed, error = look.nats(-float(seen.reconstruction)), float(seen.reconstruction_error)
    parts = [
        ("", look.nats(kl - float(seen.reconstruction)), "the VAE’s loss"),
        ("=", missed, look.label("what is not rebuilt", f"−E log p({x_}|{z}) ± {error:.1f}")),
        ("+", look.nats(kl), look.label("nats that z tells", f"KL(q({z}|{x_}) ‖ N(0, I))")),
    ]
    style = "display:grid;gap:1rem 3rem;grid-template-columns:repeat(auto-fit,minmax(min(24rem,100%),1fr))"
    return f'<div style="{style}">{autoencoder}{look.equation(parts)}</div>'  # each below its model
