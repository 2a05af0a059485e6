"""The page, served and as one file, in a real Firefox."""

from __future__ import annotations

import json

import pytest

from beak.cli.group import run as beak
from tests.web.firefox import FIREFOX, firefox

pytestmark = pytest.mark.slow

SHARES = "[...document.querySelectorAll('.bars .share')].map((e) => e.textContent).join()"
HERE = "document.activeElement.id || document.activeElement.textContent"
BOX = "(({x, y, width, height}) => ({x, y, width, height}))(document.querySelector('%s').getBoundingClientRect())"  # noqa: E501
ENTER, ESCAPE, RIGHT = "\ue007", "\ue00c", "\ue014"


@pytest.fixture(scope="module")
def tab():
    pytest.importorskip("websockets.sync.client", reason="needs the extra dev")
    if FIREFOX is None:
        pytest.skip("there is no Firefox here")
    with firefox() as started:
        yield started


@pytest.fixture
def opened(tab, address, runs, tmp_path_factory):
    """A function: the tab on a kind's run, by its server or as a file."""

    def one(kind: str, place: str = "", how: str = "served"):
        where = address(kind) if how == "served" else file(kind)
        tab.go("about:blank")
        tab.go(where + place)
        tab.wait("document.querySelectorAll('.bars li').length > 0")
        return tab

    def file(kind: str) -> str:
        path = tmp_path_factory.getbasetemp() / f"firefox-{kind}.html".replace(" ", "-")
        if not path.exists():
            assert beak(["look", str(runs(kind)), "--html", str(path)]) == 0
        return path.as_uri()

    tab.wrong.clear()
    yield one
    assert not tab.wrong


@pytest.mark.parametrize("how", ["served", "file"])
def test_drawing_a_number_and_the_way_back(opened, how):
    tab = opened("digits", how=how)
    laid = tab.ask("(({scrollWidth, clientWidth}) => [scrollWidth, clientWidth])"
                   "(document.querySelector('.strip'))")  # fmt: skip
    assert laid[0] <= laid[1]  # input to answer
    before = tab.ask(SHARES)
    box = tab.ask(BOX % ".draw")
    tab.point(*((box["x"] + 40 + 9 * i, box["y"] + 30 + 12 * i) for i in range(9)))
    tab.wait(f"{SHARES} !== {json.dumps(before)}")
    tab.ask("document.querySelector('[data-layer=conv2] canvas').focus()")
    tab.press(RIGHT, ENTER)
    tab.wait("document.querySelectorAll('#detail .numbers').length > 0")
    assert tab.ask(HERE) == "detail"
    assert "conv2[0, 0, 1]" in tab.ask("document.querySelector('#detail h2').textContent")
    tab.press(ESCAPE)
    assert tab.ask("document.querySelector('#detail').hidden")
    assert tab.ask("document.activeElement.closest('article').dataset.layer") == "conv2"


@pytest.mark.parametrize("how", ["served", "file"])
@pytest.mark.parametrize(
    "place",
    ["#layer=conv1&tab=filters", "#layer=conv1&tab=looks", "#layer=conv1&tab=twin", "#answer=3",
     "#answer=3&method=occlusion", "#view=shift", "#beside=input:nothing", "#walk=6", "#walk=8"],
)  # fmt: skip
def test_each_view_is_drawn(opened, place, how):
    tab = opened("digits", place, how)
    section = "walk" if "walk" in place else "beside" if "beside" in place else "detail"
    tab.wait(f"document.querySelectorAll('#{section} :is(canvas, td)').length > 0")
    tab.wait(f"!/ …($|\\n)/.test(document.querySelector('#{section}').innerText)")
    assert tab.ask("document.documentElement.scrollWidth <= innerWidth")
    assert tab.ask("document.querySelector('#trouble').hidden")


@pytest.mark.parametrize("how", ["served", "file"])
def test_a_sentence_is_typed_and_stones_are_set(opened, how):
    tab = opened("text", how=how)
    tab.ask("document.querySelector('#sentence').focus()")
    tab.press(*"a dull film")
    tab.wait("document.querySelector('.read').innerText.includes('film')")
    tab = opened("small go", how=how)
    box = tab.ask(BOX % ".board")
    tab.point((box["x"] + 60, box["y"] + 60))
    tab.wait("document.querySelector('#own').innerText.includes('White to move')")


def test_webcam_and_microphone_are_followed(opened):
    tab = opened("colour")
    button = "[...document.querySelectorAll('#own button')].find((e) => /^(webcam|record|stop)$/.test(e.textContent))"  # noqa: E501
    tab.ask(f"{button}.click()")
    tab.wait("Number(document.documentElement.dataset.seen ?? 0) > 2")
    tab.ask(f"{button}.click()")
    tab.wait(f"{button}.textContent === 'webcam'")
    tab = opened("sound")
    before = tab.ask(SHARES)
    tab.ask(f"{button}.click()")
    tab.wait("document.querySelector('#own').innerText.includes('Recording, 1 of')")
    tab.ask(f"{button}.click()")
    tab.wait(f"{SHARES} !== {json.dumps(before)}")
