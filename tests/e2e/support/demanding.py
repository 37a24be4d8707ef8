"""A version that is fine by itself and refuses every caller: it wants a column that nobody sends."""

from pathlib import Path

from onnx import TensorProto, helper

from assay_artifact import Feature, Manifest, write


def demanding(out: Path) -> tuple[Path, str]:
    """Write the artifact; return its folder and its digest."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 1])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 2])
    weights = helper.make_tensor("w", TensorProto.FLOAT, [1, 2], [1.0, -1.0])
    nodes = [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Softmax", ["z"], ["y"])]
    graph = helper.make_graph(nodes, "g", [x], [y], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    manifest = Manifest(
        model="churn",
        version="demanding",
        task="Classification",
        format="onnx",
        file="model.onnx",
        features=(Feature(name="loyalty", type="number", nullable=False),),
        classes=("no", "yes"),
    )
    files = {"model.onnx": model.SerializeToString()}
    written = write(f"file://{out / 'demanding'}", files, manifest)
    return Path(written.uri.removeprefix("file://")), written.digest
