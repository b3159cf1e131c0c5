"""Numbers of a picture: Reconstruction - KL = ELBO <= IWAE <= log p(x), in nats, and whether every claim holds."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from torch import Tensor

from vae.app import look
from vae.app.look.keys import KEYS
from vae.inference.ledger import SIGMAS, Check, checks
from vae.inference.record import Frame
from vae.serve import planes
from vae.serve.engine import engine
from vae.serve.entry import Entry
from vae.serve.library import library


def show(record: Frame) -> None:
    """The sum, what it is measured in, and below it the checks."""
    x, z = look.symbol("x"), look.symbol("z")
    rebuilt = look.label("reconstruction", f"E<sub>q</sub> log p({x}|{z})")
    parts = [
        ("", look.nats(record.reconstruction.value), rebuilt),
        ("−", look.nats(record.kl), look.label("what z tells", "KL(q || p)")),
        ("=", look.nats(record.elbo), look.label("lower bound", "ELBO")),
        (
            look.at_most(record.elbo, record.iwae),
            look.nats(record.iwae),
            look.label("closer bound", f"IWAE, k = {record.iw_samples}"),
        ),
    ]
    if record.log_evidence is not None:
        exact = record.log_evidence.value
        parts.append((look.at_most(record.iwae, exact), look.nats(exact), look.label("evidence, exact", f"log p({x})")))
    st.html(look.equation(parts))
    error = record.reconstruction.error
    gap = "" if record.gap is None else f" q is {record.gap:.1f} ± {error:.1f} nats from the true posterior."
    each = "pixel" if len(record.x) == 1 else "colour of a pixel"
    said = (
        f"In nats per picture; the ELBO is {record.bits_per_dimension:.3f} bits per {each}. The reconstruction is the "
        f"mean of {record.samples} draws of z, spread evenly over q (± {error:.2f}).{gap}"
    )
    st.html(look.note(said))
    show_checks(checks(record))


def below(entry: Entry, given: dict[str, Tensor], seed: int = 0) -> DeltaGenerator | None:
    """The ledger of one of the named x (1, c, h, w), one step behind: computed while it is open. The box, if it is."""
    *others, last = given
    title = f"Numbers of {', '.join(others)} or {last}" if others else f"Numbers of {last}"
    box = st.expander(title, icon=":material/balance:", key="ledger", on_change="rerun")
    if not box.open:
        return None
    with box:
        options = {"label_visibility": "collapsed", "required": True}
        first = next(iter(given))
        chosen = first if len(given) == 1 else st.segmented_control("Of", list(given), default=first, **options)
        numbers = st.empty()
        numbers.html(look.computing("the numbers"))
        frame = record(entry, given[chosen], seed)
        with numbers.container():
            show(frame)
    return box


@st.cache_resource(show_spinner=False, max_entries=64, hash_funcs=KEYS)
def record(entry: Entry, x: Tensor, seed: int = 0) -> Frame:
    """Everything about one picture, once: pages run again at each move."""
    return planes.record(engine(), library().lease(entry), x, seed)


def show_checks(results: list[Check]) -> None:
    """One line where everything holds; where something does not, that is what is seen first."""
    wrong = [check for check in results if not check.holds]
    label = f"{len(wrong)} of {len(results)} checks fail" if wrong else f"{len(results)} checks hold"
    icon = ":material/error:" if wrong else ":material/check_circle:"
    with st.expander(label, expanded=bool(wrong), icon=icon, key="checks"):
        st.html(look.lamps(results))
        st.caption(
            "The two sides of a line are computed in different ways: by another formula, from other draws, or by "
            f"quadrature; ± is {SIGMAS:.0f} standard errors, and rounding. A mistake that both sides share, as one in "
            "the decoder, does not show."
        )
