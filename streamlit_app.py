"""VAE Lab. `streamlit run streamlit_app.py`

One file, two roles: run as a script it is the page router; imported by the server it is the ASGI app, which loads the
model that opens before the first visitor comes.
"""

import asyncio
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import asynccontextmanager

import streamlit as st

from vae.app.live import routes, sessions

# The pages' addresses, the first first.
PAGES = ("", "latent_map", "interpolate", "reconstruct", "photos", "train", "how_it_works", "models", "glossary")
SWITCH = 0.001  # seconds for which a script may hold Python's lock while a hand waits: a fifth of the usual


def rooms() -> Iterator[str]:
    """Every page, then every chapter."""
    yield from PAGES
    from vae.app.chapters import CHAPTERS  # the page has imported it by now

    yield from (f"how_it_works?chapter={key}" for key in CHAPTERS)


@asynccontextmanager
async def lifespan(app):
    """Load and warm the model that opens, then keep the collector away from all that is there: it would stop every
    script run for 50 ms.
    """
    from vae.app.door import collector, opening
    from vae.serve.engine import engine
    from vae.serve.jobs.queue import jobs
    from vae.serve.library import library

    engine().callers = sessions.Visitors()
    library().warm()
    jobs()  # goes on with what a server before had begun
    sys.setswitchinterval(SWITCH)
    gc.collect()
    gc.freeze()
    tasks = [asyncio.create_task(collector.collect()), asyncio.create_task(opening.come_in(rooms()))]
    yield
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    from vae.app import components, look
    from vae.app.door import arrivals
    from vae.app.live import wire
    from vae.app.session import inputs, kept, link, mine, picker, sources
    from vae.serve.capabilities import Can

    # For each page its icon, what one does there, and what it needs of a model. Icons belong to the links, not to the
    # pages: a page's icon becomes a favicon that the browser fetches from afar.
    needs = (Can.MOVE, Can.DRAW, Can.READ, Can.COMPANY)
    pages = {
        st.Page("vae/app/pages/explore.py", title="Explore", default=True): (
            ":material/tune:",
            "A network learned to draw {things} from {latents} numbers: drag one, and watch the picture change.",
            needs,
        ),
        st.Page("vae/app/pages/latent_map.py", title="Latent map"): (
            ":material/scatter_plot:",
            "Each point is a picture, where the network's numbers put it: point anywhere, and see what lies there.",
            needs,
        ),
        st.Page("vae/app/pages/interpolate.py", title="Interpolate"): (
            ":material/animation:",
            "Travel from one picture to another, through pictures that the network makes up on the way.",
            needs,
        ),
        st.Page("vae/app/pages/reconstruct.py", title="Reconstruct"): (
            ":material/image_search:",
            "Show the network a picture, an example, your own or a drawing, and see what it gives back from {latents} "
            "numbers alone.",
            needs,
        ),
        st.Page("vae/app/pages/photos.py", title="Photos"): (
            ":material/photo_camera:",
            "A network squeezes any photo into {latents} small pictures, and gives it back from them alone: bring one "
            "of yours.",
            (Can.MAP,),
        ),
        st.Page("vae/app/pages/train.py", title="Train"): (
            ":material/model_training:",
            "Bring some pictures, and a network learns to draw such pictures itself, here, while you watch.",
            (),
        ),
        st.Page("vae/app/pages/how_it_works.py", title="How it works"): (
            ":material/school:",
            "How such a network works, in short chapters to play with on the trained networks themselves.",
            needs,
        ),
        st.Page("vae/app/pages/models.py", title="Models"): (
            ":material/category:",
            "The trained networks of this lab, and into how many numbers (latents) they put a picture: what each one "
            "draws by itself, and how well it does on pictures it has never seen.",
            (),
        ),
        st.Page("vae/app/pages/glossary.py", title="Glossary"): (
            ":material/dictionary:",
            "Every symbol and every special word of this lab, explained in a sentence each.",
            (),
        ),
    }
    link.read()
    page = st.navigation(list(pages), position="hidden")
    st.set_page_config(page_title=f"{page.title} · VAE Lab", page_icon=kept.icon(), layout="wide")
    with st.sidebar:
        for each, (icon, _, _) in pages.items():
            st.page_link(each, icon=icon)
    with wire.turn():
        _, does, needed = pages[page]
        if page.title != "Train":  # which says itself what it expects
            arrivals.expect(False)
        entry, notices = picker.choose_model(page.title, needed), st.container()
        if entry is not None:
            reads = entry.lacks(*needs) is None
            with st.sidebar:
                about = {"model": entry.name, "own": inputs.own_address(entry) if reads else ""}
                about["end"] = "A" if page.title == "Interpolate" else ""  # where a picture without an aim goes
                about |= {"trainings": mine.known(), "heard": mine.is_told()}
                said = dict.fromkeys([f"on_{word}_change" for word in ("lost", "run", "chapter")], lambda: None)
                said["on_trainings_change"] = mine.told
                tab = components.page(key="page", data=about, **said)
            if tab.chapter:  # an entry of the glossary leads to it
                st.session_state["chapter"] = tab.chapter
                st.switch_page("vae/app/pages/how_it_works.py")
            lack = entry.lacks(*needed)
            fitting = picker.able(needed) if lack else entry  # what the page is about
            told = fitting or entry
            does = does.format(things=told.dataset.things, latents=told.latents)
            takes = bool(needed) and lack is None
            own = page.title not in ("Train", "How it works", "Models", "Glossary")  # about the chosen model
            kind = "a variational autoencoder" if told.lacks(Can.DRAW) is None else "an autoencoder"
            about = f"{kind} for {told.dataset.things}" if own else "variational autoencoders"
            st.html(look.head(page.title, does, about, takes))
            if takes:
                sources.everywhere(entry, page.title)
            if reads and inputs.is_kept_by_link(entry, tab.lost):
                st.caption(
                    "Your picture itself is gone: files and drawings live as long as a connection, and that was cut, "
                    "or the page loaded anew. Shown is what the address keeps of it, what the model reads."
                )
            if lack:
                st.info(lack)
                if fitting is not None:
                    options = {"icon": ":material/swap_horiz:", "on_click": picker.turn_to, "args": (fitting.name,)}
                    st.button(f"Take the network for {fitting.dataset.things}", **options)
                if entry.lacks(Can.MAP) is None:
                    st.page_link(next(one for one in pages if one.title == "Photos"), label="To the page for photos")
            else:
                page.run()
            with notices:
                link.say_lost()
else:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: small batches lose time to more

    from starlette.routing import Route, WebSocketRoute

    from vae.app import door
    from vae.app.components import served
    from vae.app.live import sockets

    sockets.SOCKETS = door.close()
    paths = [
        WebSocketRoute(routes.route(routes.SOCKET), sockets.live),
        Route(routes.route(routes.PLOTLY), routes.plotly_file),
        Route(routes.route(f"{routes.TEST_PICTURES}/{{folder}}/{{number:int}}.png"), routes.sheet_file),
        Route(routes.route(f"{routes.TRAININGS}/{{name}}/{{version}}"), routes.history_file),
        Route(routes.route(f"{routes.MINE}/{{key}}/{{since:int}}"), routes.training_file),
        Route(routes.route(f"{served.PATH}/{{version}}/{{file:path}}"), served.file),
    ]
    app = st.App(
        __file__,
        lifespan=lifespan,
        routes=paths,
        middleware=door.MIDDLEWARE,
        on_script_error=door.say_busy,
    )
