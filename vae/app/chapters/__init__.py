"""The chapters of How it works: each a file with TITLE, WORD (its short title), a QUESTION, a SUMMARY of two lines, and
`show(entry)` for a model, which gives what a link says beside model and chapter, or None."""

from types import ModuleType

from vae.app.chapters import (
    autoencoder,
    bayes,
    beta,
    conditions,
    divergence,
    features,
    generative,
    layers,
    structure,
    training,
)

# A new chapter is one file and one row here; the key is what links say.
CHAPTERS: dict[str, ModuleType] = {
    "model": generative,
    "structure": structure,
    "kl": divergence,
    "bayes": bayes,
    "training": training,
    "autoencoder": autoencoder,
    "beta": beta,
    "conditions": conditions,
    "layers": layers,
    "features": features,
}
