"""The chapter on the KL divergence, without a browser."""

from streamlit.testing.v1 import AppTest


def test_the_chapter_opens_with_its_picture():
    app = AppTest.from_file("../streamlit_app.py", default_timeout=60)
    app.query_params["chapter"] = "kl"
    app.run()
    app.switch_page("vae/app/how_it_works.py").run()
    assert not app.exception
    assert [title.value for title in app.subheader] == ["KL divergence"]
    assert len(app.get("bidi_component")) == 1
