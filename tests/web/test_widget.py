"""The page in a notebook: the widget's JavaScript in Chromium over a stand-in for the kernel's
line, its Python in a real kernel, and what a script gets instead.
"""

from __future__ import annotations

import base64
import subprocess
import sys
from types import SimpleNamespace

import pytest

import beak
from beak.errors import MissingExtraError
from beak.runs.run import load
from beak.web import show
from beak.web.session import Session
from beak.web.widget import Answers, module, widget
from tests.web.browser import CHROMIUM, chromium

pytest.importorskip("anywidget", reason="needs the extra notebook")

SHOWN = """async text => {
  const blob = new Blob([text], {type: 'text/javascript'});
  const widget = (await import(URL.createObjectURL(blob))).default;
  const heard = [];
  const model = {
    on: (name, f) => heard.push(f), off: () => { heard.length = 0; },
    send: async ({number, address, given}, _, buffers) => {
      const sent = given ? btoa(String.fromCharCode(...new Uint8Array(buffers[0]))) : null;
      const [status, told] = await window.kernel(address, sent);
      const bytes = Uint8Array.from(atob(told), letter => letter.charCodeAt(0));
      const padded = new Uint8Array(bytes.length + 5);
      padded.set(bytes, 5);
      heard.forEach(f => f({number, status}, [new DataView(padded.buffer, 5)]));
    },
  };
  window.gone = widget.render({model, el: document.body});
}"""


@pytest.fixture
def framed(runs):
    """A page with the widget on it, as a notebook shows it."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    session, wrong = Session(load(runs("digits"))), []
    answers = Answers(session)

    def kernel(address, sent):
        body = None if sent is None else base64.b64decode(sent)
        status, told = answers.ask(address, body)
        return status, base64.b64encode(told).decode()

    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1200, "height": 800})
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.route("http://notebook/**", lambda route: route.fulfill(body="<!doctype html>"))
        page.goto("http://notebook/a.ipynb#cell")
        page.expose_function("kernel", kernel)
        page.evaluate(SHOWN, module("#layer=conv2&cell=3,4,5", 700))
        yield page, page.frame_locator("iframe")
        assert not wrong


def test_the_widget_opens_where_it_is_told_and_is_clicked_through(framed):
    page, frame = framed
    frame.get_by_text("conv2[3, 4, 5]").first.wait_for()
    frame.locator("#detail .numbers a").first.click()
    frame.get_by_text("the largest input of the window").first.wait_for()
    frame.get_by_text("What is a CNN?").click()
    frame.locator("#walk h2").wait_for()
    assert page.url == "http://notebook/a.ipynb#cell"
    box = frame.locator(".draw")
    frame.get_by_role("button", name="to the network").first.click()
    before = frame.locator(".bars .share").all_inner_texts()
    box.click(position={"x": 60, "y": 60})
    page.wait_for_function(
        "before => [...document.querySelector('iframe').contentDocument"
        ".querySelectorAll('.bars .share')].map(e => e.textContent).join() !== before",
        arg=",".join(before),
    )


def test_the_kernel_answers_what_the_server_answers_and_nothing_else(runs):
    answers = Answers(Session(load(runs("text"))))
    status, told = answers.ask("api/look", b"a fine film")
    assert status == 200
    assert b'"places": ["a", "fine", "film"]' in told
    assert answers.ask("api/cell?layer=nowhere&cell=0", None)[0] == 400
    assert answers.ask("../../etc/passwd", None)[0] == 404


def test_a_message_is_answered_under_its_number(runs, monkeypatch):
    made = widget(Session(load(runs("text"))))
    sent = []
    monkeypatch.setattr(
        type(made), "send", lambda self, content, buffers: sent.append((content, buffers))
    )
    made._handle_custom_msg({"number": "a-1", "address": "api/network", "given": False}, [])
    ((content, (told,)),) = sent
    assert content == {"number": "a-1", "status": 200}
    assert told.startswith(b'{"name":"text"')


def test_a_notebook_gets_a_widget_and_an_input_to_begin_with(runs, monkeypatch):
    monkeypatch.setattr(show, "in_notebook", lambda: True)
    made = beak.look(runs("text"), "a fine film", height=333)
    assert "height = 333;" in made._esm
    assert "#input=" in made._esm
    plain = beak.look(load(runs("text")))
    assert "#input=" not in plain._esm.split("history.replaceState", 1)[1][:40]


def test_without_anywidget_the_extra_is_named(runs, monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    with pytest.raises(MissingExtraError, match=r"beak\[notebook\]"):
        widget(Session(load(runs("text"))))


def test_jupyter_and_marimo_are_told_from_a_script(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", None)
    monkeypatch.setitem(sys.modules, "marimo", None)
    assert not show.in_notebook()
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert show.in_notebook()
    shell.kernel = None
    assert not show.in_notebook()
    marimo = SimpleNamespace(running_in_notebook=lambda: True)
    monkeypatch.setitem(sys.modules, "marimo", marimo)
    assert show.in_notebook()


def test_a_script_serves_the_page(runs):
    code = f"import beak; beak.look({str(runs('text'))!r}, 'a fine film')"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        process.terminate()
    assert line.startswith("http://127.0.0.1:")
    assert "/#input=" in line


def test_in_a_real_kernel_the_cell_shows_the_widget(runs):
    nbclient = pytest.importorskip("nbclient", reason="needs the extra dev")
    nbformat = pytest.importorskip("nbformat", reason="needs the extra dev")
    pytest.importorskip("ipykernel", reason="needs the extra dev")
    cell = nbformat.v4.new_code_cell(f"import beak\nbeak.look({str(runs('text'))!r})")
    book = nbformat.v4.new_notebook(cells=[cell])
    nbclient.NotebookClient(book, timeout=120, kernel_name="python3").execute()
    (shown,) = book.cells[0].outputs
    assert "application/vnd.jupyter.widget-view+json" in shown["data"]
