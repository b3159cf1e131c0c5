"""Trainings for the tests of the page Train."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.pages.test_pages import opened
from vae.serve.jobs import queue
from vae.serve.jobs.limits import Limits
from vae.serve.jobs.queue import Jobs

PAGE = "vae/app/pages/train.py"


class Idle:
    """A process that does nothing, for ever."""

    returncode = None

    def poll(self) -> None:
        return None

    def kill(self) -> None:
        pass

    def wait(self) -> None:
        pass


@pytest.fixture
def held(tmp_path, monkeypatch) -> Jobs:
    """Trainings that never begin."""
    jobs = Jobs(tmp_path / "trainings", Limits(pictures=60, megapixels=40), lambda folder, limited: Idle())
    for module in ("session.mine", "session.brought", "train.source", "train.controls", "train.watched"):
        monkeypatch.setattr(f"vae.app.{module}.jobs", lambda: jobs)
    monkeypatch.setattr(queue, "jobs", lambda: jobs)
    return jobs


@pytest.fixture
def app(held) -> AppTest:
    return opened(page=PAGE)
