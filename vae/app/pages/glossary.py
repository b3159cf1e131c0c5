"""Glossary: every symbol and word that the pages explain, and the chapter that shows it."""

import html

import streamlit as st

from vae.app.chapters import CHAPTERS
from vae.app.look.terms import NUMBERS, SYMBOLS, WORDS, Term
from vae.app.session import link, picker
from vae.serve.entry import Entry

GROUPS = {"Words": WORDS, "Symbols": SYMBOLS, "Numbers": NUMBERS}


def as_html(term: Term) -> str:
    """A term and what is known of it."""
    name, said, formula, unit = (html.escape(text) for text in (term.name, term.sentence, term.formula, term.unit))
    aside = [("formula", formula), ("unit", unit and f"in {unit}")]
    lines = [said, *(f'<span class="{kind}">{text}</span>' for kind, text in aside if text)]
    if term.chapter:
        lines.append(f'<a data-chapter="{term.chapter}" href="how_it_works?chapter={term.chapter}">{title(term)}</a>')
    return f"<dt>{name}</dt><dd>{'<br>'.join(lines)}</dd>"


def title(term: Term) -> str:
    """The chapter that shows it."""
    return html.escape(f"{list(CHAPTERS).index(term.chapter) + 1} {CHAPTERS[term.chapter].TITLE}")


def page(entry: Entry) -> None:
    """The groups, one after the other."""
    for group, terms in GROUPS.items():
        st.html(f'<h2>{group}</h2><dl class="glossary">{"".join(map(as_html, terms))}</dl>')
    link.write({"model": entry.name})


page(picker.shown())
