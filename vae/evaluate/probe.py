"""How well the class can be read off principal components and pixels: what a model's latents must be held against.

All of it is of the bits that the models read: grey pixels would tell more.

python -m vae.evaluate.probe mnist       measure again, and write pretrained/data/mnist/probe.json
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from jaxtyping import Float, Int
from numpy import ndarray

from vae import data
from vae.models import pretrained
from vae.models.files import whole

COMPONENTS = (1, 2, 4, 8, 16, 24, 32, 64)
SEED = 0  # of the halves; as in the cards of vae.evaluate, so that their numbers can stand beside these


def accuracy(values: Float[ndarray, "n d"], labels: Int[ndarray, " n"], fit: ndarray, score: ndarray) -> dict:
    """Accuracy on the rows `score` of a linear probe and of 5 nearest neighbours that were fitted on the rows `fit`.

    The probe is logistic regression on standardised features, as in Alain and Bengio, Understanding Intermediate
    Layers Using Linear Classifier Probes (2016).
    """
    # here, because importing scikit-learn takes a second, and pages only read the shipped numbers
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return {
        "linear_probe": round(probe.fit(values[fit], labels[fit]).score(values[score], labels[score]), 4),
        "nearest_neighbours": neighbours(values, labels, fit, score),
    }


def neighbours(values: Float[ndarray, "n d"], labels: Int[ndarray, " n"], fit: ndarray, score: ndarray) -> float:
    """Accuracy on the rows `score` of a vote of the 5 nearest of the rows `fit`, by Euclidean distance."""
    from sklearn.neighbors import KNeighborsClassifier

    return round(KNeighborsClassifier(5).fit(values[fit], labels[fit]).score(values[score], labels[score]), 4)


def halved(name: str) -> tuple[ndarray, ndarray, tuple[ndarray, ndarray]]:
    """(labels, pixels as bits, two random halves of the rows) of held-out pictures: fit on one, score on the other."""
    tested = data.tested(name)
    labels = data.load(name, "test").labels[:tested].numpy()
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(SEED)).numpy()
    halves = order[: len(order) // 2], order[len(order) // 2 :]
    return labels, data.test_inputs(name)[:tested].flatten(1).numpy(), halves


def components(k: int, pixels: Float[ndarray, "n p"], fit: ndarray) -> Float[ndarray, "n k"]:
    """All rows on the first k principal components of the rows `fit`."""
    from sklearn.decomposition import PCA

    return PCA(k, random_state=SEED).fit(pixels[fit]).transform(pixels)


def baselines(name: str, counts: tuple[int, ...] = COMPONENTS, raw: bool = True) -> dict:
    """Accuracies on k principal components, {"pca": {k: ...}}, and on the pixels, {"pixels": ...}, of a test set."""
    labels, pixels, halves = halved(name)
    scores: dict = {"pca": {str(k): accuracy(components(k, pixels, halves[0]), labels, *halves) for k in counts}}
    if raw:
        scores["pixels"] = accuracy(pixels, labels, *halves) | {"dimensions": pixels.shape[1]}
    return scores


def file_of(name: str) -> Path:
    """Where a data set's baselines ship."""
    return pretrained.PRETRAINED / "data" / name / "probe.json"


def load(name: str) -> dict:
    """The shipped baselines of a data set."""
    return json.loads(file_of(name).read_text())


def main(arguments: list[str] | None = None) -> int:
    """The command line; gives the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m vae.evaluate.probe",
        description="Measures how well the class can be read off principal components and pixels of a test set, "
        "and writes pretrained/data/NAME/probe.json.",
        epilog="example: python -m vae.evaluate.probe mnist",
    )
    parser.add_argument("name", choices=list(data.DATASETS), help="the data set")
    name = parser.parse_args(arguments).name
    scores = baselines(name) | {"command": f"python -m vae.evaluate.probe {name}"}
    with whole(file_of(name)) as draft:
        draft.write_text(json.dumps(scores, indent=1) + "\n")
    print(json.dumps(scores))
    return 0


if __name__ == "__main__":
    sys.exit(main())
