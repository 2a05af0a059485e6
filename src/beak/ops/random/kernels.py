"""The compiled kernels for random numbers: Philox4x32-10 words, and dropout."""

from __future__ import annotations

from beak.ops.kernel import Kernel, structure

PhiloxWordsArgs = structure("PhiloxWordsArgs", "ptr:counters ptr:words int:key0 int:key1 int:count")
DropoutArgs = structure(
    "DropoutArgs",
    "ptr:x ptr:y ptr:settings ptr:examples int:images int:places int:channels int:node real:rate",
)

PHILOX_WORDS = (Kernel("philox_words", PhiloxWordsArgs),)
DROPOUT = (Kernel("dropout", DropoutArgs),)
