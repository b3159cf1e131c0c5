"""Latent map: where the test set lies, what lies between, and what sets two groups apart."""

import io

import numpy as np
import streamlit as st
import torch

from vae import data, latent
from vae.app import look
from vae.app.components import latent_map
from vae.app.live import routes, wire
from vae.app.look import CLASS_COLOURS, as_text, ledger
from vae.app.look.keys import KEYS
from vae.app.session import inputs, kept, link, picker, places, state, verdict
from vae.app.session.ids import DRAWING, UPLOAD, Example, parse
from vae.app.session.places import yours
from vae.latent import projection
from vae.latent.named import moves
from vae.latent.named.kept import LETTERS, MOST, tidy
from vae.latent.projection import View
from vae.models import FARTHEST
from vae.pictures import films
from vae.serve import asked
from vae.serve.capabilities import Can
from vae.serve.engine import engine
from vae.serve.entry import Entry
from vae.serve.library import library

VIEWS = {"pca": "Principal components", "pair": "Two latents", "tsne": "t-SNE"}
OTHERS = "all others"


def signed(value: float) -> str:
    """A number to a tenth with its sign, a real minus, and no sign on zero."""
    rounded = round(float(value), 1) + 0.0
    return f"{rounded:+.1f}".replace("-", "−") if rounded else "0.0"


@st.cache_resource(show_spinner=False, max_entries=12, hash_funcs=KEYS)
def view_of(entry: Entry, kind: str, pair: tuple[int, int]) -> View:
    """A view of a model's encodings."""
    company = library().lease(entry).company
    if kind == "tsne":
        return projection.tsne(company)
    if kind == "pca":
        return engine().compute(projection.principal, company)
    return engine().compute(projection.latents, company, *pair)


def choose_view(entry: Entry) -> tuple[View, str]:
    """The view that the visitor chose, and a word that tells it from others."""
    name, order = entry.name, entry.order
    if entry.lacks(Can.FLAT) is None:
        return view_of(entry, "pair", (0, 1)), f"{name}.pair"
    options = {"label_visibility": "collapsed", "persist_state": "session"}
    pair = tuple(order[:2])
    with st.container(horizontal=True, vertical_alignment="center"):
        kind = st.segmented_control(
            "View", list(VIEWS), format_func=VIEWS.get, default="pca", key="map.view", required=True, **options
        )
        if kind == "pair":
            across = st.selectbox("Across", order, format_func="z{}".format, key=f"{name}.across", width=90, **options)
            left = [dimension for dimension in order if dimension != across]
            up = st.selectbox("Up", left, format_func="z{}".format, key=f"{name}.up", width=90, **options)
            pair = (across, up)
        elif kind == "tsne":
            look.aside(
                f"t-SNE of {projection.TSNE_PICTURES} encodings, computed once: neighbours stay near, distances and "
                "empty places mean nothing; no other picture can be put on it, and it cannot be decoded."
            )
    with st.spinner("Computing t-SNE, once" if kind == "tsne" else "", show_time=kind == "tsne"):
        return view_of(entry, kind, pair), f"{name}.{kind}.{pair}"


def groups(entry: Entry) -> dict[str, torch.Tensor]:
    """What can be compared: classes or tags, and what was selected on the map; the indices of their test pictures."""
    name = entry.dataset.name
    kept_ones = st.session_state.get(f"{name}.kept", {})
    found = {selection(group, rows): torch.tensor(rows) for group, rows in sorted(kept_ones.items())}
    return found | data.groups(name)


@st.cache_data(show_spinner=False, max_entries=64, hash_funcs=KEYS)
def compared(entry: Entry, a: tuple[int, ...], b: tuple[int, ...]) -> tuple[latent.Attribute, dict[str, float]]:
    """The difference of two groups and what moves along it; ValueError where they are too small."""
    loaded = library().lease(entry)
    attribute = engine().compute(latent.attribute, loaded.company.mu, torch.tensor(a), torch.tensor(b))
    return attribute, engine().compute(moves, loaded.model, loaded.company, attribute.direction)


def compare(entry: Entry) -> dict | None:
    """Two groups chosen, their effect size told; the direction for the component's slider."""
    known = groups(entry)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        options = {"persist_state": "session", "width": 190}
        chosen = st.selectbox(
            "Group A", list(known), index=None, placeholder="a class or a selection", key="map.a", **options
        )
        other = st.selectbox("Group B", [OTHERS, *known], key="map.b", **options)
    if chosen is None:
        return None
    a = known[chosen]
    if other == OTHERS:
        everyone = torch.ones(entry.examples, dtype=torch.bool)
        everyone[a] = False
        b = everyone.nonzero()[:, 0]
    else:
        b = known[other]
    try:
        attribute, moved = compared(entry, tuple(a.tolist()), tuple(b.tolist()))
    except ValueError as error:
        sentence = str(error)
        st.error(f"{sentence[0].upper()}{sentence[1:]}.")
        return None
    strongest = attribute.per_dimension.abs().argsort(descending=True)[:3].tolist()
    latents = ", ".join(f"z{index} {signed(attribute.per_dimension[index].item())}" for index in strongest)
    others = ", ".join(f"{word} {signed(change)}" for word, change in moved.items())
    look.say(
        f"**Cohen's d {attribute.effect:.2f} ± {attribute.error:.2f}** along A − B, on the half of each group held out"
    )
    look.aside(
        f"Of single latents: {latents}. What else moves along it, in standard deviations from half a step back "
        f"to half a step on: {others}."
    )
    keeper(entry, attribute.direction, {chosen: a, other: b})
    return {"name": f"{chosen} − {other}", "vector": attribute.direction.tolist()}


def keeper(entry: Entry, direction: torch.Tensor, compared: dict[str, torch.Tensor]) -> None:
    """A name for the direction, and a button that makes it a slider of Explore."""
    between = " − ".join(compared)
    if st.session_state.get("map.between") != between or "map.name" not in st.session_state:
        st.session_state["map.between"] = between
        st.session_state["map.name"] = tidy(between)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        written = st.text_input("Its name", max_chars=LETTERS, key="map.name", width=250)
        pressed = st.button("Keep as a slider", key="map.keep", icon=":material/tune:")
    name = tidy(written) or tidy(between)
    if pressed and yours.is_full(entry, name):
        st.error(f"{MOST} sliders are kept for this network, which is all that there is room for: drop one on Explore.")
    elif pressed:
        with st.spinner("Looking at pictures of both groups"):
            yours.keep(entry, name, direction, compared)
    if kept_ones := yours.current(entry):
        look.aside(f"{len(kept_ones)} of {MOST} sliders kept: drag them on Explore, under Yours.")
        yours.say_left_out(entry)


def chosen_groups(entry: Entry) -> dict[str, str]:
    """The test pictures of groups A and B for the browser, where they are chosen and not all others."""
    known = groups(entry)
    chosen = {group: known.get(st.session_state.get(f"map.{group.lower()}")) for group in "AB"}
    return {group: as_text(rows.to(torch.int32)) for group, rows in chosen.items() if rows is not None}


def said(key: str) -> object:
    """What the component last said under a name."""
    return st.session_state["map"].get(key)


def moved() -> None:
    """The component's callback: z was pinned."""
    places.keep(picker.shown(), said("place"))


def picked() -> None:
    """The component's callback: a test picture was chosen, and becomes the current input."""
    entry, value = picker.shown(), said("picked")
    chosen = rows_of(entry, [value.get("index")] if isinstance(value, dict) else None)
    if chosen:
        inputs.choose(entry, Example(chosen[0]))
        places.move(entry, kept.encodings(entry)[0][chosen[0]].tolist())
        state.count_up("map.turn")


def grouped() -> None:
    """The component's callback: points were kept as group A or B."""
    entry, value = picker.shown(), said("kept")
    if not isinstance(value, dict):
        return
    group, rows = value.get("group"), rows_of(entry, value.get("rows"))
    if group in ("A", "B") and rows:
        key = f"{entry.dataset.name}.kept"
        st.session_state[key] = st.session_state.get(key, {}) | {group: rows}
        st.session_state[f"map.{group.lower()}"] = selection(group, rows)


def rows_of(entry: Entry, values: object) -> list[int]:
    """Those of the values that are indices of test pictures, ascending; none where it is no list."""
    count = entry.examples
    numbers = values if isinstance(values, list) else []
    return sorted({int(row) for row in numbers if type(row) in (int, float) and 0 <= row < count and row == int(row)})


def turn_kept() -> object:
    """The turn of the group that was kept last, for the component to see that the page knows of it."""
    value = st.session_state["map"].get("kept") if "map" in st.session_state else None
    return value.get("turn") if isinstance(value, dict) else None


def selection(group: str, rows: list[int]) -> str:
    """What a kept group is called."""
    return f"selection {group} ({len(rows)})"


def columns(entry: Entry) -> dict[str, np.ndarray]:
    """Of each test picture its label, where it has one, and numbers."""
    labels = {"label": kept.test_set(entry.dataset.name)[1].numpy()} if entry.dataset.class_names else {}
    return labels | kept.values(entry)


def as_csv(entry: Entry) -> bytes:
    """The encodings as a table: index, label, numbers, mu and sigma, with the digits that make float32 exact."""
    mu, sigma = kept.encodings(entry)
    numbers, d = columns(entry), mu.shape[1]
    head = ["index", *numbers, *(f"mu{i}" for i in range(d)), *(f"sigma{i}" for i in range(d))]
    table = np.column_stack([np.arange(len(mu)), *numbers.values(), mu.numpy(), sigma.numpy()])
    out = io.StringIO()
    np.savetxt(
        out,
        table,
        fmt=["%d" if name in ("index", "label") else "%.9g" for name in head],
        delimiter=",",
        header=",".join(head),
        comments="",
    )
    return out.getvalue().encode()


def as_npz(entry: Entry) -> bytes:
    """The same as arrays."""
    mu, sigma = kept.encodings(entry)
    return films.npz(mu=mu.numpy(), sigma=sigma.numpy(), **columns(entry))


def features(entry: Entry) -> None:
    """One step behind: how good the latents are as features, and the encodings to take away."""
    with st.expander("Numbers of all pictures", icon=":material/table_chart:", key="all"):
        table(entry)


def table(entry: Entry) -> None:
    """What is in it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        # a click that ran the script again could take away the file that it asks for
        options = {"icon": ":material/download:", "on_click": "ignore"}
        st.download_button("CSV", lambda: as_csv(entry), f"{entry.name}.csv", "text/csv", **options)
        st.download_button("NPZ", lambda: as_npz(entry), f"{entry.name}.npz", **options)
    if "linear_probe" not in entry.numbers:
        return
    probe, neighbours, weighed = (
        entry.numbers[kind] for kind in ("linear_probe", "nearest_neighbours", "weighed_neighbours")
    )
    st.html(
        look.note(
            f"As features: a linear probe on the means finds the class of {100 * probe['latents']:.1f} % of the test "
            f"pictures held out (as many principal components of the same bits: {100 * probe['pca']:.1f} %), 5 nearest "
            f"neighbours {100 * neighbours['latents']:.1f} %, with latents weighed as on this map "
            f"{100 * weighed['latents']:.1f} % ({100 * neighbours['pca']:.1f} %)."
        )
    )


def marks(entry: Entry, given: inputs.Input) -> list[dict]:
    """The posteriors to draw: the current input's, called x, and those of the visitor's own pictures."""
    own = [(UPLOAD, "your picture"), (DRAWING, "your drawing")]
    own += [(parse(identity), one.name) for identity, one in inputs.brought(entry).items()]
    shown, labels = [given], ["x"]
    for one, word in [(inputs.find(entry, picture), word) for picture, word in own]:
        if one is None:
            continue
        if inputs.identity(one) == inputs.identity(given):  # however it is known
            labels[0] = f"x, {word}"
        elif inputs.identity(one) not in map(inputs.identity, shown):
            shown.append(one)
            labels.append(word)
    seen = engine().answer(asked.SKETCH, library().lease(entry), torch.cat([one.x for one in shown]))
    return [
        {"label": label, "mu": mu, "sigma": sigma}
        for label, mu, sigma in zip(labels, seen.mu.tolist(), seen.sigma.tolist(), strict=True)
    ]


def about(given: inputs.Input) -> tuple[str, object]:
    """What else on the page than the chart is about: the current input, and the group that was kept last."""
    return str(given.id), turn_kept()


@wire.fragment
def chart(entry: Entry, view: View, word: str, marked: list[dict], direction: dict | None) -> None:
    """The map and the link; only this part runs again when a hand lets go and what the page is about stays."""
    given, dataset, spec = inputs.current(entry), entry.dataset, entry.pictures
    if st.session_state["map.about"] != about(given):
        st.rerun()
    z = places.current(entry, marked[0]["mu"])
    latent_map(
        key="map",
        data={
            "live": wire.wire("map", entry),
            "plotly": wire.plotly_path(),
            "rev": word,
            "turn": f"{state.counted('map.turn')}.{link.turn()}",
            "model": entry.name,
            "latents": entry.latents,
            "shape": list(spec.shape),
            "classes": list(dataset.class_names) or [dataset.things[0].upper() + dataset.things[1:]],
            "colours": CLASS_COLOURS,
            "titles": list(view.titles),
            "rows": as_text(view.rows.to(torch.int32)),
            "labels": as_text(kept.test_set(dataset.name)[1].to(torch.uint8)),
            "xy": as_text(view.xy),
            "values": {key: as_text(array[view.rows.numpy()]) for key, array in kept.values(entry).items()},
            "pictures": routes.pictures_of(dataset),
            "farthest": FARTHEST,
            "middle": list(view.middle),
            "far": view.far,
            "along": None if view.along is None else view.along.tolist(),
            "side": projection.SIDE,
            "rank": "" if view.rank is None else as_text(view.rank),
            "typical": kept.crowding(entry),
            "z": z,
            "given": str(given.id),
            "marks": marked,
            "levels": as_text(given.x.mul(spec.levels - 1).round().to(torch.uint8)),
            "direction": direction,
            "groups": chosen_groups(entry),
            "kept": turn_kept(),
        },
        on_place_change=moved,
        on_picked_change=picked,
        on_kept_change=grouped,
        on_question_change=lambda: wire.answer("map"),
    )
    link.write({"model": entry.name, "z": places.as_text(z), "x": inputs.address(given)} | yours.said(entry))


@wire.fragment
def page(entry: Entry) -> None:
    """The map, and below it the comparison of two groups."""
    view, word = choose_view(entry)
    above = st.container()
    direction = compare(entry)
    given = inputs.current(entry)
    st.session_state["map.about"] = about(given)
    marked = marks(entry, given)
    verdict.show(entry, given)
    with above:
        chart(entry, view, word, marked, direction)
    ledger.below(entry, {"x": given.x})


if __name__ == "__main__":  # what Streamlit calls a page that it runs
    page(picker.shown())
    features(picker.shown())
