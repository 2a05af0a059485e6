"""The service as an application, asked without a network between: who may, how much, what for."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import threading
from contextlib import asynccontextmanager

import httpx2
import numpy as np
import pytest
from PIL import Image

from beak.data.sounds import wav
from beak.errors import RunError
from beak.runs.predictor import Predictor
from beak.web.service_app import EASY_BYTES, Service, easy
from beak.web.service_batch import Batcher, BusyError
from beak.web.service_counts import Counts
from beak.web.service_door import Door
from beak.web.service_limits import Bounds
from beak.web.service_models import sources
from beak.web.service_state import Runs

HERE = "http://127.0.0.1:8000"


def png(height: int = 28, width: int = 28) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(1).integers(0, 256, (height, width), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def read_once(runs):
    """Sources that are read once for all tests."""
    return {kind: sources([str(runs(kind))])[0] for kind in ("digits", "text", "sound")}


@pytest.fixture
def asking(read_once):
    """A function: a client of a service with these bounds and this door, as a context."""

    @asynccontextmanager
    async def opened(*kinds: str, base: str = HERE, headers=None, bounds=None, **door):
        found = [read_once[kind] for kind in kinds or ("digits",)]
        counts = Counts([each.name for each in found], 1)
        counts.take_row(1)
        running = Runs(found, bounds or Bounds(), counts, 1, False)
        await running.start()
        service = Service(running, Door(8000, **door))
        transport = httpx2.ASGITransport(service)
        client = httpx2.AsyncClient(transport=transport, base_url=base, headers=headers)
        client.service = service
        try:
            async with client:
                yield client
        finally:
            running.close()

    return opened


def run(work) -> None:
    asyncio.run(work)


def test_a_name_that_does_not_lead_here_is_refused_and_a_public_one_is_told(asking):
    async def work():
        async with asking(base="http://rebound.example:8000") as client:
            answer = await client.get("/v1/runs")
            assert (answer.status_code, "--public-url" in answer.text) == (421, True)
            assert (await client.get("/healthz")).status_code == 200
        async with asking(base="https://ai.example", names=("ai.example",)) as client:
            assert (await client.get("/v1/runs")).status_code == 200

    run(work())


def test_another_sites_page_is_refused_unless_it_was_allowed(asking):
    async def work():
        async with asking(origins=("https://good.example",)) as client:
            body = png()
            evil = {"origin": "https://evil.example"}
            good = {"origin": "https://good.example"}
            assert (await client.post("/predict", content=body, headers=evil)).status_code == 403
            answer = await client.post("/predict", content=body, headers=good)
            assert answer.status_code == 200
            assert answer.headers["access-control-allow-origin"] == "https://good.example"
            own = await client.post("/predict", content=body, headers={"origin": HERE})
            assert own.status_code == 200
            assert "access-control-allow-origin" not in own.headers
            for origin, status in ((good, 200), (evil, 403)):
                asked = {**origin, "access-control-request-method": "POST"}
                found = await client.options("/predict", headers=asked)
                assert found.status_code == status

    run(work())


def test_a_token_is_asked_of_all_but_those_who_watch(asking):
    async def work():
        token = "correct-horse"
        async with asking(base="http://any.name", token=token) as client:
            for path in ("/v1/runs", "/metrics", "/", "/openapi.json", "/page/try.js"):
                answer = await client.get(path)
                assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
            assert (await client.post("/predict", content=png())).status_code == 401
            assert (await client.get("/readyz")).status_code == 200
            wrong = {"authorization": "Bearer correct-horsf"}
            assert (await client.get("/v1/runs", headers=wrong)).status_code == 401
            assert (await client.get(f"/v1/runs?token={token}")).status_code == 401
            right = {"authorization": f"Bearer {token}"}
            assert (await client.post("/predict", content=png(), headers=right)).status_code == 200
            page = await client.get(f"/?token={token}")
            assert page.status_code == 200
            assert "HttpOnly; SameSite=Strict" in page.headers["set-cookie"]
            assert (await client.get("/v1/runs")).status_code == 200  # the cookie

    run(work())


def test_a_proxys_prefix_is_taken_off_where_it_stands(asking):
    async def work():
        async with asking(prefix="/digits") as client:
            for path in ("/digits/predict", "/predict", "/digits/v1/digits/predict"):
                assert (await client.post(path, content=png())).status_code == 200
            described = (await client.get("/digits/openapi.json")).json()
            assert described["servers"] == [{"url": "/digits"}]

    run(work())


def test_what_there_is_not_is_said_with_what_there_is(asking):
    async def work():
        async with asking("digits", "text") as client:
            found = await client.post("/predict", content=png())
            assert found.status_code == 404
            assert "/v1/digits/predict, /v1/text/predict" in found.json()["error"]
            for path in ("/v1/nothing/predict", "/v2/digits/predict", "/digits/predict", "/nothing",
                         "/page/../app.py", "/page/%2e%2e/app.py", "//etc/passwd"):  # fmt: skip
                answer = await client.post(path) if "predict" in path else await client.get(path)
                assert answer.status_code == 404, path
            wrong = await client.get("/v1/digits/predict")
            assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
            wrong = await client.post("/v1/runs")
            assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, HEAD")
            head = await client.head("/v1/runs")
            assert (head.status_code, head.content) == (200, b"")

    run(work())


def test_no_path_in_a_request_is_ever_opened(asking, tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(png())

    async def work():
        async with asking() as client:
            for asked in ({"text": str(secret)}, {"data": str(secret)}, {"path": str(secret)},
                          {"inputs": [str(secret)]}):  # fmt: skip
                answer = await client.post("/predict", json=asked)
                assert answer.status_code in (400, 422)
            files = {"file": (str(secret), b"")}
            assert (await client.post("/predict", files=files)).status_code == 422
            answer = await client.post("/predict", content=str(secret).encode())
            assert answer.status_code == 422
            named = await client.post("/predict", content=png(), params={"name": "../../etc/x"})
            assert named.json()["input"] == "../../etc/x"

    run(work())


def test_bytes_pixels_seconds_and_inputs_are_bounded(asking):
    bounds = Bounds(most_bytes=20_000, pixels=10_000, seconds=1.5, most_inputs=2)
    loud = wav(np.full(16_000, 9000, "<i2"), 8000)[: 44 + 2 * 13_000]

    async def work():
        async with asking("digits", "sound", bounds=bounds) as client:
            digits, sound = "/v1/digits/predict", "/v1/sound/predict"
            assert (await client.post(digits, content=png(90, 90))).status_code == 200
            answer = await client.post(digits, content=png(101, 101))
            assert (answer.status_code, "pixels" in answer.text) == (413, True)
            answer = await client.post(digits, content=b"x" * 20_001)
            assert (answer.status_code, "too large" in answer.text) == (413, True)

            async def pieces():
                for _ in range(5):
                    yield b"x" * 5_000

            assert (await client.post(digits, content=pieces())).status_code == 413
            files = [("files", ("a.png", png()))] * 3
            assert (await client.post(digits, files=files)).status_code == 413
            short = wav(np.full(9_000, 9000, "<i2"), 8000)
            assert (await client.post(sound, content=short)).status_code == 200
            wide = Bounds(seconds=1.5)
            client.service.runs.bounds = wide
            answer = await client.post(sound, content=loud)
            assert (answer.status_code, "longer than 1.5 seconds" in answer.text) == (413, True)
            packed = {"content-encoding": "gzip"}
            assert (await client.post(digits, content=b"x", headers=packed)).status_code == 415

    run(work())


def test_a_header_that_is_there_twice_is_refused(asking):
    async def work():
        async with asking() as client:
            twice = [("content-type", "image/png"), ("content-type", "text/plain")]
            assert (await client.post("/predict", content=png(), headers=twice)).status_code == 400

    run(work())


def test_of_several_inputs_one_that_cannot_be_read_has_its_error_in_its_place(asking):
    async def work():
        async with asking() as client:
            data = base64.b64encode(png()).decode()
            bad = base64.b64encode(b"no picture").decode()
            asked = {"inputs": [data, {"data": bad, "name": "b"}, data], "top": 2}
            told = (await client.post("/predict", json=asked)).json()["predictions"]
            assert told[1] == {"input": "b", "error": told[1]["error"]}
            assert "not a picture" in told[1]["error"]
            assert told[0] == told[2]
            assert len(told[0]["probabilities"]) == 2
            answer = await client.post("/predict", json={"inputs": [bad, bad]})
            assert answer.status_code == 422
            asked = {"inputs": [data, {"data": "*", "name": "c"}], "top": 2}
            first, second = (await client.post("/predict", json=asked)).json()["predictions"]
            assert first == told[0]
            assert second == {"input": "c", "error": "data: this is no base64"}
            answer = await client.post("/predict", json={"inputs": ["*"]})
            assert (answer.status_code, answer.json()["error"]) == (422, second["error"])

    run(work())


def test_a_full_queue_answers_503_with_retry_after_and_then_goes_on(asking, monkeypatch):
    free = threading.Event()
    shares = Predictor.shares

    def slow(self, stored):
        free.wait(10)
        return shares(self, stored)

    async def work():
        async with asking(bounds=Bounds(queue=3)) as client:
            monkeypatch.setattr(Predictor, "shares", slow)
            first = asyncio.create_task(client.post("/predict", content=png()))
            await asyncio.sleep(0.1)
            rest = [asyncio.create_task(client.post("/predict", content=png())) for _ in range(5)]
            await asyncio.sleep(0.2)
            refused = [each.result() for each in rest if each.done()]
            assert [answer.status_code for answer in refused] == [503, 503]
            assert all(1 <= int(answer.headers["retry-after"]) <= 30 for answer in refused)
            free.set()
            answers = [await each for each in (first, *rest)]
            assert sorted(answer.status_code for answer in answers) == [200] * 4 + [503] * 2
            text = (await client.get("/metrics")).text
            assert 'beak_requests_total{run="digits",status="503"} 2' in text
            assert 'beak_batch_inputs_count{run="digits"} 2' in text
            assert 'beak_batch_inputs_sum{run="digits"} 4' in text

    run(work())


def test_bodies_in_progress_are_bounded_together(asking):
    async def work():
        async with asking(bounds=Bounds(held_bytes=10_000, most_bytes=8_000)) as client:
            gate = asyncio.Event()

            async def slow():
                yield b"x" * 1000
                await gate.wait()
                yield b"x" * 1000

            async def ask():
                return await client.post("/predict", content=slow())

            first = asyncio.create_task(ask())
            await asyncio.sleep(0.05)
            second = await client.post("/predict", content=b"x" * 4_000)
            assert second.status_code == 503
            gate.set()
            assert (await first).status_code == 422
            assert (await client.post("/predict", content=b"x" * 4_000)).status_code == 422

    run(work())


def test_a_network_that_answers_nan_or_fails_is_a_500_and_no_stack_trace(asking, monkeypatch):
    async def work():
        async with asking() as client:
            monkeypatch.setattr(
                Predictor, "shares", lambda self, stored: np.full((len(stored), 10), np.nan)
            )
            answer = await client.post("/predict", content=png())
            assert (answer.status_code, "answers NaN" in answer.text) == (500, True)

            def broken(self, stored):
                raise MemoryError

            monkeypatch.setattr(Predictor, "shares", broken)
            answer = await client.post("/predict", content=png())
            assert answer.status_code == 500
            assert "Traceback" not in answer.text
            assert answer.json()["error"].startswith("the service failed: MemoryError")

    run(work())


def test_a_request_that_waits_too_long_is_given_up(asking, monkeypatch):
    free = threading.Event()
    monkeypatch.setattr(Predictor, "shares", lambda self, stored: free.wait(10))

    async def work():
        async with asking(bounds=Bounds(timeout=0.2)) as client:
            answer = await client.post("/predict", content=png())
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            free.set()

    run(work())


def test_answers_do_not_depend_on_the_batch_they_are_in(asking):
    async def work():
        async with asking() as client:
            bodies = []
            for number in range(41):
                pixels = np.random.default_rng(number).integers(0, 256, (28, 28), dtype=np.uint8)
                file = io.BytesIO()
                Image.fromarray(pixels).save(file, "PNG")
                bodies.append(file.getvalue())
            alone = [(await client.post("/predict", content=body)).json() for body in bodies]
            tasks = [client.post("/predict", content=body) for body in bodies]
            together = [answer.json() for answer in await asyncio.gather(*tasks)]
            assert together == alone
            text = (await client.get("/metrics")).text
            (batches,) = [int(line.split()[-1]) for line in text.splitlines()
                          if line.startswith("beak_batch_inputs_count")]  # fmt: skip
            assert 41 < batches < 41 + 20

    run(work())


def test_what_is_opened_at_once_is_small_once_it_is_unpacked():
    assert easy("pictures", png())
    assert not easy("pictures", png(300, 300))
    assert not easy("pictures", b"\xff\xd8" + b"x" * 30)
    assert not easy("pictures", b"\x89PNG\r\n\x1a\n")
    huge = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + b"\0\1\0\0\0\1\0\0"
    assert not easy("pictures", huge)
    assert easy("go", b"(;)")
    assert not easy("go", b"x" * (EASY_BYTES + 1))
    assert not easy("sounds", b"RIFF")
    assert easy("texts", "a film")
    assert not easy("texts", "a" * (EASY_BYTES + 1))


def test_a_retry_is_told_as_late_as_the_queue_is_long(runs):
    async def work():
        (source,) = sources([str(runs("text"))])
        batcher = Batcher(Predictor(source.kept.model, threads=1), most=4)
        from beak.runs.answers import Wanted, open_raw

        opened = open_raw(source.kept.model, "a film", "-", Wanted())
        waiting = [batcher.put("-", opened) for _ in range(4)]
        batcher.seconds_a_row = 1.9
        with pytest.raises(BusyError) as busy:
            batcher.put("-", opened)
        assert busy.value.after == 8
        batcher.seconds_a_row = 1000.0
        with pytest.raises(BusyError, match="30 s"):
            batcher.put("-", opened)
        assert len(await asyncio.gather(*waiting)) == 4
        batcher.close()

    run(work())


def test_the_counts_of_a_dead_workers_open_things_go_and_its_sums_stay():
    counts = Counts(["a"], 2)
    counts.take_row(1)
    counts.answered("a", 200, 0.003)
    counts.answered("", 404, 20.0)
    counts.put("a", "queued_inputs", 5)
    counts.put("", "connections", 7)
    counts.take_row(2)
    counts.answered("a", 200, 0.3)
    counts.answered("a", 418, 0.3)
    text = counts.text()
    assert 'beak_requests_total{run="a",status="200"} 2' in text
    assert 'beak_requests_total{run="a",status="500"} 1' in text  # an unknown one is a failure
    assert 'beak_requests_total{run="",status="404"} 1' in text
    assert 'beak_answer_seconds_bucket{run="a",le="0.005"} 1' in text
    assert 'beak_answer_seconds_bucket{run="a",le="0.5"} 3' in text
    assert 'beak_answer_seconds_bucket{run="",le="10.0"} 0' in text
    assert 'beak_answer_seconds_bucket{run="",le="+Inf"} 1' in text
    assert 'beak_answer_seconds_sum{run="a"} 0.603' in text
    assert 'beak_queued_inputs{run="a"} 5' in text
    assert 'beak_connections{worker="1"} 7' in text
    counts.clear_gauges(1)
    text = counts.text()
    assert 'beak_queued_inputs{run="a"} 0' in text
    assert 'beak_connections{worker="1"} 0' in text
    assert 'beak_requests_total{run="a",status="200"} 2' in text


def test_a_damaged_run_is_refused_when_the_service_starts(tmp_path):
    path = tmp_path / "run.safetensors"
    path.write_bytes(b"\x80\x04pickle")
    with pytest.raises(RunError):
        sources([str(path)])


def test_the_page_and_its_files_say_where_nothing_else_may_come_from(asking):
    async def work():
        async with asking() as client:
            for path in ("/", "/page/try.js", "/page/try.css", "/page/icon.svg"):
                answer = await client.get(path)
                assert answer.status_code == 200
                assert "default-src 'none'" in answer.headers["content-security-policy"]
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert "http://" not in answer.text.replace("http://www.w3.org/2000/svg", "")
            assert json.loads((await client.get("/openapi.json")).text)["openapi"] == "3.1.0"

    run(work())
