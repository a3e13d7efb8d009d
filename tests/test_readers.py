"""One reader: the same input means the same to every estimator, transformer and metric."""

import numpy as np
import pandas as pd
import pytest
from problems import quick
from sklearn.preprocessing import StandardScaler

from skrnn import (
    LSTMForecaster,
    LSTMLanguageModel,
    LSTMTagger,
    RNNClassifier,
    RNNRegressor,
    Seq2SeqTranslator,
)
from skrnn.preprocessing import PerStep

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
nan = np.nan

# 2-D input that ends in NaN

LENGTHS = (5, 3, 4, 5, 2, 1)
SERIES = [np.arange(n) + i * 1.5 for i, n in enumerate(LENGTHS)]
PADDED = np.array([[*x, *[nan] * (5 - len(x))] for x in SERIES])
ROWS = {
    "array": PADDED,
    "float32": PADDED.astype("f4"),
    "wider": np.pad(PADDED, ((0, 0), (0, 3)), constant_values=nan),
    "objects": np.where(np.isnan(PADDED), None, PADDED),
    "lists": PADDED.tolist(),
    "lists with None": [[None if v != v else v for v in row] for row in PADDED.tolist()],
    "DataFrame": pd.DataFrame(PADDED),
    "named": pd.DataFrame(PADDED, columns=list("abcde")),
    "nullable": pd.DataFrame(PADDED).astype("Float64"),
    "cube": PADDED[:, :, np.newaxis],
}
NUMBERS = np.array([0, 1, 0, 1, 1, 0])
STEPS = [[0, 1, 2, 1, 0][:n] for n in LENGTHS]
LEARNERS = {
    RNNClassifier: NUMBERS,
    RNNRegressor: NUMBERS,
    LSTMTagger: STEPS,
    LSTMForecaster: NUMBERS,
    Seq2SeqTranslator: STEPS,
}
EACH = pytest.mark.parametrize("make", LEARNERS)


def plain(outputs):
    return [np.asarray(output).tolist() for output in outputs]


@pytest.mark.parametrize("form", ROWS)
@EACH
def test_nan_at_the_end_of_rows_is_padding(make, form):
    y = LEARNERS[make]
    right = quick(make).fit(SERIES, y)
    model = quick(make).fit(ROWS[form], y)
    assert model.n_features_in_ == 1
    assert not hasattr(model, "feature_names_in_")
    wanted = plain(right.predict(SERIES))
    for other in (form, "array", "wider"):
        assert plain(model.predict(ROWS[other])) == wanted
    assert plain(model.predict(PADDED[:, :1])) == plain(right.predict(PADDED[:, :1]))


@pytest.mark.parametrize("form", ["array", "named", "nullable"])
def test_rows_may_end_earlier_in_predict(form):
    model = quick(RNNClassifier).fit(np.nan_to_num(PADDED), NUMBERS)
    assert model.n_features_in_ == 5
    if form == "named":
        with pytest.warns(UserWarning, match="X has feature names, but"):
            predicted = model.predict_proba(ROWS[form])
    else:
        predicted = model.predict_proba(ROWS[form])
    np.testing.assert_array_equal(predicted, model.predict_proba(SERIES))
    with pytest.raises(ValueError, match="X has 8 features, but RNNClassifier is expecting 5"):
        model.predict(ROWS["wider"])


def test_ids_in_rows_that_end_in_nan():
    ids = [x.astype(int) for x in SERIES]
    for model in (quick(RNNClassifier, embedding_dim=2), quick(LSTMLanguageModel)):
        right = model.fit(ids, NUMBERS)._params
        np.testing.assert_array_equal(model.fit(np.floor(PADDED), NUMBERS)._params, right)


@pytest.mark.parametrize("form", ROWS)
@EACH
def test_nan_inside_of_rows_is_named(make, form):
    y = LEARNERS[make]
    X = ROWS[form]
    X = X.copy() if hasattr(X, "copy") and not isinstance(X, list) else [list(x) for x in X]
    if hasattr(X, "iloc"):
        X.iloc[2, 1] = None
    else:
        X[2][1] = nan
    message = r"contains NaN\.\n(sequence|series) 2 has NaN at step 1 \(feature 0\)"
    with pytest.raises(ValueError, match=message):
        quick(make).fit(X, y)
    with pytest.raises(ValueError, match=message):
        quick(make).fit(PADDED, y).predict(X)


def test_padding_of_rows_goes_through_transformers():
    scaler = PerStep(StandardScaler()).fit(PADDED)
    flat = np.concatenate(SERIES)
    np.testing.assert_allclose(
        scaler.transform(PADDED), (PADDED - flat.mean()) / flat.std(), rtol=1e-12
    )


@pytest.mark.parametrize("where", [np.array, pd.DataFrame])
def test_numbers_among_strings_in_rows(where):
    X = where(np.array([[1.0, 2.0], [0.0, "3"]], dtype=object))
    with pytest.raises(TypeError, match="mixes strings and numbers: sequence 1 has '3' at step 1"):
        quick(RNNClassifier).fit(X, [0, 1])


def test_rows_of_dates_are_no_numbers():
    X = np.array([["2020-01-01", "2020-01-02"], ["2020-01-03", "NaT"]], dtype="M8[ns]")
    for dates in (X, pd.DataFrame(X), X - X[0, 0], X[:, :, np.newaxis]):
        with pytest.raises(TypeError, match="sequence 0 "):
            quick(RNNClassifier).fit(dates, [0, 1])
