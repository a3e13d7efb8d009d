"""Bad input: an error that says what and where, and the earlier fit stays what it was."""

import pickle

import numpy as np
import pandas as pd
import pytest
from problems import first_step, means
from scipy.sparse import csr_matrix

from skrnn import (
    LSTMLanguageModel,
    LSTMTagger,
    RNNClassifier,
    RNNRegressor,
    Seq2SeqTranslator,
)
from skrnn.preprocessing import PerStep, TokenEncoder

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, Y = first_step(30)
BOTH = pytest.mark.parametrize("make", [RNNClassifier, RNNRegressor])


def quick(make=RNNClassifier, **params):
    return make(**{"hidden_layer_sizes": (6,), "max_iter": 2, "random_state": 0, **params})


def fitted(make=RNNClassifier, **params):
    return quick(make, **params).fit(X, Y if make is RNNClassifier else means(30)[1])


def snapshot(model):
    return pickle.dumps({**vars(model), "_plan": None}), model.predict(X).tobytes()


def refuses(model, error, message, call):
    """Check the error, and that an earlier fit predicts the same bytes after it."""
    before = snapshot(model)
    with pytest.raises(error, match=message) as caught:
        call(model)
    assert snapshot(model) == before
    return caught.value


def replaced(i, value, step=None, feature=0):
    changed = [x.copy() for x in X]
    if step is None:
        changed[i] = value
    else:
        changed[i][step, feature] = value
    return changed


LONG = next(i for i, x in enumerate(X) if len(x) > 4)
BAD_X = {
    "empty list": ([], ValueError, r"0 sample\(s\)"),
    "empty cube": (np.empty((0, 5, 2)), ValueError, r"0 sample\(s\)"),
    "empty sequence": (replaced(4, np.empty((0, 2))), ValueError, "sequence 4 is empty"),
    "no features": ([np.empty((3, 0))] * 30, ValueError, r"0 feature\(s\)"),
    "all padding": (np.full((30, 4, 2), np.nan), ValueError, "sequence 0 is empty"),
    "NaN": (replaced(LONG, np.nan, 2), ValueError, f"sequence {LONG} has NaN at step 2"),
    "infinity": (
        replaced(LONG, -np.inf, 3, 1),
        ValueError,
        rf"infinity.*\n?.*sequence {LONG} has it at step 3 \(feature 1\)",
    ),
    "too large": (replaced(LONG, 1e300, 3), ValueError, f"sequence {LONG} has it at step 3"),
    "string": (
        [x.tolist() for x in replaced(0, X[0])[:5]] + [[[1.0, "a"]]] + X[6:],
        TypeError,
        "sequence 5 has 'a' at step 0",
    ),
    "another width": (replaced(7, np.ones((3, 5))), ValueError, "sequence 7 has 5 features"),
    "four dimensions": (np.ones((30, 4, 2, 2)), ValueError, "dim 4"),
    "cubes in a list": (replaced(3, np.ones((3, 2, 2))), ValueError, "sequence 3 has shape"),
    "a number among sequences": (replaced(2, 3.0), TypeError, "sequence 2 is of type float"),
    "None": (None, TypeError, "NoneType"),
    "a number": (3.0, TypeError, "float"),
    "a string": ("abc", TypeError, r"\[list\(s\) for s in X\]"),
    "strings": (["abc"] * 30, TypeError, r"\[list\(s\) for s in X\]"),
    "a dict": ({"a": 1}, TypeError, "dict"),
    "bytes": ([[b"a", b"b"]] * 30, TypeError, "decode"),
    "a generator": ((x for x in X), TypeError, "generator"),
    "sparse": (csr_matrix(np.eye(30)), TypeError, "dense data is required"),
    "complex": ([x.astype(complex) for x in X], ValueError, "Complex data not supported"),
    "dates": (
        [pd.date_range("2020", periods=3).to_numpy()] * 30,
        TypeError,
        "not a type of numbers",
    ),
}


@BOTH
@pytest.mark.parametrize("name", BAD_X)
def test_bad_x(make, name):
    bad, error, message = BAD_X[name]
    model = fitted(make)
    y = np.arange(30) % 2
    if name != "a generator":
        refuses(model, error, message, lambda m: m.predict(bad))
    refuses(model, error, message, lambda m: m.fit(bad, y))
    refuses(model, error, message, lambda m: m.partial_fit(bad, y))
    with pytest.raises(error, match=message):
        quick(make).fit(bad, y)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba"])
def test_other_features_at_predict(method):
    message = "X has 3 features, but RNNClassifier is expecting 2 features as input"
    bad = [np.ones((4, 3))] * 2
    refuses(fitted(), ValueError, message, lambda m: getattr(m, method)(bad))
    rows = quick().fit(np.ones((30, 4)) * np.arange(30)[:, np.newaxis], Y)
    with pytest.raises(ValueError, match="X has 5 features, but RNNClassifier is expecting 4"):
        getattr(rows, method)(np.ones((3, 5)))


def test_strings_and_numbers_do_not_replace_one_another():
    model = fitted()
    refuses(model, TypeError, "X holds strings", lambda m: m.predict([["a", "b"]]))
    tokens = quick().fit([["a"], ["b"]], [0, 1])
    with pytest.raises(TypeError, match="X holds numbers"):
        tokens.predict([np.ones((3, 2))])


BAD_Y = {
    "too few": (lambda y: y[:-1], "X has 30 sequences and y has 29 targets"),
    "none at all": (lambda y: [], "X has 30 sequences and y has 0 targets"),
    "None": (lambda y: None, "requires y to be passed, but the target y is None"),
    "NaN": (lambda y: np.where(np.arange(30) == 3, np.nan, 1.0), "contains NaN"),
    "infinity": (lambda y: np.where(np.arange(30) == 3, np.inf, 1.0), "contains infinity"),
}


@BOTH
@pytest.mark.parametrize("name", BAD_Y)
def test_bad_y(make, name):
    change, message = BAD_Y[name]
    model = fitted(make)
    refuses(model, ValueError, message, lambda m: m.fit(X, change(Y)))
    refuses(model, ValueError, message, lambda m: m.partial_fit(X, change(Y)))


@pytest.mark.parametrize("y", [["a"] * 30, np.zeros(30, int)])
def test_one_class(y):
    refuses(fitted(), ValueError, "at least 2 classes.*only one class", lambda m: m.fit(X, y))


Y_TABLE = np.arange(60).reshape(30, 2)


def far_at(i):
    """Return targets of which one leaves float32 at the scale of the others."""
    return np.where(np.arange(30) == i, 1e60, 1.0)


def test_targets_of_another_kind():
    refuses(fitted(), ValueError, "Unknown label type", lambda m: m.fit(X, np.linspace(0, 1, 30)))
    refuses(fitted(), ValueError, "y should be a 1d array", lambda m: m.fit(X, Y_TABLE))
    refuses(
        fitted(), ValueError, r"does not know: \[0 1\]", lambda m: m.partial_fit(X, [0, 1] * 15)
    )
    model = fitted(RNNRegressor)
    refuses(model, TypeError, "y has 'down' for sequence 0, where a num", lambda m: m.fit(X, Y))
    refuses(model, ValueError, "y has 2 outputs", lambda m: m.partial_fit(X, np.ones((30, 2))))
    refuses(model, ValueError, "sequence 3 .*too far from", lambda m: m.partial_fit(X, far_at(3)))


BAD_WEIGHTS = {
    "negative": (np.r_[np.ones(29), -1.0], "not negative; it is -1.0 for sequence 29"),
    "NaN": (np.r_[np.ones(29), np.nan], "it is nan for sequence 29"),
    "infinity": (np.r_[np.inf, np.ones(29)], "it is inf for sequence 0"),
    "too short": (np.ones(29), r"sample_weight.shape == \(29,\), expected \(30,\)"),
    "two columns": (np.ones((30, 2)), "1D array or scalar"),
    "all zero": (np.zeros(30), "adds up to 0.0"),
    "sum overflows": (np.full(30, 1e308), "adds up to inf"),
    "strings": (np.array(["a"] * 30), "has 'a' for sequence 0, where a number is expected"),
}


@BOTH
@pytest.mark.parametrize("name", BAD_WEIGHTS)
def test_bad_sample_weight(make, name):
    weight, message = BAD_WEIGHTS[name]
    model = fitted(make)
    y = Y if make is RNNClassifier else means(30)[1]
    errors = (TypeError, ValueError)
    refuses(model, errors, message, lambda m: m.fit(X, y, sample_weight=weight))
    refuses(model, errors, message, lambda m: m.partial_fit(X, y, sample_weight=weight))


def test_nothing_left_to_learn_from_after_holding_out():
    weight = np.zeros(30)
    weight[0] = 1
    model = quick(RNNRegressor, early_stopping=True)
    with pytest.raises(ValueError, match="part have weight 0"):
        model.fit(X, np.arange(30.0), sample_weight=weight)


# Parameters

SILLY = {
    "hidden_layer_sizes": [0, -1, 2.5, None, "64", (), [], (0,), (3, -1), (2.5,), ("a",), [[3]]],
    "activation": ["identity", None, 1],
    "solver": ["lbfgs", "rmsprop", None, 3],
    "alpha": [-1, np.nan, np.inf, None, "a"],
    "batch_size": [0, -3, 2.5, "full", None],
    "learning_rate": ["cosine", 0.1, None],
    "learning_rate_init": [0, -1, np.nan, np.inf, None, "a"],
    "power_t": [-1, np.nan, "a"],
    "max_iter": [0, -1, 1.5, None, np.inf],
    "shuffle": ["yes", 2, None],
    "random_state": [-1, "a", 1.5],
    "tol": [-1, np.nan, None],
    "verbose": ["yes", -1, None],
    "warm_start": ["yes", None],
    "momentum": [-0.1, 1.1, np.nan],
    "nesterovs_momentum": ["yes", None],
    "early_stopping": ["yes", None],
    "validation_fraction": [0, 1, -1, 2, np.nan],
    "beta_1": [-0.1, 1, np.nan],
    "beta_2": [-0.1, 1, np.nan],
    "epsilon": [0, -1, np.nan],
    "n_iter_no_change": [0, -1, 1.5, None],
    "cell": ["LSTM", "transformer", None],
    "bidirectional": ["yes", None],
    "pooling": ["all", "sum", None, (), ("last", "sum"), ("max", "max")],
    "dropout": [-0.1, 1, np.nan, None],
    "recurrent_dropout": [-0.1, 1, np.nan, None],
    "max_grad_norm": [0, -1, np.nan, np.inf, "a"],
    "bptt_steps": [0, -1, 1.5, "a"],
    "embedding_dim": [0, -1, 1.5, "a"],
    "dtype": ["float16", "int32", int, None],
    "class_weight": ["even", 3, [1, 2]],
    "scoring": [3, ["accuracy"]],
    "subwords": ["yes", None],
    "min_freq": [0, -1, 1.5, None],
    "word_dropout": [-0.1, 1, np.nan, None],
    "embeddings": [3, ["the"]],
    "freeze_embeddings": ["yes", None],
    "embeddings_vocabulary": ["file", None],
    "scaling": ["series", 1.0],
}


def test_silly_values_cover_all_parameters():
    assert set(SILLY) == set(RNNClassifier().get_params())


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in SILLY.items() for value in values]
)
def test_silly_parameters(name, value):
    model = fitted()
    before = model.predict(X).tobytes()
    with pytest.raises((TypeError, ValueError), match=name):
        model.set_params(**{name: value}).fit(X, Y)
    assert model.predict(X).tobytes() == before
    with pytest.raises((TypeError, ValueError), match=name):
        quick(**{name: value}).fit(X, Y)


@pytest.mark.parametrize(
    "params",
    [
        {"hidden_layer_sizes": (1,)},
        {"hidden_layer_sizes": (1, 1, 1, 1, 1)},
        {"alpha": 1e30},
        {"alpha": 0},
        {"batch_size": 1},
        {"learning_rate_init": 1e-300},
        {"learning_rate_init": 1e300},
        {"power_t": 1e3, "learning_rate": "invscaling", "solver": "sgd"},
        {"momentum": 1.0, "solver": "sgd"},
        {"beta_1": 0, "beta_2": 0},
        {"beta_1": 0.999999999, "beta_2": 0.999999999},
        {"epsilon": 1e-300},
        {"epsilon": 1e300},
        {"dropout": 0.999999},
        {"recurrent_dropout": 0.999999},
        {"max_grad_norm": 1e-300},
        {"max_grad_norm": 1e300},
        {"bptt_steps": 1},
        {"bptt_steps": 10**9},
        {"embedding_dim": 5},
        {"tol": 0},
        {"random_state": 2**32 - 1},
    ],
)
def test_extreme_parameters_end_finite_or_in_an_error(params):
    model = quick(max_iter=3).set_params(**params)
    sequences = [np.abs(x).astype(int) for x in X] if "embedding_dim" in params else X
    try:
        model.fit(sequences, Y)
    except ValueError as error:
        assert "diverges" in str(error) or "overflows" in str(error)  # noqa: PT017
        assert not hasattr(model, "classes_")
    else:
        assert np.isfinite(model._params).all()
        assert np.isfinite(model.predict_proba(sequences)).all()
        model.partial_fit(sequences, Y)


def test_a_network_too_large_for_any_memory():
    with pytest.raises((MemoryError, ValueError, OverflowError)):
        quick(hidden_layer_sizes=(10**15,)).fit(X, Y)


def test_token_ids():
    model = quick(embedding_dim=3)
    for bad, message in (
        ([np.array([0, -2])] * 4, "sequence 0 has -2 at step 1"),
        ([np.array([0.0, 0.5])] * 4, "sequence 0 has 0.5 at step 1"),
        ([np.array([0.0, np.nan])] * 4, "sequence 0 has NaN at step 1"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(bad, [0, 1, 0, 1])
    assert not hasattr(model, "n_features_in_")


LARGE_IDS = [2_000_000, 2**53 + 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1, 2**70, 1e300]


@pytest.mark.parametrize("number", LARGE_IDS)
@pytest.mark.parametrize("make", [list, np.array])
def test_ids_of_a_table_that_would_be_empty(make, number):
    ids = [make([0, 1]), make([1, number, 0])] * 5
    message = r"sequence 1 has the token id .* at step 1 .* 3 different ids .*OrdinalEncoder"
    for model, y in ((quick(embedding_dim=3), [0, 1] * 5), (quick(LSTMLanguageModel), None)):
        with pytest.raises(ValueError, match=message):
            model.fit(ids, y)
        assert not hasattr(model, "n_features_in_")


def test_large_ids_beside_a_vocabulary():
    for large, named in (([0, 2**62], [0, 1]), ([0, 1], [0, 2**62])):
        for model, known in (
            (quick(embedding_dim=3), {"y": [0, 1], "classes": [0, 1]}),
            (quick(LSTMLanguageModel), {}),
        ):
            with pytest.raises(ValueError, match=r"id 4611686018427387904.* different ids"):
                model.partial_fit([large, [1, 0]], vocabulary=named, **known)


def test_large_ids_are_unknown_after_fit():
    model = quick(embedding_dim=3).fit([[0, 1], [1, 0, 1]] * 5, [0, 1] * 5)
    unknown = model.predict_proba([[1, -1, 0]])
    for number in LARGE_IDS:
        np.testing.assert_array_equal(model.predict_proba([[1, number, 0]]), unknown)


def test_ids_may_have_gaps():
    for ids in (np.array([0, 100_000]), np.arange(0, 300_000, 60)):
        model = quick(embedding_dim=1, hidden_layer_sizes=(1,)).fit([ids, ids[:1]], [0, 1])
        assert len(model.weights_["embedding_weight"]) == ids.max() + 2
    small = [np.array([0, 100], dtype=np.int8), np.array([True, False])]
    assert quick(embedding_dim=1).fit(small[:1] * 2, [0, 1]).predict(small[1:]).shape == (1,)


ROWS = [["0.11", "0.52", "0.93"], ["0.24", "0.61"]]


@pytest.mark.parametrize(
    "rows",
    [
        ROWS,
        [[" 1", "-2e3 "], ["+.5", "inf"]],
        [["0,5", "1"], ["2", ""]],
        [np.array(x) for x in ROWS],
        pd.Series(ROWS),
        np.array([["1", "2"], ["NaN", "4"]]),
        pd.DataFrame([["1", "2"], ["NaN", "4"]]),
    ],
)
def test_numbers_that_are_strings(rows):
    y, tags = [0, 1], [[0, 1, 2][: len(x)] for x in np.asarray(rows, dtype=object)]
    for model, target in (
        (quick(), y), (quick(RNNRegressor), y), (quick(LSTMTagger), tags),
        (quick(LSTMLanguageModel), None), (quick(Seq2SeqTranslator), tags), (TokenEncoder(), None),
    ):  # fmt: skip
        with pytest.warns(UserWarning, match="number in writing.*convert the sequences first"):
            model.fit(rows, target)


@pytest.mark.filterwarnings("error:Every string")
def test_tokens_that_are_not_all_numbers():
    for rows in ([["1", "2", "x"], ["3"]], [["", "na"], ["nan"]], [["2024-01-05"], ["1.2.3"]]):
        TokenEncoder().fit(rows)


def test_tables_of_sequences():
    series = [np.arange(3.0), np.arange(2.0)]
    several = pd.DataFrame({"a": series, "b": series})
    for table in (several, several.assign(a=[1, 2])):
        for read in (lambda X: quick().fit(X, [0, 1]), PerStep("passthrough").fit):
            with pytest.raises(TypeError, match=r"table of 2 columns .*numpy\.column_stack"):
                read(table)
    model = quick().fit([np.column_stack(row) for row in several.to_numpy()], [0, 1])
    assert model.n_features_in_ == 2
    with pytest.raises(TypeError, match="sequence 0 is of type NoneType"):
        quick().fit(pd.DataFrame({"a": [None, *series]}), [0, 1, 0])
