"""The service that most people write: FastAPI, python-multipart, Pillow, ONNX Runtime.

    FILE=digits.onnx uvicorn serve_usual:app --workers 2

The usual guides read alike: a session for each process, an upload, Pillow, NumPy, the answer as a
dict. The file is one that ``beak export`` made; it prepares its own input from bytes of pixels.
"""

from __future__ import annotations

import io
import json
import os

import numpy as np
import onnxruntime
from fastapi import FastAPI, UploadFile
from PIL import Image

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(os.environ.get("THREADS", "1"))
session = onnxruntime.InferenceSession(
    os.environ["FILE"], options, providers=["CPUExecutionProvider"]
)
read = session.get_inputs()[0]
labels = json.loads(session.get_modelmeta().custom_metadata_map["labels"])
app = FastAPI()


@app.post("/predict")
async def predict(file: UploadFile) -> dict[str, object]:
    """The usual endpoint."""
    picture = Image.open(io.BytesIO(await file.read())).convert(
        "L" if read.shape[3] == 1 else "RGB"
    )
    pixels = np.asarray(picture, np.uint8).reshape(1, picture.height, picture.width, -1)
    shares = session.run(None, {read.name: pixels})[0][0]
    best = int(shares.argmax())
    return {
        "input": file.filename,
        "label": labels[best],
        "probabilities": {labels[i]: float(shares[i]) for i in np.argsort(-shares)},
    }
