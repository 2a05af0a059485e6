"""The compiled kernels for word vectors."""

from __future__ import annotations

from beak.ops.kernel import Kernel, structure

EmbeddingForwardArgs = structure(
    "EmbeddingForwardArgs",
    "ptr:words ptr:weight ptr:y int:images int:length int:vocabulary int:dimensions int:padding",
)
EmbeddingBackwardArgs = structure(
    "EmbeddingBackwardArgs",
    "ptr:words ptr:dy ptr:dweight ptr:touched"
    " int:images int:length int:vocabulary int:dimensions int:padding",
)

EMBEDDING_FORWARD = (Kernel("embedding_forward", EmbeddingForwardArgs),)
EMBEDDING_BACKWARD = (Kernel("embedding_backward", EmbeddingBackwardArgs),)
