"""The compiled kernels for word vectors."""

from __future__ import annotations

from beak.ops.kernel import Kernel, structure

EmbeddingForwardArgs = structure(
    "EmbeddingForwardArgs",
    "ptr:words ptr:weight ptr:y int:images int:length int:stride int:vocabulary"
    " int:dimensions int:padding",
)
EmbeddingIndexArgs = structure(
    "EmbeddingIndexArgs",
    "ptr:words ptr:count ptr:listed ptr:first ptr:next ptr:slot"
    " int:images int:length int:stride int:vocabulary int:padding",
)
EmbeddingBackwardArgs = structure(
    "EmbeddingBackwardArgs",
    "ptr:dy ptr:count ptr:listed ptr:first ptr:next ptr:dweight int:dimensions",
)

EMBEDDING_FORWARD = (Kernel("embedding_forward", EmbeddingForwardArgs),)
EMBEDDING_INDEX = (Kernel("embedding_index", EmbeddingIndexArgs),)
EMBEDDING_BACKWARD = (Kernel("embedding_backward", EmbeddingBackwardArgs),)
