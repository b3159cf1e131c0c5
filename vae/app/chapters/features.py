"""Chapter 9: the latents as features: what they keep of a picture, and how to take them away."""

from collections.abc import Iterable, Iterator

import streamlit as st

from vae import checkpoint, probe
from vae.app import inputs, look, sources
from vae.app.components import accuracy as component
from vae.distributions import kl_per_dimension, normal, standard_normal
from vae.engine import engine
from vae.features import FORMATS, MAX_FILES, File, Table, encoded, extract, uploads

TITLE, WORD = "Feature extraction", "Features"
KINDS = {"nearest_neighbours": "5 nearest neighbours", "linear_probe": "Linear probe"}
SHOWN = 6  # latents of the current picture, those with most KL


@st.cache_data(show_spinner=False)
def cards(dataset: str) -> dict[str, dict[int, dict]]:
    """Name and accuracies of VAEs and of autoencoders for a data set, by their latents; of two the larger network's."""
    rungs = [name for name in checkpoint.list_pretrained(chapters=True) if name.endswith(("-beta-1", "-beta-ae"))]
    twins = [name for name in checkpoint.list_pretrained(chapters=True) if name.endswith("-ae") and name not in rungs]
    found: dict[str, dict[int, dict]] = {"VAE": {}, "Autoencoder": {}}
    for name in [*rungs, *twins, *checkpoint.list_pretrained()]:
        card = checkpoint.load_card(name)
        if card["data"]["name"] == dataset:
            shares = {kind: card["numbers"][kind]["latents"] for kind in KINDS}
            found["Autoencoder" if name.endswith("-ae") else "VAE"][card["latents"]] = {"name": name} | shares
    return {family: dict(sorted(models.items())) for family, models in found.items()}


def show(name: str) -> None:
    """The curves, the current picture's features, and the export."""
    st.markdown(
        "A picture's features are the mean μ and the standard deviation σ of its q(z|x): a few numbers for all pixels. "
        "How much of the class they keep is measured by classifiers that see nothing else. "
        "Principal components of as many dimensions are what they must be held against."
    )
    dataset = inputs.dataset_of(name)
    baselines = probe.load(dataset.name)
    models = cards(dataset.name)
    component(
        key="accuracy",
        data={
            "rev": name,
            "latents": engine().model(name).latents,
            "kinds": list(KINDS.values()),
            "curves": [
                *(curve(family, css, models[family]) for family, css in (("VAE", "mu"), ("Autoencoder", "xhat"))),
                curve("Principal components", "pca", baselines["pca"]),
            ],
            "pixels": [baselines["pixels"][kind] for kind in KINDS],
            "dimensions": baselines["pixels"]["dimensions"],
        },
    )
    st.caption(
        f"{dataset.title}: fitted on a random half of the test set, scored on the other; a difference under 1 % may be "
        "chance."
    )
    st.html(formula(name))
    export(name)


def curve(name: str, css: str, accuracies: dict) -> dict:
    """{dimension: {kind: accuracy}}, of models with their name, as the component reads it."""
    shares = [[one[kind] for one in accuracies.values()] for kind in KINDS]
    models = [one.get("name", name) for one in accuracies.values()]
    return {"name": name, "css": css, "dimensions": [int(d) for d in accuracies], "models": models, "shares": shares}


def formula(name: str) -> str:
    """The current picture's features that cost most nats."""
    found = inputs.current(name)
    mu, sigma, kl = (part[0] for part in engine().compute(encoded, engine().model(name), found.x))
    costs = kl_per_dimension(normal(mu, sigma), standard_normal(len(mu)))
    order = costs.argsort(descending=True)[:SHOWN].tolist()
    parts = [
        ("", f"{mu[d]:.2f} ± {sigma[d]:.2f}".replace("-", "−"), f"{look.symbol('mu', f'μ<sub>{d}</sub>')} ± "
         f"{look.symbol('sigma', f'σ<sub>{d}</sub>')}") for d in order
    ]  # fmt: skip
    x, mu_, sigma_ = look.symbol("x"), look.symbol("mu", "μ"), look.symbol("sigma", "σ")
    text = (
        f"{x} → ({mu_}({x}), {sigma_}({x})): {len(mu)} latents instead of {found.x[0].numel()} pixels, KL "
        f"{look.nats(float(kl))} nats{'; those that cost most of it' if len(mu) > SHOWN else ''}"
    )
    return f'<p style="font-size:1.1rem;padding-top:.6rem">{text}</p>{look.equation(parts)}'


def followed(files: list[File]) -> Iterator[File]:
    """The files, with a bar that says how many are done."""
    bar = st.progress(0.0)
    for index, file in enumerate(files):
        bar.progress(index / len(files), f"{index} of {len(files)} pictures")
        yield file
    bar.empty()


def features(name: str, files: Iterable) -> tuple[Table, list[str]]:
    """The table of an upload; kept until another comes."""
    key = (name, *(file.file_id for file in files))
    kept = st.session_state.get("features.table")
    if kept is None or kept[0] != key:
        found, refused = uploads((file.name, file.getvalue()) for file in files)
        table, more = extract(
            engine().model(name), followed(found), lambda model, x: engine().compute(encoded, model, x)
        )
        kept = st.session_state["features.table"] = (key, table, refused + more)
    return kept[1:]


def export(name: str) -> None:
    """The features of the visitor's own pictures, as files."""
    st.subheader("Features of your own pictures", anchor=False)
    label = f"Pictures, or a ZIP of up to {MAX_FILES}"
    files = st.file_uploader(label, [*sources.TYPES, "zip"], accept_multiple_files=True, max_upload_size=25)
    if files:
        table, refused = features(name, files)
        if table.names:
            with st.container(horizontal=True):
                for suffix, write in FORMATS.items():
                    file, word = f"{name}-features{suffix}", suffix[1:].upper()
                    st.download_button(
                        f"Download {word}", write(table), file, on_click="ignore", icon=":material/download:"
                    )
        st.caption(f"{len(table.names)} read: file name, KL in nats, μ and σ of {table.mu.shape[1]} latents each.")
        if refused:
            with st.container(height=160 if len(refused) > 4 else "content", border=True):
                st.text("\n".join(refused))
    st.caption("The same from the command line:")
    st.code(f"python -m vae.features {name} FOLDER --out features.csv", language="bash", wrap_lines=True)
