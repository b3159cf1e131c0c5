"""One visitor after the other in a browser context."""

from tests.browser.conftest import Room, Visitor

KEPT = "[{ ...localStorage }, { ...sessionStorage }, /\\bc=1/.test(document.cookie)]"


def test_who_comes_after_somebody_finds_nothing_that_was_written(chromium, server):
    room, found = Room(chromium, server), []
    for _ in range(2):
        page = Visitor(chromium, server, room).page
        page.goto(f"{server}/_stcore/health")
        found.append(page.evaluate(KEPT))
        page.evaluate("() => { localStorage.a = sessionStorage.b = 1; document.cookie = 'c=1'; }")
        assert page.evaluate(KEPT) == [{"tour": "done", "a": "1"}, {"b": "1"}, True]
        room.is_cleared()
    assert found == [[{"tour": "done"}, {}, False]] * 2
    room.context.close()
