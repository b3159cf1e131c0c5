"""The symbols and words on screen that not everybody knows explain themselves: on hover, focus and tap (page/words.js).

`marked` finds them in HTML and `dom.js` in what instruments say, both by `PATTERN`.
"""

import html
import re

from vae.app.look.terms import NUMBERS, SYMBOLS, WORDS

TERMS = {term.name: term for term in (*WORDS, *SYMBOLS, *NUMBERS)}
# What each spelling on screen opens; with a capital it is the same word.
SPELLED = {
    spelling: name
    for name, term in TERMS.items()
    for word in (name, *term.spelled)
    for spelling in (word, word[0].upper() + word[1:] if len(word) > 2 else word)
}
_LETTER = r"A-Za-z_\u00c0-\u024f\u0300-\u03ff"


def _pattern(spelling: str) -> str:
    escaped = re.sub(r"([\\^$.*+?()\[\]{}|/])", r"\\\1", spelling)
    before = r"(?<!\d )" if spelling == "x" else ""  # 28 x 28 is no picture
    return (
        before + escaped + (f"(?![{_LETTER}])" if len(spelling) == 1 else f"(?![{_LETTER}0-9])")
    )  # a symbol has an index


# Read by Python and by the browser: whole words, the longest first.
PATTERN = f"(?<![{_LETTER}0-9])(?:{'|'.join(map(_pattern, sorted(SPELLED, key=len, reverse=True)))})"
# What must not wrap alone: a line may break on both sides of a button, which is no letter, and so before a full stop.
OPENING, CLOSING = r"[(“−]", r"[.,;:!?)”’…]"
_BEFORE, _AFTER = re.compile(f"{OPENING}+$"), re.compile(f"{CLOSING}+")
_STYLED = re.compile(r"<([bi])\b[^>]*>$")
_FOUND, _PIECE = re.compile(PATTERN), re.compile(r"(?P<tag><[^>]*>)|&#?\w+;|.", re.DOTALL)


def button(name: str, inside: str) -> str:
    """The HTML of a word that explains itself."""
    word, sentence = (html.escape(text, quote=True) for text in (name, TERMS[name].sentence))
    return f'<button type="button" class="word" data-word="{word}" aria-description="{sentence}">{inside}</button>'


def marked(markup: str) -> str:
    """HTML in which each symbol and word of the glossary explains itself, where it stands first."""
    letters = [piece for piece in _PIECE.finditer(markup) if not piece["tag"]]
    plain = "".join(html.unescape(letter[0])[0] for letter in letters)
    parts, end, seen = [], 0, set()
    for found in _FOUND.finditer(plain):
        start, stop, name = letters[found.start()].start(), letters[found.end() - 1].end(), SPELLED[found[0]]
        if name not in seen and _is_whole(markup[start:stop]):
            before, word, end = _kept(markup[end:start], button(name, markup[start:stop]), markup, stop)
            parts += [before, word]
            seen.add(name)
    return "".join([*parts, markup[end:]])


def _kept(before: str, word: str, markup: str, stop: int) -> tuple[str, str, int]:
    """What stands before a word, the word with the signs on both its sides, and where the rest of the markup begins."""
    while (opened := _STYLED.search(before)) and markup.startswith(closed := f"</{opened[1]}>", stop):
        before, word, stop = before[: opened.start()], opened[0] + word + closed, stop + len(closed)
    opening, closing = _BEFORE.search(before), _AFTER.match(markup, stop)
    if opening is None and closing is None:
        return before, word, stop
    first, last = opening[0] if opening else "", closing[0] if closing else ""
    kept = f'<span class="kept">{first}{word}{last}</span>'
    return before.removesuffix(first), kept, stop + len(last)


def _is_whole(piece: str) -> bool:
    """Whether each tag in it is opened and closed in it."""
    depth = 0
    for tag in re.findall("<[^>]*>", piece):
        depth += -1 if tag.startswith("</") else 1
        if depth < 0:
            return False
    return depth == 0
