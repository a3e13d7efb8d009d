"""Transformers of steps in front of a network, in nodes of ONNX.

Scalers become a subtraction, a multiplication and an addition; what is no scaler goes through the
converters of skl2onnx, where that is installed.
"""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)

from skrnn.preprocessing import PerStep


def add_transformer(graph, transformer, values):
    """Add a fitted transformer of a pipeline.

    Parameters
    ----------
    graph : Graph
    transformer : PerStep
    values : str
        float64, (batch, time, n_features).

    Returns
    -------
    str
        float64, (batch, time, n_features_out).

    Raises
    ------
    ValueError
        For a transformer that no node stands for.
    """
    if transformer is None or transformer == "passthrough":
        return values
    if type(transformer) is not PerStep:
        raise ValueError(
            f"{type(transformer).__name__} cannot be exported: of the transformers of sequences "
            "only PerStep has nodes of ONNX. Export the steps behind it, and transform sequences "
            "before."
        )
    return _add_inner(graph, transformer.transformer_, values)


def _add_inner(graph, inner, values):
    """Add a transformer of tables that has been given tables of steps."""
    if isinstance(inner, str) or inner is None:
        return values
    if type(inner) is Pipeline:
        for _, step in inner.steps:
            values = _add_inner(graph, step, values)
        return values
    if type(inner) is FunctionTransformer and inner.func is None:
        return values
    if (nodes := _nodes_of_scaler(inner)) is None:
        return _add_converted(graph, inner, values)
    for operator, *numbers in nodes:
        numbers = [np.asarray(number, dtype=np.float64) for number in numbers if number is not None]
        if numbers:
            values = graph.add(operator, values, *numbers)
    return values


def _nodes_of_scaler(inner):
    """Return what a scaler does, one after another: (operator, number or None); None for others."""
    if type(inner) is StandardScaler:
        return ("Sub", inner.mean_ if inner.with_mean else None), ("Div", inner.scale_)
    if type(inner) is RobustScaler:
        return (
            ("Sub", inner.center_ if inner.with_centering else None),
            ("Div", inner.scale_ if inner.with_scaling else None),
        )
    if type(inner) is MaxAbsScaler:
        limits = (-1, 1) if getattr(inner, "clip", False) else ()
        return ("Div", inner.scale_), ("Clip", *limits)
    if type(inner) is MinMaxScaler:
        limits = inner.feature_range if inner.clip else ()
        return ("Mul", inner.scale_), ("Add", inner.min_), ("Clip", *limits)
    return None


def _add_converted(graph, inner, values):
    """Add what skl2onnx makes of a transformer: its table has the steps of all sequences."""
    name = type(inner).__name__
    try:
        import skl2onnx
        from skl2onnx.common.data_types import DoubleTensorType
    except ImportError as error:
        raise ImportError(
            f"PerStep({name}) is no scaler that to_onnx knows, and skl2onnx, which knows more "
            "transformers, is not installed: pip install skl2onnx."
        ) from error
    table = DoubleTensorType([None, inner.n_features_in_])
    try:
        model = skl2onnx.to_onnx(inner, initial_types=[("X", table)], target_opset=graph.opsets[""])
    except Exception as error:  # of skl2onnx, of many kinds
        raise ValueError(f"PerStep({name}) cannot be exported: skl2onnx says: {error}") from error
    part = graph.onnx.compose.add_prefix(model, graph.name("steps") + "_").graph
    if len(part.input) != 1 or len(part.output) != 1:
        raise ValueError(f"PerStep({name}) cannot be exported: it has not one table as its output.")
    rows = graph.add("Reshape", values, graph.ints(-1, inner.n_features_in_))
    graph.nodes.append(graph.onnx.helper.make_node("Identity", [rows], [part.input[0].name]))
    graph.nodes.extend(part.node)
    graph.constants.extend(part.initializer)
    for opset in model.opset_import:
        graph.opsets.setdefault(opset.domain, opset.version)
    made = graph.cast(part.output[0].name, np.float64)
    shape = graph.add("Slice", graph.add("Shape", values), graph.ints(0), graph.ints(2))
    return graph.add("Reshape", made, graph.add("Concat", shape, graph.ints(-1), axis=0))
