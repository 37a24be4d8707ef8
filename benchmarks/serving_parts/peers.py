"""The services to compare with, as people write them; each runs in an environment of its own.

`python peers.py fastapi|bentoml|kserve PORT MODEL.joblib`
"""
# ruff: noqa: PLC0415  (each peer has an environment of its own)

import sys
from typing import Any

FEATURES = [f"f{i}" for i in range(20)]


def fastapi(model: Any, port: int) -> None:
    """FastAPI with pydantic rows and a plain function."""
    import numpy as np
    import uvicorn
    from fastapi import FastAPI
    from pydantic import BaseModel

    class Rows(BaseModel):
        rows: list[dict[str, float]]

    app = FastAPI()

    def predict(body: Rows) -> dict[str, Any]:
        p = model.predict_proba(np.array([[row[f] for f in FEATURES] for row in body.rows]))
        return {"predictions": p.argmax(1).tolist(), "probabilities": p.tolist()}

    predict.__annotations__["body"] = Rows
    app.post("/predict")(predict)
    app.get("/readyz")(lambda: {"ready": True})
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


def bentoml(model: Any, port: int) -> None:
    """BentoML's own API with its defaults, on one uvicorn worker."""
    import bentoml as library
    import numpy as np
    import uvicorn
    from pydantic import BaseModel

    class Rows(BaseModel):
        rows: list[dict[str, float]]

    class Answer(BaseModel):
        predictions: list[int]
        probabilities: list[list[float]]

    class Peer:
        @library.api(route="/predict")
        def predict(self, body: Rows) -> Answer:
            p = model.predict_proba(np.array([[row[f] for f in FEATURES] for row in body.rows]))
            return Answer(predictions=p.argmax(1).tolist(), probabilities=p.tolist())

    app = library.service(name="peer")(Peer).to_asgi(is_main=True)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


def kserve(model: Any, port: int) -> None:
    """A KServe model server that speaks V2."""
    import numpy as np
    from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer

    class Peer(Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__("peer")
            self.ready = True

        def predict(self, payload: InferRequest, *_: Any, **__: Any) -> InferResponse:
            p = model.predict_proba(payload.inputs[0].as_numpy())
            output = InferOutput(name="p", shape=list(p.shape), datatype="FP64", data=np.ravel(p).tolist())
            return InferResponse(model_name="peer", infer_outputs=[output], response_id=payload.id)

    ModelServer(http_port=port, enable_grpc=False, workers=1).start([Peer()])


if __name__ == "__main__":
    import joblib

    name, port, path = sys.argv[1:]
    {"fastapi": fastapi, "bentoml": bentoml, "kserve": kserve}[name](joblib.load(path), int(port))
