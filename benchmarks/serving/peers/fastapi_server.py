"""FastAPI as its tutorial has it: a model of the request, a plain function, a session for each member."""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI
from graphs import Members
from pydantic import BaseModel

app = FastAPI()
members = Members()


class Tensor(BaseModel):
    name: str
    shape: list[int]
    datatype: str
    data: list[float]


class InferRequest(BaseModel):
    inputs: list[Tensor]


class InferResponse(BaseModel):
    model_name: str
    outputs: list[Tensor]


@app.post("/infer")
def infer(request: InferRequest) -> InferResponse:
    probabilities = members(request.inputs[0].data)
    tensor = Tensor(
        name="probabilities", shape=list(probabilities.shape), datatype="FP32", data=probabilities.ravel().tolist()
    )
    return InferResponse(model_name="portfolio", outputs=[tensor])


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
