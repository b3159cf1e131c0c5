"""The ledger of a picture: Reconstruction - KL = ELBO <= IWAE <= log p(x), in nats, and whether every claim holds."""

import streamlit as st
from torch import Tensor

from vae.app import look
from vae.engine import engine
from vae.frame import IW_SAMPLES, SAMPLES, Frame
from vae.ledger import Check, checks


def show(record: Frame) -> None:
    """The sum, what it is measured in, and below it the checks."""
    x, z = look.symbol("x"), look.symbol("z")
    parts = [
        ("", look.nats(record.reconstruction.value), f"E<sub>q</sub> log p({x}|{z})"),
        ("−", look.nats(record.kl), "KL(q || p)"),
        ("=", look.nats(record.elbo), "ELBO"),
        (look.at_most(record.elbo, record.iwae), look.nats(record.iwae), f"IWAE, k = {IW_SAMPLES}"),
    ]
    if record.log_evidence is not None:
        exact = record.log_evidence.value
        parts.append((look.at_most(record.iwae, exact), look.nats(exact), f"log p({x}), exact"))
    st.html(look.equation(parts))
    error = record.reconstruction.error
    gap = "" if record.gap is None else f" q is {record.gap:.1f} ± {error:.1f} nats from the true posterior."
    st.caption(
        f"Nats per picture; the ELBO is {record.bits_per_dimension:.3f} bits per pixel. The expectation is over "
        f"{SAMPLES} draws of z (± {error:.2f}).{gap}"
    )
    show_checks(checks(record))


def below(name: str, given: dict[str, Tensor]) -> None:
    """The ledger of one of the named x (1, c, h, w), for pages about something else: computed while it is open."""
    title = f"The ledger of {' or '.join(given)}"
    box = st.expander(title, icon=":material/balance:", key="ledger", on_change="rerun")
    if not box.open:
        return
    with box:
        options = {"label_visibility": "collapsed", "required": True}
        first = next(iter(given))
        chosen = first if len(given) == 1 else st.segmented_control("Of", list(given), default=first, **options)
        show(record(name, given[chosen]))


@st.cache_resource(show_spinner=False, max_entries=64, hash_funcs={Tensor: lambda x: x.numpy().tobytes()})
def record(name: str, x: Tensor) -> Frame:
    """Everything about one picture, once: these pages run again at each move."""
    return engine().frame(name, x)


def show_checks(found: list[Check]) -> None:
    """One line where everything holds; where something does not, that is what is seen first."""
    wrong = [check for check in found if not check.holds]
    label = f"{len(wrong)} of {len(found)} checks fail" if wrong else f"{len(found)} checks hold"
    icon = ":material/error:" if wrong else ":material/check_circle:"
    with st.expander(label, expanded=bool(wrong), icon=icon, key="checks"):
        st.html(look.lamps(found))
        st.caption("Both sides of a line are estimated anew, from other draws or by quadrature; ± is five errors.")
