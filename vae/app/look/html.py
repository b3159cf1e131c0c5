"""How things look: one colour a symbol, pictures and equations as HTML."""

import base64
import html
import io
import re
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from vae.app.look import glossary
from vae.inference.ledger import Check


class Ink(NamedTuple):
    """A colour on light pages and on dark ones: no one colour can be read on both."""

    light: str
    dark: str

    @property
    def css(self) -> str:
        """As a style says it, for the page that it is on."""
        return f"light-dark({self.light}, {self.dark})"


# A colour a symbol, after Okabe and Ito's palette, which colour-blind people can tell apart; as text each has at
# least a contrast of 4.5 on the backgrounds of .streamlit/config.toml.
COLOURS = {
    "x": Ink("#1668a8", "#5fb0ee"),
    "x̂": Ink("#b04a00", "#f29a5c"),
    "z": Ink("#9c3f94", "#dd93d6"),
    "mu": Ink("#087052", "#3cc79a"),
    "sigma": Ink("#7d6000", "#d9b03a"),
    "eps": Ink("#5f656f", "#a7adb7"),
}
QUIET = Ink("#5a606b", "#abb1bb")  # what is said beside
BARS = "#b052a8"  # z's, in figures that are made once for light and dark: no text, so a contrast of 3 does

# CARTO's "Safe" palette: ten classes that colour-blind people can tell apart, on white and on black
CLASS_COLOURS = [
    "#88CCEE", "#CC6677", "#DDCC77", "#117733", "#6A5ACD", "#AA4499", "#44AA99", "#999933", "#B23A48", "#E17C05"
]  # fmt: skip


SHARP = 48  # pixels on a side, up to which a picture's are seen as squares: as in shared/paint.js
MEASURE = "52rem"  # of running text: on a wide screen longer lines are hard to follow
WAITS = ' class="answer veil"'  # of what answers a chapter's question, until the reader has found it out (page.css)
# What Markdown a paragraph may have.
SIGNS = (
    (re.compile(r"\*\*(.+?)\*\*([.,;:]?)"), r"<b>\1\2</b>"),
    (re.compile(r"\*(.+?)\*([.,;:]?)"), r"<i>\1\2</i>"),
    (re.compile(r"`(.+?)`"), r"<code>\1</code>"),
    (re.compile(r"\[(.+?)\]\((\S+?)\)"), r'<a href="\2" target="_blank">\1</a>'),  # this tab keeps its session
)
LAMPS = {True: COLOURS["mu"], False: Ink("#b3261e", "#ff8a7a")}


def to_uint8(picture: Float[Tensor, "c h w"]) -> UInt8[np.ndarray, "h w *c"]:
    """A picture in [0, 1] as bytes, without a channel axis where it has one channel."""
    return picture.clamp(0, 1).mul(255).round().to(torch.uint8).permute(1, 2, 0).squeeze(-1).numpy()


def as_levels(pictures: Float[Tensor, "..."]) -> UInt8[np.ndarray, "..."]:
    """Pictures in [0, 1] as bytes of the same shape, which a component paints."""
    return pictures.clamp(0, 1).mul(255).round().byte().numpy()


def as_text(values: Tensor | np.ndarray | bytes) -> str:
    """Bytes, or those of float32 or uint8 values, in base64: how they reach a component."""
    content = values if isinstance(values, bytes) else np.ascontiguousarray(values).tobytes()
    return base64.b64encode(content).decode()


def picture_html(
    pixels: UInt8[np.ndarray, "..."], alt: str, testid: str = "picture", caption: str = "", width: str = "100%"
) -> str:
    """An <img>, as wide as its column unless `width` (CSS) says less; small pictures are drawn with sharp pixels."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    data = base64.b64encode(buffer.getvalue()).decode()
    rendering = "pixelated" if max(pixels.shape[:2]) <= SHARP else "auto"
    return (
        f'<figure style="margin:0"><img data-testid="{testid}" alt="{html.escape(alt, quote=True)}" '
        f'src="data:image/png;base64,{data}" style="width:{width};display:block;border-radius:8px;'
        f'image-rendering:{rendering};box-shadow:0 0 0 1px #8884">'
        f'<figcaption style="font-size:.85rem;color:{QUIET.css};padding-top:.35rem">{caption}</figcaption></figure>'
    )


def photo_url(pixels: UInt8[np.ndarray, "..."]) -> str:
    """A picture of any size as an address of its own, small enough to be sent to a page."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=85)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def symbol(name: str, text: str | None = None) -> str:
    """A symbol in its colour."""
    return f'<b style="color:{COLOURS[name].css};font-weight:600">{text or name}</b>'


def label(words: str, behind: str = "") -> str:
    """What a number is, in words, and behind them its symbol."""
    style = f"display:block;color:{QUIET.css};font-size:.8rem;white-space:nowrap"
    return glossary.marked(f'{words} <span style="{style}">{behind}</span>' if behind else words)


def running(text: str) -> str:
    """**Bold**, *emphasis*, `code` and [links](address) as HTML; the words of the glossary explain themselves."""
    said = html.escape(text, quote=False)
    for pattern, markup in SIGNS:
        said = pattern.sub(markup, said)
    return glossary.marked(said)


def paragraph(text: str, answers: bool = False) -> str:
    """A paragraph of running text."""
    return f'<p style="margin:0;max-width:{MEASURE}"{WAITS if answers else ""}>{running(text)}</p>'


def note(text: str, answers: bool = False) -> str:
    """A sentence beside, in which the words of the glossary explain themselves."""
    style = f"font-size:.875rem;line-height:1.6;max-width:{MEASURE};color:{QUIET.css}"
    return f'<div style="{style}"{WAITS if answers else ""}>{running(text)}</div>'


def computing(what: str) -> str:
    """What stands where numbers will, while the picture that they are about is shown already."""
    style = f"min-height:11rem;font-size:.875rem;color:{QUIET.css}"
    return f'<div aria-live="polite" data-testid="computing" style="{style}">Computing {what} …</div>'


def head(title: str, sentence: str, about: str, takes: bool) -> str:
    """What a page begins with: the app's name and what it is about, a heading, what one does here, and where it `takes`
    pictures the button for one's own (page/own.js)."""
    title, sentence, about = (html.escape(part) for part in (title, sentence, about))
    app = f'<div class="app">VAE Lab · {glossary.marked(about)}</div>'
    own = '<button type="button" data-own title="or drop or paste one anywhere on the page">Your picture …</button>'
    return f'<header class="page-head">{app}<h1>{title}</h1><p>{sentence}</p>{own if takes else ""}</header>'


def nats(value: float) -> str:
    """A number to a tenth of a nat, with a real minus."""
    return f"{value:.1f}".replace("-", "−")


def percent(share: float) -> str:
    """A share for a headline, without decimals."""
    return f"{100 * share:.0f} %"


def at_most(left: float, right: float) -> str:
    """The sign between a bound and what it bounds: "≈" where sampling or rounding cannot tell them apart."""
    return "≤" if right - left > 0.1 else "≈"


def equation(parts: list[tuple[str, str, str]]) -> str:
    """A row of (operator, number, `label` under it) that wraps on narrow screens, each operator with its number."""
    cells = "".join(
        '<span style="display:inline-flex;gap:1rem">'
        + (f'<span style="font-size:1.5rem;color:{QUIET.css};padding-top:.1rem">{operator}</span>' if operator else "")
        + f'<span><span style="font-size:1.6rem;font-variant-numeric:tabular-nums;white-space:nowrap">{number}</span>'
        f'<br><span style="font-size:.85rem;color:{QUIET.css}">{label}</span></span></span>'
        for operator, number, label in parts
    )
    return f'<div style="display:flex;flex-wrap:wrap;gap:.4rem 1rem" data-testid="ledger">{cells}</div>'


def lamps(found: list[Check]) -> str:
    """For each check: its lamp, the claim, the two numbers, and below them what it would catch."""
    lines = "".join(
        '<div style="display:flex;flex-wrap:wrap;gap:0 .6rem;padding:.25rem 0" data-testid="check">'
        f'<b role="img" aria-label="{"holds" if check.holds else "fails"}" '
        f'style="color:{LAMPS[check.holds].css}">{"●" if check.holds else "✕"}</b>'
        f'<span style="flex:1 1 15rem">{html.escape(check.claim)}</span>'
        f'<span style="font-variant-numeric:tabular-nums;color:{QUIET.css}">'
        + f"{check.left:.3f} {check.sign} {check.right:.3f} ± {check.slack:.3f}".replace("-", "−")
        + f'</span><span style="flex:1 1 100%;font-size:.8rem;padding-left:1.2rem;color:{QUIET.css}">'
        f"would catch {html.escape(check.catches)}</span></div>"
        for check in found
    )
    return f'<div style="font-size:.9rem;max-width:46rem">{lines}</div>'


def facts(entries: list[tuple[str, str, str]]) -> str:
    """Name, number and explanation, side by side; they wrap on narrow screens."""
    cells = "".join(
        f'<span style="flex:1 1 6.2rem"><span style="font-size:.85rem;color:{QUIET.css}">{name}</span><br>'
        f'<span style="font-size:1.35rem;font-variant-numeric:tabular-nums;white-space:nowrap">{number}</span><br>'
        f'<span style="font-size:.8rem;color:{QUIET.css}">{text}</span></span>'
        for name, number, text in entries
    )
    return f'<div style="display:flex;flex-wrap:wrap;gap:.8rem 1.2rem" data-testid="facts">{cells}</div>'
