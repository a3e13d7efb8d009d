"""One reader: the same input means the same to every estimator, transformer and metric."""

import enum

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from problems import quick
from scipy.sparse import csr_array
from sklearn.preprocessing import StandardScaler

from skrnn import (
    LSTMForecaster,
    LSTMLanguageModel,
    LSTMTagger,
    RNNClassifier,
    RNNRegressor,
    Seq2SeqTranslator,
)
from skrnn.metrics import (
    flatten_labels,
    sequence_error_rate,
    token_accuracy_score,
    token_accuracy_scorer,
    token_error_rate,
)
from skrnn.preprocessing import CalendarFeatures, PerSequence, PerStep, SlidingWindow

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
    expected = plain(right.predict(SERIES))
    for other in (form, "array", "wider"):
        assert plain(model.predict(ROWS[other])) == expected
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


# y and weights

X = [np.arange(n) / 4.0 for n in LENGTHS]
DATES = pd.date_range("2020-01-31", periods=6, freq="D")
ONE_EACH = {
    RNNClassifier: np.array([0, 1, 0, 1, 1, 0]),
    RNNRegressor: np.arange(6.0),
    LSTMForecaster: np.arange(6.0),
}
NO_NUMBERS = {
    "datetime64": DATES.to_numpy(),
    "Series of dates": pd.Series(DATES),
    "with a zone": DATES.tz_localize("UTC"),
    "Timestamps": list(DATES),
    "dates of Python": [date.date() for date in DATES],
    "timedelta64": DATES.to_numpy() - DATES[0].to_numpy(),
    "Timedeltas": list(DATES - DATES[0]),
    "Periods": list(DATES.to_period("M")),
    "PeriodIndex": DATES.to_period("D"),
    "no date": [pd.NaT] * 6,
}


@pytest.mark.parametrize("name", NO_NUMBERS)
@pytest.mark.parametrize("make", ONE_EACH)
def test_dates_are_no_targets(make, name):
    remedy = "Convert dates to strings" if make is RNNClassifier else "Convert dates to numbers"
    with pytest.raises(TypeError, match=f"for sequence 0.*{remedy}"):
        quick(make).fit(X, NO_NUMBERS[name])
    if make is not RNNClassifier:
        with pytest.raises(TypeError, match=r"sample_weight has .* for sequence 0"):
            quick(make).fit(X, ONE_EACH[make], sample_weight=NO_NUMBERS[name])


@pytest.mark.parametrize("make", ONE_EACH)
def test_complex_targets(make):
    for y in (np.arange(6) * 1j, [1j, 0, 1, 2, 3, 4]):
        with pytest.raises(ValueError, match="Complex data not supported"):
            quick(make).fit(X, y)


@pytest.mark.parametrize("make", [RNNRegressor, LSTMForecaster])
@pytest.mark.parametrize(
    "strings",
    [list("123456"), np.array(list("123456")), pd.Series(list("123456")), [1, 2.0, 3, "4", 5, 6]],
)
def test_strings_are_no_numbers(make, strings):
    with pytest.raises(TypeError, match=r"y has '\d' for sequence \d, .* Convert strings first"):
        quick(make).fit(X, strings)


MASKED = np.ma.masked_array(np.arange(6), mask=np.arange(6) == 4)


@pytest.mark.parametrize("make", ONE_EACH)
@pytest.mark.parametrize("masked", [MASKED, list(MASKED), MASKED.astype(float), MASKED[:, None]])
def test_masked_targets_and_weights(make, masked):
    for method in ("fit", "score"):
        model = quick(make) if method == "fit" else quick(make).fit(X, ONE_EACH[make])
        with pytest.raises(ValueError, match=r"y has masked values in sequence 4.*y\.filled"):
            getattr(model, method)(X, masked)
        with pytest.raises(ValueError, match="sample_weight has masked values in sequence 4"):
            getattr(model, method)(X, ONE_EACH[make], sample_weight=masked)


def test_what_is_not_masked_may_be_given_as_masked_array():
    y = np.ma.masked_array(ONE_EACH[RNNClassifier], mask=False)
    given, plain_y = (quick(RNNClassifier).fit(X, one)._params for one in (y, y.data))
    np.testing.assert_array_equal(given, plain_y)


def test_masked_labels_of_steps_and_tokens():
    rows = [np.ma.masked_equal(row, 2) for row in STEPS]
    for make in (LSTMTagger, Seq2SeqTranslator):
        with pytest.raises(ValueError, match="y has masked values in sequence 0"):
            quick(make).fit(X, rows)
    predicted = [np.array(row) for row in STEPS]
    for score in (token_accuracy_score, token_error_rate, sequence_error_rate):
        with pytest.raises(ValueError, match="y_true has masked values in sequence 0"):
            score(rows, predicted)
        weights = np.ma.masked_equal([1, 1, 3, 1, 1, 1], 3)
        with pytest.raises(ValueError, match="sample_weight has masked values in sequence 2"):
            score(predicted, predicted, sample_weight=weights)


def test_masked_steps_in_lists_of_lists():
    nested = [[1.0, np.ma.masked], [2.0, 3.0]]
    for given in (nested, [[x] for x in nested]):
        with pytest.raises(ValueError, match="X has masked values in sequence 0"):
            quick(RNNClassifier).fit(given, [0, 1])


def test_a_lone_series_with_masked_values():
    series = np.ma.masked_greater(np.arange(40) % 7, 5)
    dates = np.ma.masked_array(DATES.to_numpy(), mask=np.arange(6) == 2)
    for call in (
        lambda: quick(LSTMForecaster).fit(series),
        lambda: quick(LSTMForecaster).fit(list(series)),
        lambda: quick(LSTMForecaster).fit(series.data).predict(series),
        lambda: quick(LSTMForecaster).fit(series.data).update(series),
        lambda: quick(LSTMLanguageModel).fit(series),
        lambda: quick(LSTMLanguageModel).fit(list(series)),
        lambda: PerStep(StandardScaler()).fit(series),
        lambda: SlidingWindow(2).transform(series),
        lambda: CalendarFeatures().fit_transform(dates),
    ):
        with pytest.raises(ValueError, match="X has masked values"):
            call()


def test_a_lone_series_in_every_form():
    ids = np.arange(40) % 7
    model = quick(LSTMLanguageModel).fit(ids)
    forecaster = quick(LSTMForecaster).fit(ids)
    forms = [ids.tolist(), tuple(ids.tolist()), ids.astype("u8"), ids.astype(float), pd.Series(ids)]
    for form in [*forms, ids.astype(object), pd.Series(ids, dtype="Int64"), pa.array(ids)]:
        np.testing.assert_array_equal(quick(LSTMLanguageModel).fit(form)._params, model._params)
        assert model.score(form) == model.score(ids)
        np.testing.assert_array_equal(forecaster.predict(form), forecaster.predict(ids))


def test_a_forecaster_and_strings_or_dates():
    text = pd.DataFrame({"a": list("123456")}, index=DATES)
    for strings in (text, [["1", "2", "3"]] * 3, [list("abc"), list("ab")]):
        with pytest.raises(TypeError, match=r"forecasts numbers.* Convert|holds strings or cat"):
            quick(LSTMForecaster).fit(strings)
    for dates in (DATES, pd.Series(DATES), list(DATES), DATES.to_numpy() - DATES.to_numpy()[0]):
        with pytest.raises(TypeError, match=r"which is not a type of num|a number is expected"):
            quick(LSTMForecaster).fit(dates)


@pytest.mark.parametrize("value", [nan, np.inf, None, pd.NA])
@pytest.mark.parametrize("make", [RNNRegressor, LSTMForecaster])
def test_targets_that_are_not_finite_are_named(make, value):
    y = [0.0, 1.0, 2.0, value, 4.0, 5.0]
    with pytest.raises(ValueError, match=r"Input y contains (NaN|inf)\w*\.\ny is .* sequence 3\."):
        quick(make).fit(X, y)
    horizon = {"horizon": 2} if make is LSTMForecaster else {}
    with pytest.raises(ValueError, match=r"sequence 3, output 1\."):
        quick(make, **horizon).fit(X, [[0.0, x] for x in y])


@pytest.mark.parametrize("missing", [nan, None, pd.NA])
def test_labels_that_are_missing_are_named(missing):
    for y in ([0, 1, 0, missing, 1, 0], ["a", "b", "a", missing, "b", "a"]):
        for given in (y, pd.Series(y, dtype=object), pd.Series(y).convert_dtypes()):
            with pytest.raises(ValueError, match=r"contains NaN\.\nsequence 3 has no label"):
                quick(RNNClassifier).fit(X, given)


@pytest.mark.parametrize("make", ONE_EACH)
def test_weights_that_are_missing_are_named(make):
    for weights in ([1, 1, None, 1, 1, 1], pd.Series([1, 1, pd.NA, 1, 1, 1], dtype="Int64")):
        with pytest.raises(ValueError, match="it is nan for sequence 2"):
            quick(make).fit(X, ONE_EACH[make], sample_weight=weights)


@pytest.mark.parametrize(
    "labels",
    [
        STEPS,
        [np.array(row) for row in STEPS],
        pd.Series(STEPS),
        np.tile([0, 1, 2], (6, 1)),
        np.array([[0, 1, -1]] * 6),
        [["a", "b"]] * 6,
        pd.DataFrame([["a", "b"]] * 6),
        [0, 1, 0, [1, 2], 1, 0],
        pd.DataFrame({"tags": STEPS}),
        np.array([[0.0, 1.0, nan]] * 6),
        pd.DataFrame([[0, 1, None]] * 6),
    ],
)
def test_a_classifier_that_is_given_labels_of_steps(labels):
    message = r"one label for each sequence, but has \d for sequence \d\. LSTMTagger"
    with pytest.raises(ValueError, match=message):
        quick(RNNClassifier).fit(X, labels)


HOLD = np.array([[0, 1, 1], [1, 0, 1]] * 3)
MATRICES = {
    "lists": HOLD.tolist(),
    "tuples": [tuple(row) for row in HOLD.tolist()],
    "list of arrays": list(HOLD),
    "booleans": HOLD == 1,
    "floats": HOLD * 1.0,
    "objects": HOLD.astype(object),
    "sparse": csr_array(HOLD),
    "DataFrame": pd.DataFrame(HOLD),
    "nullable": pd.DataFrame(HOLD).astype("boolean"),
    "Arrow": pa.table(dict(zip("abc", HOLD.T, strict=True))),
    "not masked": np.ma.masked_array(HOLD, mask=False),
}


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.filterwarnings("error:y has 3 columns")
def test_matrix_of_labels(name):
    right = quick(RNNClassifier).fit(X, HOLD)
    model = quick(RNNClassifier).fit(X, MATRICES[name])
    np.testing.assert_array_equal(model._params, right._params)
    assert model.score(X, MATRICES[name]) == right.score(X, HOLD)
    model.partial_fit(X, MATRICES[name])


def test_matrices_that_say_nothing_about_labels():
    message = r"one label for each sequence, but has 3 .*MultiLabelBinarizer"
    for y in (HOLD + 1, 2 * HOLD - 1, np.where(HOLD == 0, nan, 1), HOLD.astype(str), HOLD / 2):
        with pytest.raises(ValueError, match=message):
            quick(RNNClassifier).fit(X, y)
    masked = np.ma.masked_equal(HOLD, 0)
    for y in (masked, list(masked)):
        with pytest.raises(ValueError, match="y has masked values in sequence 0"):
            quick(RNNClassifier).fit(X, y)
    model = quick(RNNClassifier).fit(X, HOLD)
    for y in (HOLD[:, 0], HOLD + 1):
        with pytest.raises(ValueError, match="y must have a column of 0 and 1 for each label"):
            model.score(X, y)


def test_a_column_for_each_step():
    with pytest.warns(UserWarning, match=r"y has 3 columns .* every sequence has 3 steps.*LSTMTag"):
        quick(RNNClassifier).fit(np.ones((6, 3, 1)), HOLD)


def test_sparse_targets():
    with pytest.raises(TypeError, match=r"y is sparse.*pass y\.toarray"):
        quick(RNNRegressor).fit(X, csr_array(np.eye(6)))


def test_labels_of_a_classifier_come_back_as_given():
    for kinds in (["a", "b"], [False, True], [2**63, 2**64 - 1], [-1, 1], [1.0, 2.0]):
        y = [kinds[k] for k in ONE_EACH[RNNClassifier]]
        forms = [y, np.array(y), pd.Series(y, dtype=object), pd.Series(y).astype("category")]
        forms += [pd.Series(y).convert_dtypes()] if kinds != [1.0, 2.0] else []
        for given in forms:
            model = quick(RNNClassifier).fit(X, given)
            assert model.classes_.tolist() == kinds
            assert set(model.predict(X).tolist()) <= set(kinds)


def test_strings_among_numbers_are_no_labels():
    for y in ([0, 1, "a", 1, 0, 1], pd.Series([0, 1, "a", 1, 0, 1])):
        with pytest.raises(TypeError, match=r"mixes strings and numbers: .*'a' for sequence 2"):
            quick(RNNClassifier).fit(X, y)


# Missing labels of steps: one definition

FULL = [[1, 0, 2, 1, 0][:n] for n in LENGTHS]
HIDDEN = [[None if k in (1, 4) else label for k, label in enumerate(row)] for row in FULL]
LATE = [[*row[:2], *[None] * (len(row) - 2)] for row in FULL]


def table_of(rows, fill):
    return np.array([[fill if x is None else x for x in (*row, *[None] * 5)][:5] for row in rows])


FORMS = {
    "None": (HIDDEN, HIDDEN),
    "NaN": (HIDDEN, [[nan if label is None else label for label in row] for row in HIDDEN]),
    "NA": (HIDDEN, [pd.Series(row, dtype="Int64") for row in HIDDEN]),
    "NaN of arrays": (HIDDEN, [np.array(row, dtype=float) for row in HIDDEN]),
    "table of NaN": (HIDDEN, table_of(HIDDEN, nan)),
    "frame of NaN": (HIDDEN, pd.DataFrame(table_of(HIDDEN, nan))),
    "frame of NA": (HIDDEN, pd.DataFrame(table_of(HIDDEN, nan)).astype("Int64")),
    "table of -1": (LATE, table_of(LATE, -1)),
    "frame of -1": (LATE, pd.DataFrame(table_of(LATE, -1))),
    "lists of -1": (LATE, [[-1 if x is None else x for x in row] for row in LATE]),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("crf", [False, True])
def test_a_missing_label_is_the_same_to_all(crf, form):
    plain_y, y = FORMS[form]
    right = quick(LSTMTagger, crf=crf).fit(X, plain_y)
    model = quick(LSTMTagger, crf=crf).fit(X, y)
    np.testing.assert_array_equal(model._params, right._params)
    score, predicted = right.score(X, plain_y), model.predict(X)
    assert 0 < score < 1
    assert model.score(X, y) == score
    assert token_accuracy_scorer(model, X, y) == score
    assert token_accuracy_score(y, table_of(map(list, predicted), -1)) == score
    assert np.mean(np.equal(*flatten_labels(y, predicted))) == pytest.approx(score, abs=1e-15)


@pytest.mark.parametrize("label", [-100, -1, np.int64(-2), -1.0])
def test_negative_integers_are_no_labels_of_steps(label):
    y = [list(row) for row in FULL]
    y[2][1] = label
    message = r"sequence 2 has the label -\d+ at step 1, .* Write None"
    model = quick(LSTMTagger)
    for call in (
        lambda: model.fit(X, y),
        lambda: quick(LSTMTagger).fit(X, FULL).score(X, y),
        lambda: token_accuracy_score(y, FULL),
        lambda: flatten_labels(y, FULL),
        lambda: quick(LSTMTagger).partial_fit(X, y, classes=[0, 1, 2]),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(ValueError, match="classes has -"):
        model.partial_fit(X, FULL, classes=[0, 1, 2, label])
    y[2][1] = 0
    y[0][-1] = -100
    with pytest.raises(ValueError, match="sequence 0 has the label -100 at step 4"):
        model.fit(X, y)


@pytest.mark.parametrize("kinds", ["abc", [2**63, 2**63 + 1, 2**64 - 1], [False, True, True]])
def test_labels_of_steps_come_back_as_given(kinds):
    for make in (list, np.array, lambda row: np.array(row, dtype=object), pd.Series):
        y = [make([kinds[k] for k in row]) for row in FULL]
        model = quick(LSTMTagger).fit(X, y)
        assert model.classes_.tolist() == sorted(set(kinds))
        assert {type(label) for row in model.predict(X) for label in row.tolist()} == {
            type(kinds[0])
        }


@pytest.mark.parametrize("fill", [nan, 0])
def test_padding_of_weights(fill):
    weights = [[1.0, 2.0, 0.5, 3.0, 1.0][:n] for n in LENGTHS]
    table = table_of(weights, fill)
    right = quick(LSTMTagger).fit(X, FULL, sample_weight=weights)
    for given in (table, pd.DataFrame(table), table.tolist()):
        model = quick(LSTMTagger).fit(X, FULL, sample_weight=given)
        np.testing.assert_array_equal(model._params, right._params)
        assert model.score(X, FULL, given) == right.score(X, FULL, weights)
    table[1, 4] = 1
    with pytest.raises(ValueError, match=r"sequence 1 has 3 step\(s\), but sample_weight has 5"):
        quick(LSTMTagger).fit(X, FULL, sample_weight=table)


def test_labels_of_an_enumeration():
    class Tag(str, enum.Enum):  # noqa: UP042
        PERSON = "PER"
        OTHER = "O"

    model = quick(LSTMTagger).fit(X, [[Tag.OTHER, *[Tag.PERSON] * (n - 1)] for n in LENGTHS])
    assert model.classes_.tolist() == ["O", "PER"]


# Tokens of targets


@pytest.mark.parametrize("fill", [-1, nan, None, pd.NA])
def test_padding_of_targets(fill):
    rows = [[*row, *[fill] * (5 - len(row))] for row in STEPS]
    forms = [rows, np.array(rows, dtype=object), pd.DataFrame(rows)]
    forms += [np.array(rows)] if fill is not pd.NA else []
    right = quick(Seq2SeqTranslator).fit(X, STEPS)
    predicted = right.predict(X)
    for y in forms:
        model = quick(Seq2SeqTranslator).fit(X, y)
        assert model.target_vocabulary_ == right.target_vocabulary_
        np.testing.assert_array_equal(model._params, right._params)
        assert token_error_rate(y, predicted) == token_error_rate(STEPS, predicted)
        assert token_error_rate(STEPS, y) == sequence_error_rate(y, STEPS) == 0
        assert model.score(X, y) == right.score(X, STEPS)
    for y in ([[0, fill, 1]] * 6, [[0, -3]] * 6):
        with pytest.raises(ValueError, match=r"sequence 0 of y has .* at step 1"):
            quick(Seq2SeqTranslator).fit(X, y)
        with pytest.raises(ValueError, match=r"sequence 0 of y_true has .* at step 1"):
            token_error_rate(y, STEPS)


# A table whose index has two levels


def test_rows_that_may_be_steps_of_series_are_refused():
    index = pd.MultiIndex.from_product([list("abc"), range(4)])
    table = pd.DataFrame({"x": np.arange(12.0), "z": np.arange(12.0) % 5}, index=index)
    for make in (RNNClassifier, RNNRegressor):
        with pytest.raises(ValueError, match=r"index has 2 levels.*groupby\(level=0"):
            quick(make).fit(table, np.arange(12) % 2)
        model = quick(make).fit(table.reset_index(drop=True), np.arange(12) % 2)
        with pytest.raises(ValueError, match="index has 2 levels"):
            model.predict(table)


def test_transformers_of_steps_read_a_panel():
    index = pd.MultiIndex.from_product([list("ba"), range(4)])
    table = pd.DataFrame({"x": np.arange(8.0), "z": np.arange(8.0) % 5}, index=index)
    scaled = PerStep(StandardScaler()).fit_transform(table)
    assert scaled.index.equals(index)
    assert list(scaled.columns) == ["x", "z"]
    np.testing.assert_allclose(scaled, StandardScaler().fit_transform(table))
    for panel in (table, table["x"]):  # each series by itself
        scaled = PerSequence(StandardScaler()).fit_transform(panel)
        assert scaled.index.equals(index)
        alone = StandardScaler().fit_transform(pd.DataFrame(panel).iloc[4:])
        np.testing.assert_allclose(pd.DataFrame(scaled).iloc[4:], alone)
    with pytest.raises(ValueError, match=r"series 'b' are not together.*sort_index"):
        PerStep(StandardScaler()).fit(table.iloc[[0, 4, 1]])
