"""The application: the page's files, and JSON about a run."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from beak.errors import BeakError, UsageError, did_you_mean
from beak.web.session import Session
from beak.web.telling import maps_bytes, network_json, others

PAGE = Path(__file__).parent / "page"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
ANY_BODY = {
    "requestBody": {
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    }
}
MOST_STEPS = 200

Word = Annotated[str | None, Query(max_length=200)]
Numbers = Annotated[str | None, Query(max_length=400)]


@cache
def page_files() -> dict[str, Path]:
    """The page's files by address: nothing else is ever opened for one."""
    found = sorted(PAGE.rglob("*"))
    return {path.relative_to(PAGE).as_posix(): path for path in found if path.suffix in TYPES}


def make_app(session: Session) -> FastAPI:
    """The application for one run."""
    app = FastAPI(title="beak look", docs_url=None, redoc_url=None, openapi_url="/api/schema.json")
    _page(app)
    _inputs(app, session)
    _network(app, session)
    app.add_exception_handler(BeakError, _said)
    app.add_exception_handler(RequestValidationError, _misread)
    for status in (404, 405, HTTPException):
        app.add_exception_handler(status, _no_such)
    app.add_exception_handler(Exception, _failed)
    return app


def _page(app: FastAPI) -> None:
    def file(name: str = "index.html") -> Response:
        path = page_files().get(name)
        if path is None:
            raise HTTPException(404, "there is no such page")
        return Response(path.read_bytes(), media_type=TYPES[path.suffix])

    @app.get("/", include_in_schema=False)
    def index() -> Response:
        return file()

    @app.get("/page/{name:path}", include_in_schema=False)
    def module(name: str) -> Response:
        return file(name)


def _inputs(app: FastAPI, session: Session) -> None:
    async def maps(run: str | None, open_one: Callable[[Session], str]) -> Response:
        def work() -> bytes:
            asked = session.of(run)
            with asked.lock:
                return maps_bytes(asked, asked.seen(open_one(asked)))

        return Response(await run_in_threadpool(work), media_type="application/octet-stream")

    @app.post("/api/look", openapi_extra=ANY_BODY)
    async def look(
        request: Request,
        move: Annotated[int | None, Query(ge=0, le=10_000)] = None,
        run: Word = None,
    ) -> Response:
        """All maps of the input in the body: a file's bytes, or a text."""
        body = await request.body()
        return await maps(run, lambda asked: asked.open(body, move))

    @app.get("/api/look")
    async def look_again(
        input: Word = None, run: Word = None, beside: Word = None, hold: bool = False
    ) -> Response:
        """All maps of an input that came before, of example-N, or of "nothing".

        ``beside``: of a run that is set beside ``run``. ``hold``: the input is kept for longer.
        """
        mark = input or "example-0"

        def known(asked: Session) -> str:
            if hold:
                asked.hold(mark)
            return mark

        def ready() -> None:
            asked = session.of(run)
            if mark.startswith("example-"):
                asked.examples()  # may take long: drawing goes on meanwhile
            if beside is not None:
                asked.pass_on(mark, session.of(beside))

        await run_in_threadpool(ready)
        return await maps(run if beside is None else beside, known)

    @app.get("/api/examples")
    async def examples(run: Word = None) -> Any:
        """Names and labels of some of the examples that the run was tested on."""

        def work() -> dict[str, Any]:
            asked = session.of(run)
            found = asked.examples()
            rows = range(len(found))
            labels = [asked.subject.label(int(label)) for label in found.labels]
            return {"names": found.names(rows), "labels": labels}

        return await run_in_threadpool(work)


def _network(app: FastAPI, session: Session) -> None:
    async def told(what: str, run: str | None, mark: str | None, options: dict[str, Any]) -> Any:
        def work() -> dict[str, Any]:
            return session.of(run).explain(what, options, mark).to_json(packed=True)

        return JSONResponse(await run_in_threadpool(work))

    @app.get("/api/network")
    async def network(run: Word = None) -> Any:
        """The network: layers, shapes, counts, labels; the runs that can be set beside it."""

        def work() -> dict[str, Any]:
            return {**network_json(session.of(run)), "run": run or "", "others": others(session)}

        return await run_in_threadpool(work)

    @app.get("/api/cell")
    async def cell(
        layer: Word = None, cell: Numbers = None, input: Word = None, run: Word = None
    ) -> Any:
        """What makes one number of a layer."""
        return await told("arithmetic", run, input, {"layer": layer, "cell": numbers("cell", cell)})

    @app.get("/api/moved")
    async def moved(
        input: Word = None, method: Word = None, answer: Word = None, run: Word = None
    ) -> Any:
        """What moved an answer."""
        return await told("moved", run, input, {"method": method, "answer": answer})

    @app.get("/api/forgives")
    async def forgives(
        input: Word = None,
        shift: Annotated[int | None, Query(ge=1, le=50)] = None,
        run: Word = None,
    ) -> Any:
        """How far each layer moves when the input shifts."""
        return await told("forgives", run, input, {"shift": shift})

    @app.get("/api/filters")
    async def filters(layer: Word = None, run: Word = None) -> Any:
        """A layer's weights."""
        return await told("filters", run, None, {"layer": layer})

    @app.get("/api/twin")
    async def twin(
        layer: Word = None, rows: Numbers = None, columns: Numbers = None, run: Word = None
    ) -> Any:
        """A convolution as a matrix."""
        across = {"rows": pair("rows", rows), "columns": pair("columns", columns)}
        return await told("twin", run, None, {"layer": layer, **across})

    @app.get("/api/looks-for")
    async def looks_for(
        layer: Word = None,
        units: Numbers = None,
        steps: Annotated[int, Query(ge=1, le=MOST_STEPS)] = 60,
        l1: Annotated[float, Query(ge=0, le=100, allow_inf_nan=False)] = 0.0,
        smooth: Annotated[float, Query(ge=0, le=1, allow_inf_nan=False)] = 0.0,
        run: Word = None,
    ) -> Any:
        """What filters, units or answers look for."""
        chosen = numbers("units", units)
        options = {"units": chosen, "steps": steps, "l1": l1, "smooth": smooth}
        return await told("looks-for", run, None, {"layer": layer, **options})

    @app.get("/api/patches")
    async def patches(
        layer: Word = None, k: Annotated[int, Query(ge=1, le=25)] = 9, run: Word = None
    ) -> Any:
        """For each filter, where in the examples it answers most."""
        if not layer:
            names = [node.name for node in session.run.network.nodes]
            raise UsageError(f"patches: of which layer{did_you_mean('', names[:20])}")
        return await told("patches", run, None, {"layer": layer, "k": k})

    @app.get("/api/alike")
    async def alike(layer: Word = None, run: Word = None) -> Any:
        """Dead units, filters alike; of one layer also how much each would be missed."""
        return await told("alike", run, None, {"layer": layer})


def numbers(name: str, text: str | None) -> tuple[int, ...] | None:
    """'0,3,4' -> (0, 3, 4). UsageError for anything else.

    >>> numbers("cell", "0,3,4")
    (0, 3, 4)
    """
    if text is None:
        return None
    words = text.split(",")
    if not all(word.isascii() and word.isdecimal() and len(word) < 10 for word in words):
        raise UsageError(f"{name}: whole numbers such as 0,3,4 were wanted")
    return tuple(map(int, words))


def pair(name: str, text: str | None) -> tuple[int, int] | None:
    """'0,128' -> (0, 128): from, and up to without."""
    found = numbers(name, text)
    if found is not None and len(found) != 2:
        raise UsageError(f"{name}: two whole numbers such as 0,128 were wanted")
    return None if found is None else (found[0], found[1])


def _answer(status: int, line: Any) -> JSONResponse:
    said = " ".join(str(line).split())[:500]
    return JSONResponse({"error": said.encode("utf-8", "replace").decode()}, status)


def _said(_: Request, error: Exception) -> Response:
    return _answer(400, error)


def _misread(_: Request, error: Exception) -> Response:
    first: Any = error.errors()[0] if isinstance(error, RequestValidationError) else {}
    return _answer(422, f"{first.get('loc', ('?',))[-1]}: {first.get('msg', 'cannot be read')}")


def _no_such(_: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 400)
    return _answer(status, getattr(error, "detail", error))


def _failed(_: Request, error: Exception) -> Response:
    return _answer(500, f"the server failed: {type(error).__name__}; its terminal tells more")
