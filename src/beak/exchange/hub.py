"""Runs on the Hugging Face hub: what is sent, and what of a stranger's is taken."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beak.errors import MissingExtraError, RunError, UsageError
from beak.runs.directory import CARD, HISTORY, MODEL, RECIPE, REPORT, RunDirectory
from beak.runs.files import FILE_LIMIT, FULL, TEXT_LIMIT, could_not_write, read_text
from beak.runs.history import read_history
from beak.runs.model import load_model
from beak.runs.safe import one_line, strict_toml

PUSHED = (MODEL, CARD, RECIPE, HISTORY, REPORT)
"""What of a run goes to the hub; never a checkpoint, nor the machine it was made on."""
PULLED = (MODEL, CARD, RECIPE, HISTORY)
"""What of a stranger's run is taken: a page of theirs could hold scripts."""
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
PATHS = ("source", "directory", "vectors")
"""Keys of a recipe whose values may be paths of this machine."""
WHY = {
    401: "the token is missing or not valid; sign in: hf auth login",
    403: "the token may not do that; sign in as its owner: hf auth login",
    404: "there is no such repository, or it is private; is the name right?",
    413: "a file is too large for the hub",
    429: "too many requests; wait a little and try again",
}


@dataclass(frozen=True)
class Pushed:
    """What went to the hub."""

    address: str
    files: tuple[str, ...]
    size: int
    """Bytes."""

    def to_json(self) -> dict[str, Any]:
        """As ``beak push --json`` prints it."""
        return {"address": self.address, "files": list(self.files), "bytes": self.size}


def push(run: str | Path, repository: str, *, private: bool = False, report: bool = True) -> Pushed:
    """Send a run to the hub as OWNER/NAME, which is made where it is not there yet.

    Sent are the weights, README.md, recipe.toml, history.jsonl and report.html, paths of this
    machine in them shortened to their last part. ``report``: its page, which shows the test
    examples that were answered wrong. Raises UsageError for a wrong name, RunError where the hub
    or the run is not as it should be.
    """
    _check_name(repository)
    directory = RunDirectory.open(run)
    if directory.checkpoint_path.exists():
        raise RunError(f"{directory} is not trained to its end; go on with it before you push it")
    load_model(directory.path)
    hub = _hub()
    names = [n for n in PUSHED if (directory.path / n).is_file() and (report or n != REPORT)]
    if hub.get_token() is None:
        raise RunError("push: no token of the hub is known here; sign in: hf auth login")
    contents = {name: _shared(directory, name) for name in names}
    size = sum(len(c) if isinstance(c, bytes) else c.stat().st_size for c in contents.values())
    with _telling(f"push to {repository}"):
        api = _api(hub)
        address = str(api.create_repo(repository, private=private, exist_ok=True))
        operations = [hub.CommitOperationAdd(name, c) for name, c in contents.items()]
        api.create_commit(repository, operations, commit_message="A run of beak")
    return Pushed(address, tuple(names), size)


def pull(repository: str, run: str | Path, *, revision: str | None = None) -> RunDirectory:
    """Get a run from the hub into a new directory; nothing is left where that fails.

    Every file is checked as if it came from an enemy, and no page of theirs is taken. Raises
    UsageError for a wrong name or a RUN that is there, RunError where the hub or its files are not
    as they should be.
    """
    _check_name(repository)
    target = Path(run)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{one_line(target, 300)} is there already; give another RUN")
    hub = _hub()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise could_not_write(target, error) from None
    try:
        with _telling(f"pull {repository}"):
            _fetch(hub, repository, revision, beside)
        _check_files(beside, repository)
        _place(beside / "run", target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return RunDirectory(target)


def _fetch(hub: Any, repository: str, revision: str | None, beside: Path) -> None:
    """The files that are wanted, into beside/run."""
    info = _api(hub).model_info(repository, revision=revision, files_metadata=True)
    sizes = {file.rfilename: file.size for file in info.siblings or ()}
    if MODEL not in sizes:
        raise RunError(f"pull {repository}: it holds no {MODEL}, so it is no run of beak's")
    (beside / "run").mkdir()
    for name in PULLED:
        if name not in sizes:
            continue
        most = FILE_LIMIT if name == MODEL else TEXT_LIMIT
        if (sizes[name] or 0) > most:
            raise RunError(f"pull {repository}: {name} has {sizes[name]:,} bytes, {most:,} at most")
        with warnings.catch_warnings():  # a full disk is told once, in our words
            warnings.filterwarnings("ignore", "Not enough free disk space")
            found = hub.hf_hub_download(
                repository, name, revision=info.sha, local_dir=beside / "got", endpoint=_endpoint()
            )
        os.replace(found, beside / "run" / name)


def _check_files(beside: Path, repository: str) -> None:
    """Everything is what its name says, or RunError."""
    folder = beside / "run"
    try:
        load_model(folder / MODEL)
        if (folder / RECIPE).exists():
            strict_toml(read_text(folder / RECIPE))
        if (folder / CARD).exists():
            read_text(folder / CARD)
        if (folder / HISTORY).exists():
            read_history(folder / HISTORY)
    except ValueError as error:
        raise RunError(f"pull {repository}: {RECIPE} is no TOML: {one_line(error)}") from None
    except RunError as error:
        said = str(error).replace(f"{one_line(folder, 300)}{os.sep}", "")
        raise RunError(f"pull {repository}: {said}") from None


def _place(made: Path, target: Path) -> None:
    try:
        if target.exists():
            target.rmdir()
        os.replace(made, target)
        target.chmod(0o755)
    except OSError as error:
        raise could_not_write(target, error) from None


def _shared(directory: RunDirectory, name: str) -> bytes | Path:
    """A file as others may see it: without this machine's paths."""
    path = directory.path / name
    if name == MODEL:
        return path
    content = read_text(path)
    for told, short in _own_paths(directory):
        content = content.replace(told, short)
    return content.encode()


def _own_paths(directory: RunDirectory) -> Iterator[tuple[str, str]]:
    """Paths that the recipe names, the longest first, and what of them may be told."""
    if not directory.recipe_path.is_file():
        return
    try:
        said = strict_toml(directory.read_recipe()).get("data", {})
    except ValueError:
        return
    paths = {str(said[k]) for k in PATHS if isinstance(said, dict) and said.get(k)}
    for path in sorted(paths, key=len, reverse=True):
        if os.sep in path.rstrip(os.sep):
            yield path, Path(path).name


def _check_name(repository: str) -> None:
    if not REPOSITORY.fullmatch(repository):
        raise UsageError(f"'{one_line(repository)}' is no repository; write OWNER/NAME")


def _hub() -> Any:
    """The library, silent."""
    try:
        import huggingface_hub
        from huggingface_hub import utils
    except ImportError:
        raise MissingExtraError("the hub", "hub") from None
    silence: Any = utils  # it says which names it exports in a way that type checkers do not read
    silence.disable_progress_bars()
    return huggingface_hub


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


def _api(hub: Any) -> Any:
    return hub.HfApi(endpoint=_endpoint(), library_name="beak")


@contextmanager
def _telling(what: str) -> Iterator[None]:
    """Whatever the hub's library raises becomes one line."""
    from huggingface_hub import errors

    # its errors of HTTP are both the transport's and the system's
    failures: Any = (*errors.HfHubHTTPError.__bases__, errors.XetDownloadError, ValueError)
    try:
        yield
    except failures as error:
        raise RunError(f"{what}: {_why(error, errors)}") from None
    except RuntimeError as error:  # a large file's upload: what went wrong stands behind it
        raise RunError(f"{what}: {_why(error.__cause__ or error, errors)}") from None


def _why(error: BaseException, errors: Any) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.GatedRepoError):
        return "the owner has to let you in first; ask for access on its page"
    if status is not None and status >= 500:
        return f"the hub has a fault of its own ({status}); try again later"
    if status in WHY:
        return WHY[status]
    if status is not None:
        return f"the hub refuses it ({status}): {one_line(error, 200)}"
    if isinstance(error, OSError) and error.errno in FULL:
        return "the disk is full; make room and do it again"
    said = one_line(getattr(error, "strerror", None) or error, 200) or type(error).__name__
    if isinstance(error, ValueError):
        return f"the hub's answer makes no sense ({said}); try again later"
    return f"the hub was not reached, or broke off ({said}); is there a network?"
