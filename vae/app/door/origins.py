"""Whom a socket may come from is Streamlit's rule; what it costs to ask is bounded here."""

from streamlit import net_util


def ask_nobody() -> None:
    """From now on Streamlit does not ask the net for this server's own address.

    It did for every origin that it does not know, up to two seconds each and in the event loop: any stranger could
    stop the server. And the lab promises to ask no other host.
    """
    net_util.get_external_ip = lambda: None
