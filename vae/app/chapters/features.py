"""Chapter 10: the latents as features: what they keep of a picture, and how to take them away."""

from collections.abc import Iterable, Iterator

import streamlit as st
from torch import Tensor

from vae.app import look
from vae.app.chapters.lecture import Question
from vae.app.components import accuracy as component
from vae.app.look import glossary
from vae.app.session import inputs, link, picker, sources
from vae.data import Dataset
from vae.distributions import kl_per_dimension, normal, standard_normal
from vae.evaluate import probe
from vae.features import FORMATS, MAX_MEGAPIXELS, UNJUDGED, Table, encoded, extract
from vae.inference.familiar import Verdict, judged
from vae.pictures import Content
from vae.pictures.files import MAX_FILES, File, uploads
from vae.serve.capabilities import Can
from vae.serve.engine import engine
from vae.serve.entry import Entry
from vae.serve.library import library

TITLE, WORD = "Feature extraction", "Features"
KINDS = {
    "nearest_neighbours": "5 nearest neighbours",
    "weighed_neighbours": "The same, numbers weighed",
    "linear_probe": "Linear probe",
}
SHOWN = 6  # latents of the current picture, those with most KL
QUESTION = Question(
    "A picture as 24 numbers: which ones tell its class best to its nearest neighbours?",
    ("The numbers of a VAE", "Those of a plain autoencoder", "24 principal components"),
    1,
    "Move over the curves to 24 dimensions, and read the line below.",
    "[data-testid=accuracy]",
    "N(0, I) gives all numbers of a VAE one width, so that plain distances count a bent stroke like another digit.",
)
SUMMARY = (
    "The means of q(z|x) are features: a few numbers that keep much of what a picture is.",
    "Compare like with like: the same network, as many numbers, the same classifier. A VAE need not win.",
)


def cards(dataset: Dataset) -> dict[str, dict[int, dict]]:
    """Name and accuracies of VAEs and of autoencoders for a data set, by their latents; of two the larger network's."""
    curves: dict[str, dict[int, dict]] = {"VAE": {}, "Autoencoder": {}}
    known = [*library().chapters(), *picker.visible()]
    for entry in sorted(known, key=lambda one: one.card["parameters"]):
        beta = entry.card["training"]["recipe"]["beta"] if entry.config.prior else 1
        if entry.dataset == dataset and entry.lacks(Can.MOVE, Can.READ) is None and beta == 1:
            shares = {kind: entry.numbers[kind]["latents"] for kind in KINDS}
            family = "VAE" if entry.config.prior else "Autoencoder"
            curves[family][entry.latents] = {"name": entry.name} | shares
    return {family: dict(sorted(models.items())) for family, models in curves.items()}


def show(entry: Entry) -> dict[str, str]:
    """The curves, the current picture's features, and the export."""
    look.say(
        "A picture’s features are the mean μ and the width σ of its q(z|x). How much of the class they keep is "
        "measured by classifiers that see nothing else. All numbers (latents) of a VAE have one width under N(0, I), "
        "whether they redraw a digit or bend a stroke. So they are also weighed by how much each changes the picture."
    )
    measured = classed(entry)
    if measured is None:
        look.aside("Nothing is measured here: no network's pictures have classes.")
    else:
        curves(entry, measured)
    st.html(formula(entry))
    export(entry)
    return link.said("features") | {"x": inputs.address(inputs.current(entry))}


def classed(entry: Entry) -> Entry | None:
    """The model itself where its pictures have classes and others learned them too, else the first whose have."""
    readers = (one for one in picker.visible() if one.lacks(Can.READ, Can.MOVE) is None)
    return next((one for one in (entry, *readers) if one.dataset.class_names and one.mine is None), None)


def curves(entry: Entry, measured: Entry) -> None:
    """How much of the class is kept: the curves of a model's data, and the model beside its plain twin."""
    if measured != entry:
        look.aside(
            f"How well classes can be found again was not measured for {entry.dataset.things}: this is for "
            f"{measured.dataset.things}."
        )
    dataset = measured.dataset
    baselines = probe.load(dataset.name)
    models = cards(dataset)
    component(
        key="accuracy",
        data={
            "rev": f"{entry.name} {link.turn()}",
            "see": link.seen("features"),
            "latents": measured.latents,
            "kinds": list(KINDS.values()),
            "curves": [
                *(curve(family, css, models[family]) for family, css in (("VAE", "mu"), ("Autoencoder", "xhat"))),
                curve("Principal components", "pca", baselines["pca"]),
            ],
            "pixels": [accuracy(baselines["pixels"], kind) for kind in KINDS],
            "dimensions": baselines["pixels"]["dimensions"],
        },
        on_see_change=lambda: link.see("features", "accuracy"),
    )
    look.aside(
        f"{dataset.title}: fitted on a random half of the test set, scored on the other; a difference under 1 % may be "
        "chance."
    )
    st.html(alike(measured, baselines))


def twins(entry: Entry) -> dict[str, Entry]:
    """The model, and where there is one the plain autoencoder of the same network, by what they are called."""
    found = {entry.words: entry}
    plain = next((one for one in library().chapters() if one.name == f"{entry.name}-ae"), None)
    if plain is not None:
        found["Autoencoder, the same network"] = plain
    return found


def alike(entry: Entry, baselines: dict) -> str:
    """The model, its plain twin and as many components, side by side: what differs is only what is compared."""
    rows = {word: one.numbers for word, one in twins(entry).items()}
    cells = {title: [numbers[kind]["latents"] for kind in KINDS] for title, numbers in rows.items()}
    components = baselines["pca"].get(str(entry.latents))
    if components is not None:
        cells[f"{entry.latents} principal components"] = [accuracy(components, kind) for kind in KINDS]
    best = [max(column) for column in zip(*cells.values(), strict=True)]
    head = "".join(f'<th scope="col">{word}</th>' for word in ("", *KINDS.values()))
    body = "".join(
        f'<tr><th scope="row">{title}</th>'
        + "".join(
            f"<td>{'<b>' if share == top else ''}{100 * share:.1f} %{'</b>' if share == top else ''}</td>"
            for share, top in zip(shares, best, strict=True)
        )
        + "</tr>"
        for title, shares in cells.items()
    )
    caption = f"Like with like: {entry.latents} numbers each, the same pictures, the same classifiers"
    return (
        f'<div{look.WAITS}><table class="alike" data-testid="alike">'
        f"<caption>{caption}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def curve(name: str, css: str, accuracies: dict) -> dict:
    """{dimension: {kind: accuracy}}, of models with their name, as the component reads it."""
    shares = [[accuracy(one, kind) for one in accuracies.values()] for kind in KINDS]
    models = [one.get("name", name) for one in accuracies.values()]
    return {"name": name, "css": css, "dimensions": [int(d) for d in accuracies], "models": models, "shares": shares}


def accuracy(found: dict, kind: str) -> float:
    """An accuracy; what is measured in pixels, as components are, is weighed by what changes pictures already."""
    return found.get(kind, found["nearest_neighbours"])


def formula(entry: Entry) -> str:
    """The current picture's features that cost most nats."""
    given = inputs.current(entry)
    mu, sigma, kl = (part[0] for part in engine().compute(encoded, library().lease(entry).model, given.x))
    costs = kl_per_dimension(normal(mu, sigma), standard_normal(len(mu)))
    order = costs.argsort(descending=True)[:SHOWN].tolist()
    parts = []
    for d in order:
        symbols = f"{look.symbol('mu', f'μ<sub>{d}</sub>')} ± {look.symbol('sigma', f'σ<sub>{d}</sub>')}"
        value = f"{mu[d]:.2f} ± {sigma[d]:.2f}".replace("-", "−")
        parts.append(("", value, look.label("mean ± standard deviation", symbols)))
    x, mu_, sigma_ = look.symbol("x"), look.symbol("mu", "μ"), look.symbol("sigma", "σ")
    text = (
        f"{x} → ({mu_}({x}), {sigma_}({x})): {len(mu)} latents instead of {given.x[0].numel()} pixels, KL "
        f"{look.nats(float(kl))} nats{'; those that cost most of it' if len(mu) > SHOWN else ''}"
    )
    return f'<p style="font-size:1.1rem;padding-top:.6rem">{glossary.marked(text)}</p>{look.equation(parts)}'


def followed(files: list[File]) -> Iterator[File]:
    """The files, with a bar that says how many are done."""
    bar = st.progress(0.0)
    for index, file in enumerate(files):
        bar.progress(index / len(files), f"{index} of {len(files)} pictures")
        yield file
    bar.empty()


def features(entry: Entry, files: Iterable) -> tuple[Table, list[str]]:
    """The table of an upload; kept until another comes."""
    key = (entry.fingerprint, *(file.file_id for file in files))
    before = st.session_state.get("features.table")
    if before is None or before[0] != key:
        readable, refused = uploads((file.name, file.getvalue()) for file in files)
        loaded = library().lease(entry)

        def judge(x: Tensor, contents: list[Content | None]) -> list[Verdict]:
            return engine().compute(judged, loaded.model, loaded.company, loaded.judges, x, contents)

        table, more = extract(
            loaded.model,
            followed(readable),
            lambda model, x: engine().compute(encoded, model, x),
            MAX_MEGAPIXELS,
            judge if loaded.judges else None,
        )
        before = st.session_state["features.table"] = (key, table, refused + more)
    return before[1:]


def kept_of(table: Table) -> str:
    """What is written of each picture, in words."""
    latents = table.mu.shape[1]
    return f"the {latents} numbers of z" if table.kl is None else f"KL in nats, μ and σ of {latents} latents each"


def export(entry: Entry) -> None:
    """The features of the visitor's own pictures, by the model or its plain twin, as files."""
    st.subheader("Features of your own pictures", anchor=False)
    known = twins(entry)
    if len(known) > 1:
        options = {"required": True, "persist_state": "session", "default": entry.words}
        entry = known[st.segmented_control("By which network", list(known), key=f"features.{entry.name}", **options)]
    label = f"Pictures, or a ZIP of up to {MAX_FILES}"
    files = st.file_uploader(label, [*sources.TYPES, "zip"], accept_multiple_files=True, max_upload_size=25)
    if files:
        table, refused = features(entry, files)
        if table.names:
            with st.container(horizontal=True):
                for suffix, write in FORMATS.items():
                    file, word = f"{entry.name}-features{suffix}", suffix[1:].upper()
                    st.download_button(
                        f"Download {word}", write(table), file, on_click="ignore", icon=":material/download:"
                    )
        doubts = sum(doubt not in ("", UNJUDGED) for doubt in table.doubt)
        look.aside(
            f"{len(table.names)} read: file name, {kept_of(table)}, and a doubt where a picture is probably nothing "
            f"that the model knows, as with {doubts} of them."
        )
        if refused:
            with st.container(height=160 if len(refused) > 4 else "content", border=True):
                st.text("\n".join(refused))
    look.aside("The same from the command line:")
    st.code(f"python -m vae.features {entry.name} FOLDER --out features.csv", language="bash", wrap_lines=True)
