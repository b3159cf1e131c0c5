"""The words on screen that not everybody knows, a sentence each: it opens on hover, focus and tap (page.js)."""

import html
import re

WORDS = {
    "nats": "A nat is a unit of information, 1.44 bits: one nat more means that something is 2.7 times as probable.",
    "ELBO": "Evidence lower bound: how probable the model finds a picture, log p(x), is at least this; it is the "
    "reconstruction minus the KL, and higher is better.",
    "IWAE": "Importance-weighted bound: log p(x) is at least this, as with the ELBO, but it comes closer, since many "
    "draws of z are weighed against each other.",
    "KL": "Kullback–Leibler divergence: how far one distribution is from another, 0 where they agree; of q(z|x) from "
    "the prior it is what z tells about the picture, in nats.",
}
MARKED = re.compile(rf"(<[^>]*>)|\b({'|'.join(WORDS)})\b")


def marked(markup: str) -> str:
    """HTML in which each of the words explains itself, where it stands first."""
    seen = set()

    def explained(found: re.Match) -> str:
        tag, word = found.groups()
        if tag or word in seen:
            return found[0]
        seen.add(word)
        sentence = html.escape(WORDS[word], quote=True)
        return f'<button type="button" class="word" data-word="{word}" aria-description="{sentence}">{word}</button>'

    return MARKED.sub(explained, markup)
