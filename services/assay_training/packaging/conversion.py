"""From a fitted pipeline to ONNX, which answers a row in a hundredth of the time.

Not every pipeline can be converted, and not every conversion is right: what comes out here has to pass
`parity` before it may be served.
"""

import warnings
from functools import cache
from typing import Any, Protocol

import numpy as np
import pandas
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline

from assay_training.data.columns import Inputs

OPSET = {"": 18, "ai.onnx.ml": 3}


class NotConvertibleError(Exception):
    """The pipeline has no ONNX form; the message says why."""


def onnx(model: Pipeline, inputs: Inputs, name: str) -> bytes:
    """The pipeline as an ONNX graph with one input of shape (rows, 1) for each feature, named like it.

    Numbers are float32; null is NaN in a number and the empty string in a category.

    Raises:
        NotConvertibleError: There is no converter for a part of it.
    """
    from skl2onnx import convert_sklearn  # noqa: PLC0415  (a second, which only fitted models need)

    if inputs.text:
        raise NotConvertibleError("words are split otherwise in ONNX")
    _repair_converters()
    twin = _without_fill(model)
    options = {id(twin): {"zipmap": False}} if hasattr(model, "classes_") else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            graph = convert_sklearn(twin, name, _types(inputs), options=options, target_opset=OPSET)
    except Exception as error:
        raise NotConvertibleError(f"{type(error).__name__}: {str(error)[:200]}") from error
    content: bytes = graph.SerializeToString()
    return content


def _types(inputs: Inputs) -> list[tuple[str, Any]]:
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType  # noqa: PLC0415

    kinds = {"category": StringTensorType, "text": StringTensorType}
    return [(each.name, kinds.get(each.type, FloatTensorType)([None, 1])) for each in inputs.features]


def _without_fill(model: Pipeline) -> Pipeline:
    """The same pipeline with an encoder that fills no null categories: in ONNX they arrive filled."""
    if len(model.steps) == 1:
        names = list(model.steps[0][1].feature_names_in_)
        passing = ColumnTransformer([("numbers", "passthrough", names)])
        return Pipeline(
            [("encode", passing.fit(pandas.DataFrame([[0.0] * len(names)], columns=names))), *model.steps]
        )
    (first, encoder), *rest = model.steps
    twin = clone(encoder)
    twin.__dict__.update(encoder.__dict__)
    twin.transformers_ = [(name, _last(part), columns) for name, part, columns in encoder.transformers_]
    return Pipeline([(first, twin), *rest])


def _last(part: Any) -> Any:
    fills = isinstance(part, Pipeline) and isinstance(part.steps[0][1], SimpleImputer)
    return part.steps[-1][1] if fills and part.steps[0][1].strategy == "constant" else part


class _Container(Protocol):
    def add_node(self, op_type: str, inputs: Any, outputs: Any, **attributes: Any) -> None: ...


class _Plain:
    """A container of nodes that turns numpy's scalars and booleans into what protobuf takes.

    The converters of histogram gradient boosting mix both with integers.
    """

    def __init__(self, container: _Container) -> None:
        self._container = container

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, op_type: str, inputs: Any, outputs: Any, **attributes: Any) -> None:
        plain = {name: _plain(value) for name, value in attributes.items()}
        self._container.add_node(op_type, inputs, outputs, **plain)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, bool) else value


@cache
def _repair_converters() -> None:
    from skl2onnx import update_registered_converter  # noqa: PLC0415
    from skl2onnx._supported_operators import sklearn_operator_name_map  # noqa: PLC0415
    from skl2onnx.common._registration import get_converter, get_shape_calculator  # noqa: PLC0415

    for estimator in (HistGradientBoostingClassifier, HistGradientBoostingRegressor):
        alias = sklearn_operator_name_map[estimator]
        known = get_converter(alias)
        shapes, options = get_shape_calculator(alias), known.get_allowed_options()
        update_registered_converter(estimator, alias, shapes, _repaired(known), options=options)


def _repaired(convert: Any) -> Any:
    def repaired(scope: Any, operator: Any, container: Any) -> None:
        convert(scope, operator, _Plain(container))

    return repaired
