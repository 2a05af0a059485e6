"""How long the strongest patches of all 75 filters of `lecture` over 60,000 digits take.

    python benchmarks/lens_patches.py [SOURCE] [--threads 2] [--run RUN]

SOURCE is mnist, or a folder that holds its idx files. The time is that of one pass over the 60,000
training digits (train and validation part) as `beak explain RUN SOURCE --what patches` makes it,
from stored pixels to cut-out patches; reading the files is not counted. Without RUN the network has
its first weights, which takes as long as trained ones.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace

import numpy as np

from beak.data.load import load_dataset
from beak.lens.patches import strongest_patches
from beak.lens.subject import Subject
from beak.network.catalogue import make_network
from beak.network.initial import initial_parameters
from beak.runs.opened import spread

FIGURE = 8.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", nargs="?", default="mnist")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--run", help="a run directory; left out: the network's first weights")
    asked = parser.parse_args()
    dataset = load_dataset(asked.source)
    given = [dataset.parts["train"], dataset.parts["validation"]]
    pixels = np.concatenate([np.asarray(part.inputs[np.arange(len(part))]) for part in given])
    labels = np.concatenate([part.labels for part in given])
    names = [name for part in given for name in part.names]
    whole = replace(given[0], inputs=pixels, labels=labels, names=names, hashes=None, groups=None)
    if asked.run:
        from beak.runs.run import load

        run = load(asked.run)
        network, parameters, spec = run.network, run.model.parameters, run.spec
    else:
        network, spec = make_network("lecture", (1, 28, 28), 10), dataset.spec
        parameters = initial_parameters(network, 0)
    subject = Subject(network, parameters, dataset.labels, asked.threads)
    examples = spread(whole, spec, None)
    begin = time.perf_counter()
    told = strongest_patches(subject, examples.fetch, len(examples))
    seconds = time.perf_counter() - begin
    filters = sum(row["filters"] for row in told.facts["layers"])
    print(f"{filters} filters, {len(examples):,} digits, {asked.threads} threads: {seconds:.2f} s")
    return int(seconds > FIGURE)


if __name__ == "__main__":
    sys.exit(main())
