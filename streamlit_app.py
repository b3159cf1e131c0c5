"""VAE Lab. `streamlit run streamlit_app.py`

One file, two roles: run as a script it is the page router; imported by the server it is the ASGI app, which loads the
models before the first visitor comes.
"""

import gc
import os
from contextlib import asynccontextmanager

import streamlit as st


@asynccontextmanager
async def lifespan(app):
    """Load and warm the models, then keep the collector away from them: it would stop every script run for 50 ms."""
    from vae.engine import engine

    engine()
    gc.collect()
    gc.freeze()
    yield


if __name__ == "__main__":
    from vae.app import link, session

    # Icons belong to the links, not to the pages: a page's icon becomes a favicon that the browser fetches from afar.
    pages = {
        st.Page("vae/app/explore.py", title="Explore", default=True): ":material/tune:",
        st.Page("vae/app/latent_map.py", title="Latent map"): ":material/scatter_plot:",
        st.Page("vae/app/interpolate.py", title="Interpolate"): ":material/animation:",
        st.Page("vae/app/reconstruct.py", title="Reconstruct"): ":material/image_search:",
        st.Page("vae/app/how_it_works.py", title="How it works"): ":material/school:",
        st.Page("vae/app/models.py", title="Models"): ":material/category:",
    }
    link.read()
    page = st.navigation(list(pages), position="hidden")
    st.set_page_config(page_title=f"{page.title} · VAE Lab", page_icon=session.icon(), layout="wide")
    with st.sidebar:
        for each, icon in pages.items():
            st.page_link(each, icon=icon)
    session.choose_model()
    page.run()
else:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: small batches lose time to more

    from starlette.routing import Route, WebSocketRoute

    from vae.app import live

    routes = [WebSocketRoute(live.path(), live.live), Route(live.plotly_path(), live.plotly_file)]
    app = st.App(__file__, lifespan=lifespan, routes=routes)
