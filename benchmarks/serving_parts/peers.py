"""The services to compare with, as people write them; each runs in an environment of its own.

`python peers.py fastapi|bentoml|kserve|mlserver PORT DATA.npz logistic|forest`
"""
# ruff: noqa: PLC0415  (each peer has an environment of its own)

import sys
from typing import Any

FEATURES = [f"f{i}" for i in range(20)]


def fitted(data: Any, name: str) -> Any:
    """Return the pipeline, fitted with this environment's scikit-learn."""
    import numpy as np
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    estimators = {
        "logistic": LogisticRegression(max_iter=500),
        "forest": RandomForestClassifier(100, max_depth=10, random_state=0),
    }
    rows = np.load(data)
    return make_pipeline(StandardScaler(), estimators[name]).fit(rows["x"], rows["y"])


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

    quiet = {"enable_latency_logging": False, "enable_grpc": False}
    ModelServer(http_port=port, workers=1, **quiet).start([Peer()])


def mlserver(model: Any, port: int) -> None:
    """MLServer's scikit-learn runtime, as its documentation sets it up, in this process."""
    import json
    import os
    import tempfile
    from pathlib import Path

    import joblib

    folder = Path(tempfile.mkdtemp(prefix="mlserver-"))
    joblib.dump(model, folder / "model.joblib")
    ports = {"http_port": port, "grpc_port": port + 1, "metrics_port": port + 2}
    settings = {"host": "127.0.0.1", "parallel_workers": 0, "debug": False, **ports}
    (folder / "settings.json").write_text(json.dumps(settings))
    named = {"name": "peer", "implementation": "mlserver_sklearn.SKLearnModel"}
    server_settings = {**named, "parameters": {"uri": "./model.joblib"}}
    (folder / "model-settings.json").write_text(json.dumps(server_settings))
    program = str(Path(sys.executable).with_name("mlserver"))
    os.execv(program, [program, "start", str(folder)])


if __name__ == "__main__":
    peer, port, data, name = sys.argv[1:]
    servers = {"fastapi": fastapi, "bentoml": bentoml, "kserve": kserve, "mlserver": mlserver}
    servers[peer](fitted(data, name), int(port))
