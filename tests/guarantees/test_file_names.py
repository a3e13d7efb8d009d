"""What files of fitted models name: public paths, NumPy and Python's own types, nothing private.

A private path in a file would be a format: what it names could never move. A new private class that
`fit` leaves in an attribute fails here, until `_state_classes` of its estimator has it.
"""

import inspect
import io
import pickle
import warnings

import numpy as np
import pytest
from problems import first_step, means, quick, tagged, token_lists
from sklearn.preprocessing import StandardScaler

import skrnn
import skrnn.datasets
import skrnn.export
import skrnn.inspection
import skrnn.metrics
import skrnn.model_selection
import skrnn.preprocessing
from skrnn import (
    LSTMForecaster,
    LSTMLanguageModel,
    LSTMTagger,
    RNNClassifier,
    RNNRegressor,
    Seq2SeqTranslator,
)
from skrnn.preprocessing import (
    CalendarFeatures,
    Frames,
    PerSequence,
    PerStep,
    SlidingWindow,
    TokenEncoder,
)

MODULES = (
    skrnn, skrnn.datasets, skrnn.export, skrnn.inspection, skrnn.metrics,
    skrnn.model_selection, skrnn.preprocessing,
)  # fmt: skip
PUBLIC = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in MODULES for name in module.__all__
}  # fmt: skip
# What arrays, numbers of NumPy, the optimizer and the random state of a user are made of.
OTHERS = {
    "numpy.ndarray", "numpy.dtype", "_operator.getitem", "types.SimpleNamespace",
    "__builtin__.bytearray", "_codecs.encode",
    "numpy.random._pickle.__randomstate_ctor", "numpy.random._mt19937.MT19937",
    "numpy.random._pickle.__bit_generator_ctor",
}  # fmt: skip


def names_in(data):
    """Return what the opcodes GLOBAL and STACK_GLOBAL of a pickle name."""
    found = set()

    class Reader(pickle.Unpickler):
        def find_class(self, module, name):
            found.add(f"{module}.{name}")
            return super().find_class(module, name)

    Reader(io.BytesIO(data)).load()
    return found


def walks(n=6, width=1):
    rng = np.random.default_rng(0)
    return [rng.normal(size=(length, width)).cumsum(0) for length in rng.integers(30, 40, n)]


def forecaster(**params):
    return quick(LSTMForecaster, **{"horizon": 2, "lookback": 4, "max_iter": 1, **params})


def panel():
    pd = pytest.importorskip("pandas", reason="pandas is not installed: panels are untested")
    days = pd.date_range("2024-01-01", periods=30, tz="Europe/Berlin")
    index = pd.MultiIndex.from_product([["north", "south"], days], names=["place", "day"])
    return pd.DataFrame({"load": np.arange(60.0) % 7, "heat": np.arange(60.0) % 5}, index=index)


def dated(kind):
    series = panel().loc["north", "load"]
    if kind == "period":
        return series.tz_localize(None).to_period("D")
    return series.set_axis(range(30)) if kind == "integer" else [series, series[5:]]


def frames():
    pd = pytest.importorskip("pandas", reason="pandas is not installed: tables are untested")
    X, y = first_step(20)
    return [pd.DataFrame(x, columns=["a", "b"]) for x in X], y


def with_partial_fit(model, X, y, **first):
    return model.partial_fit(X, y, **first).partial_fit(X, y)


def in_use(model):
    """Let a forecaster do all that may leave something in it."""
    X = walks()
    model.calibrate(X)
    model.predict_interval(X)
    model.update(walks())
    model.step(np.zeros((1, 1)), model.initial_state())
    return model


def stepping(model):
    model.step(np.zeros((1, 2)), model.initial_state())
    return model


words, tags = tagged(20)
ids = [[[1, 2], [0, 1]], [[2, 2]]] * 5
random = np.random.RandomState(0)
early = {"early_stopping": True, "scoring": skrnn.metrics.token_accuracy_scorer}
scorer = skrnn.metrics.make_forecast_scorer(
    skrnn.metrics.mean_absolute_scaled_error, season_length=7
)
quantile = {"loss": "quantile", "quantiles": (0.1, 0.5, 0.9)}
MADE = {
    "classifier": lambda: stepping(quick(RNNClassifier, random_state=random).fit(*first_step(20))),
    "classifier, warm": lambda: quick(warm_start=True).fit(*first_step(20)),
    "classifier, in parts": lambda: (
        quick(warm_start=True).partial_fit(*first_step(20), classes=["down", "up"])
    ),
    "classifier, tokens": lambda: quick().fit(*token_lists(20)),
    "classifier, ids": lambda: quick(embedding_dim=2).fit(ids, [0, 1] * 5),
    "classifier, tables": lambda: quick(early_stopping=True).fit(*frames()),
    "classifier, weights": lambda: quick(class_weight={"up": 2.0}).fit(*first_step(20)),
    "classifier, not fitted": RNNClassifier,
    "regressor": lambda: quick(RNNRegressor, warm_start=True).fit(*means(20, outputs=2)),
    "regressor, in parts": lambda: with_partial_fit(quick(RNNRegressor), *means(20)),
    "tagger": lambda: quick(LSTMTagger, warm_start=True, **early).fit(words, tags),
    "tagger, crf": lambda: quick(LSTMTagger, crf=True).fit(words, tags),
    "tagger, in parts": lambda: with_partial_fit(
        quick(LSTMTagger), words, tags, classes=sorted({tag for row in tags for tag in row})
    ),
    "forecaster": lambda: in_use(forecaster(warm_start=True, scaling="global").fit(walks())),
    "forecaster, lags": lambda: forecaster(autoregression=3, difference="season",
                                           season_length=2, n_targets=1).fit(walks(width=2)),
    "forecaster, gaussian": lambda: forecaster(loss="gaussian", scaling="series").fit(walks()),
    "forecaster, quantiles": lambda: forecaster(**quantile).fit(walks()),
    "forecaster, in parts": lambda: with_partial_fit(forecaster(), walks(), None),
    "forecaster, targets": lambda: forecaster(early_stopping=True, scoring=scorer).fit(
        walks(20), np.zeros((20, 2))
    ),
    "forecaster, panel": lambda: forecaster(loss="gaussian", warm_start=True).fit(panel()),
    "forecaster, panel, one target": lambda: forecaster().fit(panel()[["load"]]).calibrate(
        panel()[["load"]]
    ),
    "forecaster, periods": lambda: forecaster().fit(dated("period")),
    "forecaster, integers": lambda: forecaster().fit(dated("integer")),
    "forecaster, dated list": lambda: forecaster().fit(dated("list")),
    "language model": lambda: quick(LSTMLanguageModel, warm_start=True).fit(words),
    "language model, in parts": lambda: quick(LSTMLanguageModel).partial_fit(words),
    "translator": lambda: quick(Seq2SeqTranslator, warm_start=True).fit(words, tags),
    "translator, in parts": lambda: with_partial_fit(
        quick(Seq2SeqTranslator, attention="additive"), words, tags
    ),
    "TokenEncoder": lambda: TokenEncoder().fit(words),
    "TokenEncoder, pandas": lambda: TokenEncoder().set_output(transform="pandas").fit(words),
    "PerStep": lambda: PerStep(StandardScaler()).fit(first_step(20)[0]),
    "PerStep, tables": lambda: PerStep(StandardScaler()).set_output(
        transform="pandas"
    ).fit(frames()[0]),
    "PerSequence": lambda: PerSequence(StandardScaler()).fit(walks()),
    "Frames": lambda: Frames(3, 2).fit(walks()),
    "CalendarFeatures": lambda: CalendarFeatures().fit(panel().loc["north"]),
    "SlidingWindow": lambda: SlidingWindow(4),
}  # fmt: skip


@pytest.fixture(params=MADE)
def made(request):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MADE[request.param]()


@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
def test_files_name_public_paths(made, protocol):
    for name in names_in(pickle.dumps(made, protocol=protocol)):
        if name.partition(".")[0] in ("sklearn", "pandas"):  # of a transformer, or a user's index
            continue
        assert name in PUBLIC or name in OTHERS or name.startswith("numpy._core."), name


def test_every_public_estimator_and_transformer_is_here():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        here = {type(make()) for make in MADE.values()}
    assert here == {thing for thing in PUBLIC.values() if hasattr(thing, "get_params")}


def test_public_names_know_where_they_are():
    for path, thing in PUBLIC.items():
        if inspect.isclass(thing):
            assert f"{thing.__module__}.{thing.__qualname__}" == path
