"""Fitted models as graphs of ONNX."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import json
import warnings

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skrnn._classifier import RNNClassifier
from skrnn._forecaster import LSTMForecaster
from skrnn._language_model import LSTMLanguageModel
from skrnn._regressor import RNNRegressor
from skrnn._tagger import LSTMTagger
from skrnn._translator import Seq2SeqTranslator
from skrnn._version import __version__
from skrnn.export._forecaster import add_forecaster
from skrnn.export._graph import Graph
from skrnn.export._inputs import split_model
from skrnn.export._network import add_network
from skrnn.export._steps import add_transformer
from skrnn.preprocessing import PerStep

DOC = (
    "X holds sequences padded to one length, lengths says how many steps of each count. "
    "Written by skrnn."
)


def to_onnx(model):
    """Write a fitted model as a graph of ONNX.

    The graph reads ``X`` of shape (batch, time, n_features), float64, and ``lengths`` of shape
    (batch,), int64: sequences padded to one length, with anything behind their ends. Where the
    model reads tokens, ``X`` holds their ids, int64, of shape (batch, time, n_columns); any id that
    `fit` did not know is an unknown token. :func:`onnx_inputs` makes both of what `predict` takes.
    The metadata of the graph have the vocabularies, as JSON, under ``"vocabularies"``.

    Parameters
    ----------
    model : estimator, Pipeline or search
        Fitted `RNNClassifier`, `RNNRegressor`, `LSTMTagger` without a CRF, `LSTMForecaster` without
        covariates, or `LSTMLanguageModel`; a `Pipeline` of `PerStep` transformers and one of these;
        or a search over such models, whose `best_estimator_` is taken.

    Returns
    -------
    onnx.ModelProto
        Model of opset 18, whose outputs are, for

        - a classifier: ``label`` (batch,) and ``probabilities`` (batch, n_classes); fitted to a
          matrix of labels, ``label`` is such a matrix;
        - a regressor: ``prediction`` as from `predict`, float64;
        - a tagger: ``label`` (batch, time), empty behind the ends, and ``probabilities`` (batch,
          time, n_classes), NaN behind the ends;
        - a forecaster: ``forecast`` (batch, horizon, n_targets), float64; also ``quantiles``
          (batch, horizon, n_targets, n_quantiles), or ``mean`` and ``std``, by its loss;
        - a language model: ``log_probabilities`` (batch, steps, n_tokens) of what comes next, one
          row after each token and, where sequences have a start, one before the first; NaN behind
          the ends. Columns are the tokens by their ids, the end where there is one, and the unknown
          token.

    Raises
    ------
    ValueError
        If ONNX has no nodes for a part of the model, such as a CRF or a beam search.

    ImportError
        If onnx is not installed.

    Warns
    -----
    UserWarning
        If a tagger has a tag scheme: ``label`` is then left out, since `predict` searches for the
        best sequence of labels that the scheme allows, for which ONNX has no node.

    Notes
    -----
    The recurrent nodes compute in float32, whatever the `dtype` of the model, because onnxruntime
    has none in float64; scaling of X and y is computed in float64.

    See Also
    --------
    onnx_inputs : Make the inputs of the graph.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn import RNNClassifier
    >>> from skrnn.export import to_onnx
    >>> X = [np.ones((4, 2)), np.zeros((7, 2))]
    >>> model = RNNClassifier((16,), max_iter=5, n_iter_no_change=np.inf).fit(X, ["a", "b"])
    >>> [output.name for output in to_onnx(model).graph.output]  # doctest: +SKIP
    ['label', 'probabilities']
    """
    transformers, estimator = split_model(model)
    add = ADDERS.get(type(estimator))
    if add is None:
        _refuse(estimator)
    check_is_fitted(model)
    plan = estimator._check_whole()
    if getattr(plan, "characters", None) is not None:
        raise ValueError(
            "subwords='chars' cannot be exported: a graph gets ids of words, and ONNX has no node "
            "that makes characters of them. Fit with subwords=True, or use predict, or a file of "
            "skops."
        )
    graph, metadata = Graph(), {"skrnn": __version__}
    if plan.embedding is None:
        width = transformers[0].n_features_in_ if transformers else estimator._step_width
        if transformers and isinstance(transformers[0], PerStep):
            width = transformers[0]._step_width
        values = graph.input("X", np.float64, ["batch", "time", width])
    else:
        if transformers:
            raise ValueError(
                f"{type(transformers[0]).__name__} cannot be exported: it stands before a network "
                "of tokens, and ONNX has no node that makes tokens. Export the last step alone, "
                "and pass it what the steps before make."
            )
        values = graph.input("X", np.int64, ["batch", "time", len(estimator._token_counts)])
        metadata["vocabularies"] = json.dumps(_vocabularies(estimator))
    lengths = graph.input("lengths", np.int64, ["batch"])
    for transformer in transformers:
        values = add_transformer(graph, transformer, values)
    add(graph, estimator, plan, values, lengths)
    return graph.model(DOC, metadata)


def _refuse(estimator):
    name = type(estimator).__name__
    if type(estimator) is Seq2SeqTranslator:
        raise ValueError(
            "Seq2SeqTranslator cannot be exported: a beam search goes on until hypotheses end, for "
            "which ONNX has no node. Use predict, or a file of skops."
        )
    raise ValueError(
        f"{name} cannot be exported: to_onnx takes {', '.join(make.__name__ for make in ADDERS)}, "
        "alone, as the last step of a Pipeline, or in a search."
    )


def _vocabularies(estimator):
    """Return what each column of ids looks at and knows, for JSON; [] for ids of the user's own."""
    found = getattr(estimator, "_vocabularies", None)
    if found is None:
        return []
    return [
        {
            "part": column.part, "length": column.length, "lowercase": column.lowercase,
            "ids": known,
        }
        for column, known in zip(found.columns, found.known, strict=True)
    ]  # fmt: skip


def _rows(graph, ids, counts, unknown=None):
    """Return rows of embeddings of ids: what `fit` did not know has the last row of its column.

    Parameters
    ----------
    graph : Graph
    ids : str
        int64, (batch, time, n_columns).
    counts : ndarray of shape (n_columns,)
        Known ids.
    unknown : ndarray of shape (n_columns,), default=None
        Row of unknown tokens; None takes `counts`.
    """
    counts = np.asarray(counts, dtype=np.int64)
    below = graph.add("Less", ids, np.int64(0))
    above = graph.add("GreaterOrEqual", ids, counts)
    wrong = graph.add("Or", below, above)
    return graph.add("Where", wrong, counts if unknown is None else unknown, ids)


def _outputs(graph, estimator, plan, values, lengths):
    if plan.embedding is not None:
        values = _rows(graph, values, estimator._token_counts)
    elif getattr(estimator, "_input_scale", None) is not None:
        values = graph.add("Sub", values, estimator._input_center)
        values = graph.add("Div", values, estimator._input_scale)
    return add_network(graph, plan, estimator._params, values, lengths)


def _add_labels(graph, classes, codes, shape, real=None):
    """Add the output `label`; steps that are not `real` have none, where the type has such."""
    classes = np.asarray(classes)
    kinds = {"U": str, "b": bool, "i": np.int64, "u": np.int64, "f": np.float64}
    kind = kinds.get(classes.dtype.kind)
    if kind is None and all(isinstance(label, str) for label in classes.tolist()):
        kind = str
    if kind is None:
        raise ValueError(
            f"Classes of the type {type(classes[0]).__name__} cannot be exported: ONNX has "
            "strings, numbers and truth values. Fit to labels of one of these."
        )
    table = classes if kind is str else classes.astype(kind)
    labels = graph.add("Gather", table, codes, axis=0)
    if real is not None and kind is not bool:
        nothing = {str: np.array("", dtype=object), np.int64: np.int64(-1)}
        labels = graph.add("Where", real, labels, nothing.get(kind, np.float64(np.nan)))
    graph.output("label", labels, kind, shape)


def _add_classifier(graph, estimator, plan, values, lengths):
    outputs = _outputs(graph, estimator, plan, values, lengths)
    shape = ["batch", plan.n_outputs]
    if estimator._is_multilabel():
        found = graph.add("GreaterOrEqual", outputs, np.float32(0))
        graph.output("label", graph.cast(found, np.int64), np.int64, shape)
        graph.output("probabilities", graph.add("Sigmoid", outputs), np.float32, shape)
        return
    codes = graph.add("ArgMax", outputs, axis=1, keepdims=0)
    _add_labels(graph, estimator.classes_, codes, ["batch"])
    graph.output("probabilities", graph.add("Softmax", outputs, axis=1), np.float32, shape)


def _add_regressor(graph, estimator, plan, values, lengths):
    outputs = graph.cast(_outputs(graph, estimator, plan, values, lengths), np.float64)
    loss = estimator._architecture["loss"]
    if loss not in ("squared_error", "absolute_error", "quantile", "poisson"):
        raise ValueError(f"An RNNRegressor with loss={loss!r} cannot be exported.")
    if loss == "poisson":
        found = graph.add("Mul", graph.add("Exp", outputs), estimator._target_scale)
    else:
        found = graph.add("Mul", outputs, estimator._target_scale)
        found = graph.add("Add", found, estimator._target_center)
    shape = ["batch", plan.n_outputs]
    if estimator._y_ndim == 1:
        found, shape = graph.add("Squeeze", found, graph.ints(1)), ["batch"]
    graph.output("prediction", found, np.float64, shape)


def _add_tagger(graph, estimator, plan, values, lengths):
    if estimator._has_crf():
        raise ValueError(
            "A tagger with crf=True cannot be exported: the best sequence of labels is found by a "
            "search over all steps, for which ONNX has no node. Fit with crf=False, or use a file "
            "of skops."
        )
    outputs = _outputs(graph, estimator, plan, values, lengths)
    real = graph.mask(values, lengths)
    if estimator.tag_scheme_ is None:
        codes = graph.add("ArgMax", outputs, axis=2, keepdims=0)
        _add_labels(graph, estimator.classes_, codes, ["batch", "time"], real)
    else:
        warnings.warn(
            f"The graph has no output 'label': predict looks for the best sequence of labels that "
            f"{estimator.tag_scheme_} allows, for which ONNX has no node. Take the output "
            "'probabilities', or fit with tag_scheme=None.",
            UserWarning,
            stacklevel=3,
        )
    _add_steps(graph, "probabilities", graph.add("Softmax", outputs, axis=2), real, plan, "time")


def _add_steps(graph, name, found, real, plan, time):
    """Add an output of numbers per step, NaN behind the ends."""
    real = graph.add("Unsqueeze", real, graph.ints(2))
    found = graph.add("Where", real, found, np.float32(np.nan))
    graph.output(name, found, np.float32, ["batch", time, plan.n_outputs])


def _add_language_model(graph, estimator, plan, values, lengths):
    symbols = estimator._special_tokens
    unknown = np.array([symbols.unk])
    ids, time = _rows(graph, values, [symbols.n_known], unknown), "time"
    if symbols.bounded:
        size = graph.add("Concat", graph.dimension(values, 0), graph.ints(1, 1), axis=0)
        start = graph.add("Expand", np.full((1, 1, 1), symbols.n_known), size)
        ids, time = graph.add("Concat", start, ids, axis=1), "steps"
        lengths = graph.add("Add", lengths, np.int64(1))
    outputs = add_network(graph, plan, estimator._params, ids, lengths)
    found = graph.add("LogSoftmax", outputs, axis=2)
    _add_steps(graph, "log_probabilities", found, graph.mask(ids, lengths), plan, time)


ADDERS = {
    RNNClassifier: _add_classifier,
    RNNRegressor: _add_regressor,
    LSTMTagger: _add_tagger,
    LSTMForecaster: add_forecaster,
    LSTMLanguageModel: _add_language_model,
}
