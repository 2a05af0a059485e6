"""The runs as one worker answers with them: each with its network, its queue, its file watched."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from beak.errors import BeakError
from beak.runs.model import Model
from beak.runs.predictor import Predictor
from beak.web.service_batch import SIZES, Batcher
from beak.web.service_counts import Counts
from beak.web.service_limits import Bounds
from beak.web.service_models import Kept, Source

LOG = logging.getLogger("beak.serve")
WATCHED = 1.0
"""Seconds between two looks at a run's file."""
DECODERS = 2
"""Threads that unpack large inputs."""


@dataclass(eq=False)
class Live:
    """One state of a run, answering."""

    kept: Kept
    batcher: Batcher
    users: int = 0
    """Requests that it is to answer."""

    @property
    def model(self) -> Model:
        """What answers."""
        return self.kept.model


class Runs:
    """All runs of one worker."""

    def __init__(
        self, sources: Iterable[Source], bounds: Bounds, counts: Counts, threads: int, exact: bool
    ) -> None:
        self.sources = {source.name: source for source in sources}
        self.bounds, self.counts = bounds, counts
        self.threads, self.exact = threads, exact
        self.live: dict[str, Live] = {}
        self.decoders = ThreadPoolExecutor(DECODERS, "beak-decode")
        self.stopping = False

    async def start(self) -> None:
        """Take what the files hold now, or held when they were last good; RunError."""
        for source in self.sources.values():
            await self._in_thread(source.refresh)
            self._tell(source)
            self.live[source.name] = await self._made(source)

    async def watch(self) -> None:
        """Follow the files until this is cancelled."""
        while True:
            await asyncio.sleep(WATCHED)
            for source in self.sources.values():
                await self._follow(source)

    async def _follow(self, source: Source) -> None:
        if not await self._in_thread(source.changed):
            return
        before, trouble = self.live[source.name], source.trouble
        if not await self._in_thread(source.refresh):
            if source.trouble and source.trouble != trouble:
                self.counts.add(source.name, "failed_reloads")
                LOG.warning("%s: the file changed and cannot be read, so the network that was read "
                            "before still answers: %s", source.name, source.trouble)  # fmt: skip
            self._tell(source)
            return
        try:
            self.live[source.name] = await self._made(source)
        except BeakError as error:  # too large for this machine, for one
            source.kept, source.trouble = before.kept, str(error)
            self.counts.add(source.name, "failed_reloads")
            LOG.warning("%s: the changed file does not run: %s", source.name, error)
            self._tell(source)
            return
        self._tell(source)
        self.counts.add(source.name, "reloads")
        LOG.info("%s: the file changed; %s answers now", source.name, source.kept.version)
        await self._retire(before)

    async def _retire(self, old: Live) -> None:
        """End an old network once it has answered all that came to it."""
        while old.users or not old.batcher.idle:
            await asyncio.sleep(0.01)
        old.batcher.close()

    def _tell(self, source: Source) -> None:
        self.counts.put(source.name, "broken_file", float(source.trouble is not None))

    async def _made(self, source: Source) -> Live:
        kept = source.kept

        def warm() -> Predictor:
            predictor = Predictor(kept.model, threads=self.threads, exact=self.exact)
            predictor.make_ready(size for size in SIZES if size <= predictor.at_once)
            return predictor

        predictor = await self._in_thread(warm)

        def counted(rows: int, waiting: int) -> None:
            self.counts.put(source.name, "queued_inputs", waiting)
            if rows:
                self.counts.batch(source.name, rows)

        return Live(kept, Batcher(predictor, self.bounds.queue, counted))

    async def _in_thread(self, work: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.decoders, work)

    def close(self) -> None:
        """End the threads."""
        for live in self.live.values():
            live.batcher.close()
        self.decoders.shutdown(wait=False, cancel_futures=True)
