"""What the server tells, and what it refuses: every refusal is a 4xx with one line."""

from __future__ import annotations

import io
import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from starlette.testclient import TestClient

from beak.runs.run import load
from beak.web import guard
from beak.web import session as session_module
from beak.web.app import make_app, page_files
from beak.web.guard import Guard
from beak.web.server import is_local, serve
from beak.web.session import KEPT, Session

HERE = "http://127.0.0.1:8000"
HOSTS = frozenset({"127.0.0.1:8000"})


def png(side=28, value=200) -> bytes:
    kept = io.BytesIO()
    Image.fromarray(np.full((side, side), value, np.uint8)).save(kept, "PNG")
    return kept.getvalue()


def client(run, token=None, source=None, others=None) -> TestClient:
    app = Guard(make_app(Session(load(run), source, others=others)), HOSTS, token)
    return TestClient(app, base_url=HERE, raise_server_exceptions=False)


@pytest.fixture(scope="module")
def digits(runs):
    return client(runs("digits"), source="digits")


def told(answer):
    """The header and the numbers of all maps."""
    (length,) = struct.unpack("<I", answer.content[:4])
    return json.loads(answer.content[4 : 4 + length]), answer.content[4 + length :]


def refused(answer, status=400) -> str:
    assert answer.status_code == status, answer.text[:300]
    line = answer.json()["error"]
    assert line
    assert "\n" not in line
    assert "Traceback" not in line
    return line


def test_the_network_is_told_layer_by_layer(digits):
    network = digits.get("/api/network").json()
    assert network["parameters"] == 137_660
    assert network["examples"]
    assert [layer["name"] for layer in network["layers"]][:2] == ["conv1", "pool1"]
    assert [len(block["layers"]) for block in network["blocks"]] == [1] * 7


def test_large_networks_are_folded_by_block(runs):
    blocks = client(runs("colour")).get("/api/network").json()["blocks"]
    names = [name for block in blocks for name in block["layers"]]
    assert len(blocks) < 14
    assert names == [node.name for node in load(runs("colour")).network.nodes]


def test_all_maps_are_the_lens_own_numbers(digits, runs):
    import beak

    head, numbers = told(digits.post("/api/look", content=png()))
    expected = beak.explain(load(runs("digits")), png(), "activations")
    for layer in head["layers"]:
        size = int(np.prod(layer["shape"]))
        found = np.frombuffer(numbers, "<f4", size, layer["at"]).reshape(layer["shape"])
        np.testing.assert_array_equal(found, expected[layer["name"]])


def test_large_maps_come_in_255_steps_near_their_numbers(runs):
    asked = client(runs("go"))
    head, numbers = told(asked.post("/api/look", content=b"(;SZ[19];B[dd];W[pp])"))
    layer = next(one for one in head["layers"] if one["name"] == "conv5")
    assert layer["type"] == "u1"
    size = int(np.prod(layer["shape"]))
    steps = np.frombuffer(numbers, np.uint8, size, layer["at"])
    values = layer["least"] + steps * layer["step"]
    assert abs(values.max() - layer["greatest"]) <= layer["step"]
    assert abs(values.min() - layer["least"]) <= layer["step"]
    assert head["about"]["stones"].count(1) == head["about"]["stones"].count(-1) == 1


def test_a_cells_terms_add_up_to_its_number(digits):
    mark = told(digits.post("/api/look", content=png()))[0]["input"]
    asked = {"layer": "conv2", "cell": "3,4,5", "input": mark}
    facts = digits.get("/api/cell", params=asked).json()["facts"]
    assert facts["value"] == pytest.approx(facts["engine"], abs=1e-5)
    assert facts["sources"][0]["name"] == "pool1"


@pytest.mark.parametrize(
    "path",
    [
        "filters?layer=conv1",
        "twin?layer=conv1",
        "patches?layer=conv1&k=2",
        "looks-for?layer=conv1&units=0,1&steps=2",
        "looks-for?layer=answer&units=3&steps=2&l1=0.5",
        "moved?input=example-0&method=cam",
        "moved?input=example-0&answer=3",
        "forgives?input=example-0",
    ],
)
def test_each_explanation_comes_as_json(digits, path):
    answer = digits.get(f"/api/{path}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["caption"]


def test_words_of_a_text_are_told(runs):
    asked = client(runs("text"))
    head, _ = told(asked.post("/api/look", content=b"A fine film"))
    assert head["places"] == ["A", "fine", "film"]
    moved = asked.get("/api/moved", params={"input": head["input"]}).json()
    assert moved["arrays"]["heat"]["shape"] == [3]


def test_the_words_of_patches_and_of_what_is_looked_for_are_told(runs, tmp_path):
    table = tmp_path / "films.csv"
    rows = ["a fine film,good", "dull and dull,bad"] * 30
    table.write_text("\n".join(["text,label", *(f"{k} {row}" for k, row in enumerate(rows))]))
    asked = client(runs("text"), source=str(table))
    for path in ("patches?layer=conv1&k=2", "looks-for?layer=conv1&units=0&steps=2"):
        told = asked.get(f"/api/{path}").json()
        words = told["facts"]["words"]
        known = {"2": "a", "3": "fine", "4": "film", "5": "dull", "6": "and"}
        assert words
        assert all(known.get(number, "(unknown)") == word for number, word in words.items())


def test_dead_units_and_copies_are_told_and_of_one_layer_how_much_each_is_missed(digits):
    whole = digits.get("/api/alike").json()["facts"]
    assert [row["layer"] for row in whole["layers"]] == ["conv1", "conv2", "dense1", "dense2"]
    assert "accuracy" not in whole
    one = digits.get("/api/alike?layer=conv1").json()
    assert 0 <= one["facts"]["accuracy"] <= 1
    assert one["arrays"]["conv1.without"]["shape"] == [25]
    assert one["arrays"]["conv1.likeness"]["shape"] == [25, 25]


def test_leaving_out_unit_by_unit_is_left_out_where_it_would_take_minutes(runs, monkeypatch):
    monkeypatch.setattr(session_module, "WEIGHED", 10**7)
    told = client(runs("digits"), source="digits").get("/api/alike?layer=conv1").json()
    assert "accuracy" not in told["facts"]
    monkeypatch.setattr(session_module, "COUNTED", 10**6)
    told = client(runs("digits"), source="digits").get("/api/alike").json()
    assert told["facts"]["examples"] == 20


def test_another_run_sees_the_same_input_and_is_told_by_its_own_name(runs):
    others = {"epoch 1": runs("digits"), "coloured": runs("colour")}
    asked = client(runs("digits"), source="digits", others=others)
    assert asked.get("/api/network").json()["others"] == {
        "": "digits",
        "epoch 1": "epoch 1",
        "coloured": "coloured",
    }
    assert asked.get("/api/network?run=coloured").json()["input"] == [3, 32, 32]
    for mark in (told(asked.post("/api/look", content=png()))[0]["input"], "example-3", "nothing"):
        mine = asked.get("/api/look", params={"input": mark})
        its = asked.get("/api/look", params={"input": mark, "beside": "epoch 1"})
        assert its.status_code == 200, its.text
        assert told(its) == told(mine)  # the same weights under another name
        cell = {"layer": "conv2", "cell": "3,4,5", "input": mark, "run": "epoch 1"}
        assert asked.get("/api/cell", params=cell).status_code == 200
    mark = told(asked.post("/api/look", content=png(40)))[0]["input"]
    its, _ = told(asked.get("/api/look", params={"input": mark, "beside": "coloured"}))
    assert its["layers"][0]["shape"] == [3, 32, 32]  # prepared again, its own way


def test_a_run_that_nobody_named_is_refused(runs):
    asked = client(runs("digits"), others={"epoch 1": runs("digits")})
    for path in ("network?run=epoch 2", "look?input=nothing&run=../x", "look?beside=x",
                 "cell?run=%00", "alike?run=epoch 7"):  # fmt: skip
        refused(asked.get(f"/api/{path}"))


def test_a_held_input_stays_while_others_come_and_go(runs):
    asked = client(runs("text"))
    mark = told(asked.post("/api/look", content=b"a film"))[0]["input"]
    assert asked.get(f"/api/look?input={mark}&hold=true").status_code == 200
    for number in range(KEPT + 3):
        asked.post("/api/look", content=f"a film {number}".encode())
    assert asked.get(f"/api/look?input={mark}").status_code == 200


def test_only_so_many_inputs_are_kept(runs):
    session = Session(load(runs("text")))
    first = session.open(b"a film")
    for number in range(KEPT):
        session.open(f"a film {number}".encode())
    assert len(session._seen) == KEPT
    assert first not in session._seen


BAD = [
    "cell?layer=nope&cell=0,0,0&input=nothing",
    "cell?layer=conv1&cell=99,0,0&input=example-0",
    "cell?layer=conv1&cell=0,0&input=example-0",
    "cell?layer=conv1&cell=-1,0,0&input=example-0",
    "cell?layer=input&cell=0,0,0&input=example-0",
    "cell?layer=conv1&cell=0,0,0",
    "moved?input=gone",
    "moved?input=example-0&method=tarot",
    "moved?input=example-0&answer=cat",
    "look?input=example-99999",
    "look?input=example-٣",
    "filters?layer=pool1",
    "twin?layer=conv1&rows=5,5",
    "twin?layer=conv1&rows=0,999999999",
    "twin?layer=pool1",
    "looks-for?layer=conv1&units=999",
    "patches?layer=pool9",
    "patches",
]


@pytest.mark.parametrize("path", BAD)
def test_a_wrong_question_is_answered_in_one_line(digits, path):
    refused(digits.get(f"/api/{path}"))


@pytest.mark.parametrize("path", ["looks-for?steps=100000", "patches?k=x", "forgives?shift=0"])
def test_a_number_out_of_bounds_is_named(digits, path):
    refused(digits.get(f"/api/{path}"), 422)


@pytest.mark.parametrize("body", [b"", b"no picture", png()[:40], b"GIF89a" + b"\0" * 40])
def test_a_body_that_is_no_picture_is_refused(digits, body):
    refused(digits.post("/api/look", content=body))


@pytest.mark.parametrize("body", [b"", b"(;SZ[9];B[aa])", b"(;SZ[19];B[aa];W[aa])", b"\xff" * 99])
def test_a_body_that_is_no_game_is_refused(runs, body):
    refused(client(runs("go")).post("/api/look", content=body))


def test_a_move_that_the_game_does_not_have_is_refused(runs):
    refused(client(runs("go")).post("/api/look?move=7", content=b"(;SZ[19];B[dd])"))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["cell", "moved", "filters", "twin", "patches"]), st.text(min_size=1))
def test_no_word_makes_the_server_fail(digits, what, word):
    asked = {"layer": word, "cell": word, "input": word, "method": word, "rows": word}
    assert digits.get(f"/api/{what}", params=asked).status_code in (400, 422)


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=300))
def test_no_body_makes_the_server_fail(digits, body):
    assert digits.post("/api/look", content=body).status_code in (200, 400)


@pytest.mark.parametrize(
    "path",
    ["/page/../app.py", "/page/%2e%2e/app.py", "/page//etc/passwd", "/page/..%5capp.py",
     "/model.safetensors", "/page/", "/api/", "/docs", "/redoc", "/page/style.css%00"],
)  # fmt: skip
def test_no_path_leads_out_of_the_page(digits, path):
    refused(digits.get(path), 404)


def test_another_method_is_refused(digits):
    refused(digits.delete("/api/look"), 405)


@pytest.mark.parametrize("host", ["evil.example:8000", "127.0.0.1", "127.0.0.1:80", ""])
def test_a_foreign_name_that_points_here_is_refused(digits, host):
    refused(digits.get("/api/network", headers={"host": host}), 421)


def test_another_sites_page_may_not_ask(digits):
    refused(digits.get("/api/network", headers={"origin": "http://evil.example"}), 403)
    refused(digits.get("/api/network", headers={"origin": "null"}), 403)
    refused(digits.get("/api/network", headers={"sec-fetch-site": "cross-site"}), 403)
    assert digits.get("/api/network", headers={"origin": HERE}).status_code == 200


def test_with_a_token_nobody_is_served_without_it(runs):
    asked = client(runs("text"), token="s3cret")
    refused(asked.get("/"), 401)
    refused(asked.get("/?token=other"), 401)
    refused(asked.get("/api/network", headers={"cookie": "beak=other"}), 401)
    assert asked.get("/?token=s3cret").status_code == 200
    assert asked.get("/api/network").status_code == 200  # by the cookie that came with the page


def test_an_upload_that_is_too_large_is_refused(digits, monkeypatch):
    monkeypatch.setattr(guard, "MOST_BYTES", 1000)
    refused(digits.post("/api/look", content=b"x" * 1001), 413)

    def parts():
        for _ in range(20):
            yield b"x" * 100

    refused(digits.post("/api/look", content=parts()), 413)


def test_every_answer_forbids_what_comes_from_elsewhere(digits):
    for path in ("/", "/page/main.js", "/api/network", "/nope"):
        policy = digits.get(path).headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert "*" not in policy


def test_the_page_weighs_little_and_names_no_other_place():
    files = page_files()
    assert {"index.html", "main.js", "style.css"} <= set(files)
    assert sum(path.stat().st_size for path in files.values()) < 400_000
    for path in files.values():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text
        assert "https:" not in text


def test_a_host_beyond_this_machine_gets_a_token(runs):
    served = serve(Session(load(runs("text"))), "0.0.0.0")
    served.listening.close()
    assert "?token=" in served.address
    assert not is_local("0.0.0.0")
    local = serve(Session(load(runs("text"))))
    local.listening.close()
    assert local.address.startswith("http://127.0.0.1:")
    assert "token" not in local.address
