"""The chapters of How it works: each a file with TITLE, WORD (its short title) and `show(name)` for a model's name."""

from types import ModuleType

from vae.app.chapters import bayes, generative

# A new chapter is one file and one row here; the key is what links say.
CHAPTERS: dict[str, ModuleType] = {
    "model": generative,
    "bayes": bayes,
}
