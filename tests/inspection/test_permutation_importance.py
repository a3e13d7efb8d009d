"""Permutation importance: what is permuted, in every form, and what the scores say."""

import numpy as np
import pytest
import sklearn.inspection
from problems import first_step, quick, tagged, token_lists
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrnn import LSTMForecaster, LSTMLanguageModel, LSTMTagger, RNNRegressor
from skrnn.inspection import permutation_importance
from skrnn.inspection._permutation_importance import Steps
from skrnn.preprocessing import PerStep

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
LENGTHS = (5, 3, 5, 1)


def numbered():
    """Sequences whose values say where they stand: 100 i + 10 t + column, but for the sign."""
    return [
        np.array([[100 * i + 10 * t + c for c in range(3)] for t in range(n)], dtype=float)
        for i, n in enumerate(LENGTHS)
    ]


def values(x, column):
    """Return a column of one sequence, in whatever form."""
    if hasattr(x, "columns"):
        x = x.to_numpy()
    return np.asarray(x, dtype=float).reshape(len(x), -1)[:, column]


def forms():
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    X = numbered()
    padded = np.full((4, 5, 3), np.nan)
    for i, x in enumerate(X):
        padded[i, : len(x)] = x
    array = np.empty(4, dtype=object)
    array[:] = X
    return {
        "list": X,
        "nested": [x.tolist() for x in X],
        "object": array,
        "series": pd.Series(X, index=list("wxyz")),
        "cube": padded,
        "pandas": [pd.DataFrame(x, columns=list("abc")) for x in X],
        "polars": [pl.DataFrame(x, schema=list("abc")) for x in X],
    }


@pytest.mark.parametrize("unit", ["sequence", "step"])
@pytest.mark.parametrize("form", ["list", "nested", "object", "series", "cube", "pandas", "polars"])
def test_one_feature_is_permuted_and_nothing_else(form, unit):
    X = forms()[form]
    steps, before = Steps(X), numbered()
    assert steps.names.tolist() == (list("abc") if form[0] == "p" else ["x0", "x1", "x2"])
    after = steps.permuted(1, unit, np.random.RandomState(0))
    expected_type = list if form == "nested" else type(X)
    assert isinstance(after, expected_type)
    moved = []
    for i, x in enumerate(after):
        assert len(x) == (5 if form == "cube" else LENGTHS[i])
        for column in (0, 2):
            np.testing.assert_array_equal(values(x, column)[: LENGTHS[i]], before[i][:, column])
        now = values(x, 1)
        assert np.isnan(now[LENGTHS[i] :]).all()
        moved.append(now[: LENGTHS[i]])
    flat = np.concatenate(moved)
    original = np.concatenate([x[:, 1] for x in before])
    assert sorted(flat) == sorted(original) and (flat != original).any()
    np.testing.assert_array_equal(np.concatenate([values(x, 1) for x in forms()["list"]]), original)
    if unit == "sequence":  # courses stay whole: within one a step follows the step before
        assert np.mean(np.diff(flat) == 10) == (len(flat) - len(LENGTHS)) / (len(flat) - 1)
    else:
        assert np.mean(np.diff(flat) == 10) < 0.4


def test_sequences_of_one_length_exchange_courses():
    X = np.arange(60.0).reshape(6, 5, 2)
    after = Steps(X).permuted(0, "sequence", np.random.RandomState(0))
    assert {tuple(x[:, 0]) for x in after} == {tuple(x[:, 0]) for x in X}
    assert any((x[:, 0] != given[:, 0]).all() for x, given in zip(after, X, strict=True))


def test_rows_are_series_of_one_feature():
    X = np.arange(20.0).reshape(4, 5)
    X[1, 3:] = np.nan
    after = Steps(X).permuted(0, "step", np.random.RandomState(0))
    assert after.shape == X.shape
    np.testing.assert_array_equal(np.isnan(after), np.isnan(X))
    assert sorted(after[~np.isnan(after)]) == sorted(X[~np.isnan(X)])


@pytest.mark.parametrize("form", ["list", "pandas", "polars"])
@pytest.mark.parametrize("unit", ["sequence", "step"])
def test_targets_that_are_to_be_forecast_stay_missing(form, unit):
    X = forms()[form]
    given = [values(x, 0).copy() for x in X]
    for x in given[:3]:
        x[2:] = np.nan  # behind covariates that are known
    if form == "list":
        X = [np.column_stack([now, x[:, 1:]]) for now, x in zip(given, X, strict=True)]
    else:
        X = [type(x)({**{c: x[c] for c in "abc"}, "a": a}) for x, a in zip(X, given, strict=True)]
    after = Steps(X).permuted(0, unit, np.random.RandomState(0))
    now = np.concatenate([values(x, 0) for x in after])
    before = np.concatenate(given)
    np.testing.assert_array_equal(np.isnan(now), np.isnan(before))
    assert sorted(now[~np.isnan(now)]) == sorted(before[~np.isnan(before)])
    assert not np.array_equal(now, before, equal_nan=True)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_rows_of_a_table_stay_a_table(library):
    frames = pytest.importorskip(library)
    X = frames.DataFrame({f"t{i}": np.arange(4.0) + 10 * i for i in range(5)})
    after = Steps(X).permuted(0, "sequence", np.random.RandomState(0))
    assert isinstance(after, frames.DataFrame) and list(after.columns) == list(X.columns)
    assert sorted(map(tuple, after.to_numpy())) == sorted(map(tuple, X.to_numpy()))
    assert (after.to_numpy() != X.to_numpy()).any()


def test_tokens_are_one_feature():
    X = [list("abc"), [], list("de"), ["f"]]
    after = Steps(X).permuted(0, "sequence", np.random.RandomState(1))
    assert list(map(len, after)) == [3, 0, 2, 1]
    tokens = "".join(map("".join, after))
    assert sorted(tokens) == list("abcdef") and after != X
    assert "abc" in tokens and "de" in tokens  # courses stay whole


@pytest.mark.parametrize("unit", ["sequence", "step"])
def test_the_feature_that_decides_is_important(unit):
    X, y = first_step(150)
    model = make_pipeline(
        PerStep(StandardScaler()), quick(max_iter=40, learning_rate_init=0.02)
    ).fit(X, y)
    found = permutation_importance(model, X, y, random_state=0, n_repeats=7, unit=unit)
    assert found.importances.shape == (2, 7) and found.feature_names.tolist() == ["x0", "x1"]
    assert found.importances_mean[0] > 0.25 and abs(found.importances_mean[1]) < 0.1
    np.testing.assert_allclose(found.importances_mean, found.importances.mean(axis=1))
    np.testing.assert_allclose(found.importances_std, found.importances.std(axis=1))
    again = permutation_importance(model, X, y, random_state=0, n_repeats=7, unit=unit, n_jobs=2)
    np.testing.assert_array_equal(again.importances, found.importances)


def test_the_same_as_scikit_learn_where_both_can():
    """Of sequences of one step with features as columns: the same permutations even."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 1, 3))
    y = X[:, 0, 1] > 0
    model = quick(max_iter=20).fit(X, y)

    class Rows:
        def fit(self, X, y):
            """Not called."""

        def score(self, X, y):
            return model.score(X[:, np.newaxis], y)

    theirs = sklearn.inspection.permutation_importance(Rows(), X[:, 0], y, n_repeats=40)
    ours = permutation_importance(model, X, y, n_repeats=40)
    np.testing.assert_allclose(ours.importances_mean, theirs.importances_mean, atol=0.05)
    with pytest.raises(ValueError, match="dim"):  # scikit-learn's own cannot
        sklearn.inspection.permutation_importance(model, X, y)


def test_scores_weights_and_samples():
    X, y = first_step(60)
    model = quick(max_iter=10).fit(X, y)
    weights = np.zeros(60)
    weights[:20] = 1
    weighed = permutation_importance(
        model, X, y, sample_weight=weights, scoring=["accuracy", "neg_log_loss"], random_state=0
    )
    assert set(weighed) == {"accuracy", "neg_log_loss"}
    baseline = accuracy_score(y[:20], model.predict(X[:20]))
    steps = 20 * (baseline - weighed["accuracy"].importances)
    np.testing.assert_allclose(steps, steps.round(), atol=1e-9)  # of twenty sequences
    seen = []

    def scorer(estimator, X, y):
        seen.append((len(X), len(y)))
        return estimator.score(X, y)

    permutation_importance(model, X, y, scoring=scorer, max_samples=0.5, n_repeats=2)
    permutation_importance(model, X, y, scoring=scorer, max_samples=7, n_repeats=1)
    assert seen == [(60, 60), *[(30, 30)] * 4, (60, 60), *[(7, 7)] * 2]


def test_every_kind_of_estimator():
    X, y = tagged(40)
    tagger = quick(LSTMTagger, max_iter=20).fit(X, y)
    assert permutation_importance(tagger, X, y, random_state=0).importances_mean[0] > 0.2
    words, labels = token_lists(80)
    classifier = quick(max_iter=80, learning_rate_init=0.02).fit(words, labels)
    found = permutation_importance(classifier, words, labels, random_state=0)
    assert found.feature_names.tolist() == ["token"] and found.importances_mean[0] > 0.2
    rng = np.random.default_rng(0)
    ids = [rng.integers(0, 6, size=(n, 2)) for n in rng.integers(2, 7, 80)]
    target = [float(x[:, 1].mean()) for x in ids]
    regressor = RNNRegressor((16,), pooling="mean", embedding_dim=3, max_iter=60, random_state=0)
    found = permutation_importance(regressor.fit(ids, target), ids, target, random_state=0)
    assert found.importances_mean[1] > 0.5 > 4 * abs(found.importances_mean[0])


def test_a_forecaster_s_categories_have_the_names_of_their_columns():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)

    def store(i):
        promo = rng.choice(["none", "tv"], 60)
        y = 10 * (i % 2) + 5 * (promo == "tv") + 0.1 * rng.normal(size=60)
        place = ["north", "south"][i % 2]
        table = pd.DataFrame({"y": y, "promo": promo, "place": place})
        return table.set_index(pd.date_range("2024-01-01", periods=60))

    panel = pd.concat({i: store(i) for i in range(6)}, names=["id", "date"])
    model = LSTMForecaster(horizon=2, lookback=8, n_targets=1, static_covariates="place",
                           hidden_layer_sizes=(8,), max_iter=40, learning_rate_init=0.01,
                           n_iter_no_change=np.inf, random_state=0)  # fmt: skip
    found = permutation_importance(model.fit(panel), panel, random_state=0)
    assert found.feature_names.tolist() == ["y", "promo", "place"]
    assert found.importances_mean[1] > 0.2
    numbers = panel.assign(promo=panel["promo"] == "tv", place=0.0)
    model.set_params(static_covariates=None).fit(numbers.astype(float))
    assert permutation_importance(model, numbers.astype(float)).feature_names[1] == "promo"


def test_a_forecaster_s_covariates():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    series = []
    for _ in range(12):
        z = rng.normal(size=(40, 2))
        series.append(np.column_stack([3 * z[:, 0] + 0.1 * rng.normal(size=40), z]))
    model = LSTMForecaster(
        2, 6, n_targets=1, difference=None, max_iter=40, learning_rate_init=0.02, random_state=0
    ).fit(series)
    found = permutation_importance(model, series, random_state=0)
    assert found.importances_mean[1] > 0.5 > 4 * abs(found.importances_mean[2])
    dated = pd.DataFrame(series[0], columns=["y", "rain", "noise"],
                         index=pd.date_range("2024-01-01", periods=40))  # fmt: skip
    one = permutation_importance(model, dated, unit="step", random_state=0)
    assert one.feature_names.tolist() == ["y", "rain", "noise"]
    with pytest.raises(ValueError, match="unit='step'"):
        permutation_importance(model, dated)


def test_errors():
    X, y = first_step(20)
    model = quick(max_iter=1).fit(X, y)
    with pytest.raises(NotFittedError):
        permutation_importance(quick(), X, y)
    with pytest.raises(ValueError, match="needs the targets"):
        permutation_importance(model, X)
    language = LSTMLanguageModel(max_iter=1).fit([list("ab")] * 9)
    with pytest.raises(ValueError, match="A language model"):
        permutation_importance(language, [list("ab")] * 9)
    with pytest.raises(ValueError, match="only 20 sequences"):
        permutation_importance(model, X, y, max_samples=21)
    for wrong in ({"unit": "word"}, {"n_repeats": 0}, {"max_samples": 0.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            permutation_importance(model, X, y, **wrong)
