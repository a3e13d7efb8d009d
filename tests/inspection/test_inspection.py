"""Gradients over time are those of the oracle; displays show what they are given."""

import importlib
import subprocess
import sys
import textwrap

import numpy as np
import oracle
import pytest
from kernel_tools import Network, make_problem
from problems import first_step, means, tagged
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from tables import each, each_network

from skrnn import (
    LSTMForecaster,
    LSTMLanguageModel,
    LSTMTagger,
    RNNClassifier,
    RNNRegressor,
    Seq2SeqTranslator,
)
from skrnn._base.training import TrainingLoop
from skrnn.inspection import (
    AttentionDisplay,
    ForecastDisplay,
    GradientFlowDisplay,
    LossCurveDisplay,
    TagConfusionDisplay,
    gradient_flow,
)
from skrnn.preprocessing import CalendarFeatures

LENGTHS = [4, 1, 6, 2, 6]
STEP = 1e-6

oracle_cells = importlib.import_module("oracle_cells")


# The trace of the kernels against the oracle


def oracle_trace(monkeypatch, spec, problem):
    """Return dLoss/dh_t by the oracle: {(scan, sequence): (T, H)}, as its cells are given it."""
    cell = oracle_cells.CELLS[spec.cell]
    rows = []

    def backward(dh, *rest):
        rows.append(dh)
        return cell.backward(dh, *rest)

    monkeypatch.setitem(oracle_cells.CELLS, spec.cell, cell._replace(backward=backward))
    oracle.run(spec, **problem)
    monkeypatch.undo()
    scans, found = oracle.scans(spec), {}
    # It goes back sequence by sequence, from the top level down, each direction from its end.
    rows = iter(rows)
    for i, sequence in enumerate(problem["sequences"]):
        for layer in reversed(range(len(spec.hidden))):
            for s, (at, direction, _) in enumerate(scans):
                if at == layer:
                    back = np.array([next(rows) for _ in sequence])
                    found[s, i] = back if direction else back[::-1]
    assert next(rows, None) is None
    return found


def kernel_trace(network):
    """Return dLoss/dh_t by the kernels, as `oracle_trace` does."""
    raw = network.engine.inspect_batch(
        network.plan, network.options, network.limits, network.workspace, network.params,
        network.grads, network.data, network.order, targets=network.targets,
        h0=network._in_order(network.h0), c0=network._in_order(network.c0),
        d_outputs=network.d_outputs, d_hn=network._in_order(network.d_hn),
        d_cn=network._in_order(network.d_cn), trace=True,
    )  # fmt: skip
    found = {}
    for s, layer in enumerate(raw["scans"]):
        for i, steps in enumerate(network._steps(layer["dh"], raw["rows"])):
            found[s, i] = steps
    return found, raw


@each_network
@each(pooling=("last", "all"), bptt_steps=(None, 2))
def test_trace_is_the_oracle_s(monkeypatch, cell, activation, bidirectional, pooling, bptt_steps):
    spec = oracle.Spec(
        cell, (5, 3, 4), bidirectional, activation, pooling, bptt_steps=bptt_steps
    )  # three levels: the buffers of two neighbours alternate
    problem = make_problem(spec, LENGTHS)
    expected = oracle_trace(monkeypatch, spec, problem)
    network = Network(spec, **problem, level=None, order=[3, 0, 4, 1, 2])
    found, _ = kernel_trace(network)
    assert found.keys() == expected.keys()
    for key, dh in expected.items():
        np.testing.assert_allclose(found[key], dh, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_trace_changes_nothing_else(dtype):
    spec = oracle.Spec("gru", (9, 5), True, pooling="mean", alpha=0.1)
    network = Network(spec, **make_problem(spec, LENGTHS), level=None, dtype=dtype)
    plain, grads = network.inspect_batch(), network.grads.copy()
    network.grads[:] = np.nan
    _, traced = kernel_trace(network)
    assert traced["loss"] < plain["loss"]  # less the penalty, which the trace was not asked for
    for got, expected in zip(traced["d_h0"], plain["d_h0"], strict=True):
        np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(traced["d_inputs"], plain["d_inputs"])
    bias = network.plan.views(grads)["bias_hh_l0"]  # not penalised
    np.testing.assert_array_equal(network.plan.views(network.grads)["bias_hh_l0"], bias)


@each(cell=("lstm", "gru", "rnn"), bidirectional=(False, True))
def test_gradient_is_a_difference_quotient(monkeypatch, cell, bidirectional):
    """dLoss/dh_t is what the loss does when h_t, wherever it is read, is moved."""
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(T, 2)) for T in (3, 5, 1)]
    y = rng.normal(size=3)
    model = RNNRegressor((4, 3), cell=cell, bidirectional=bidirectional, dtype="float64")
    model.set_params(random_state=0, max_iter=1, n_iter_no_change=np.inf).fit(X, y)
    flow = gradient_flow(model, X, y)
    spec = oracle.Spec(
        cell, (4, 3), bidirectional, pooling="last", loss="squared_error", n_outputs=1
    )
    original = oracle_cells.CELLS[cell]

    def loss(i, s, step, unit, change):
        calls = 0

        def forward(a, b, h, c, activation):
            nonlocal calls
            h, c, saved = original.forward(a, b, h, c, activation)
            if calls == s * len(X[i]) + step:
                h = h + change * (np.arange(len(h)) == unit)
            calls += 1
            return h, c, saved

        monkeypatch.setitem(oracle_cells.CELLS, cell, original._replace(forward=forward))
        # As the network learns them: standardized.
        targets = ((y[i : i + 1] - model._target_center) / model._target_scale)[:, np.newaxis]
        weights = model._get_plan().views(model._params)
        return oracle.run(spec, weights, [X[i]], targets=targets).loss

    for s, (layer, direction, suffix) in enumerate(oracle.scans(spec)):
        assert flow.layers[s] == suffix
        for i, x in enumerate(X):
            for t in range(len(x)):
                step = len(x) - 1 - t if direction else t
                quotients = [
                    (loss(i, s, step, u, STEP) - loss(i, s, step, u, -STEP)) / (2 * STEP)
                    for u in range(spec.hidden[layer])
                ]
                norm = np.linalg.norm(quotients)
                assert flow.gradient_norms[s, i, t] == pytest.approx(norm, rel=1e-5, abs=1e-8)


# gradient_flow


PROBLEMS = {
    "classifier": (RNNClassifier((6,), class_weight="balanced", random_state=0), *first_step(100)),
    "regressor": (RNNRegressor((6, 5), cell="gru", random_state=0), *means(100)),
    "tokens": (LSTMTagger((6,), random_state=0), *tagged()),
    "crf": (LSTMTagger((6,), crf=True, cell="rnn", random_state=0), *tagged()),
    "series": (
        LSTMForecaster(3, lookback=10, loss="quantile", random_state=0),
        [np.sin(np.arange(n) / 3) for n in (60, 15, 40)], None,
    ),
    "pieces": (
        LSTMForecaster(2, lookback=8, bptt_steps=10, random_state=0),
        [np.sin(np.arange(n) / 3) for n in (60, 50, 40)], None,
    ),
    "language": (
        LSTMLanguageModel((6,), random_state=0),
        [list("abcab"), list("ca"), [], list("abc")] * 20, None,
    ),
    "stream": (
        LSTMLanguageModel((6, 5), cell="gru", bptt_steps=7, batch_size=2, random_state=0,
                          boundary_tokens=False),
        [list("abcabc" * 10)], None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROBLEMS)
def test_unfitted_is_where_fit_starts(name):
    """A step so small that it moves no weight, but zeros to 1e-30, leaves what `fit` drew."""
    model, X, y = PROBLEMS[name]
    still = {
        "solver": "sgd",
        "learning_rate_init": 1e-30,
        "max_iter": 1,
        "n_iter_no_change": np.inf,
    }
    fitted = clone(model).set_params(**still).fit(X, y)
    before = {name: value for name, value in vars(fitted).items() if name != "_plan"}
    fresh, found = gradient_flow(model, X, y), gradient_flow(fitted, X, y)
    close = {"rtol": 1e-12, "atol": 1e-20}
    np.testing.assert_allclose(found.hidden_norms, fresh.hidden_norms, **close)
    np.testing.assert_allclose(found.gradient_norms, fresh.gradient_norms, **close)
    assert found.loss == fresh.loss
    assert "_params" not in vars(model)
    assert all(vars(fitted)[name] is value for name, value in before.items())
    carried = name in ("pieces", "stream")  # in training, from piece to piece
    if model.get_params().get("word_dropout") is None and not carried:
        # one batch, nothing dropped and no penalty: the loss of the first epoch is this one
        whole = clone(fitted).set_params(batch_size=10**6, alpha=0.0)
        with pytest.warns(UserWarning, match="batch_size"):
            assert found.loss == pytest.approx(whole.fit(X, y).loss_, rel=1e-5)


def test_shapes_counts_and_alignment():
    X, y = first_step(90)  # more than one batch
    lengths = np.array([len(x) for x in X])
    model = RNNClassifier((4,), bidirectional=True, random_state=1)
    flow, end = gradient_flow(model, X, y), gradient_flow(model, X, y, align="end")
    T = lengths.max()
    assert flow.layers == ("l0", "l0_reverse")
    assert flow.hidden_norms.shape == flow.gradient_norms.shape == (2, 90, T)
    np.testing.assert_array_equal(flow.steps, np.arange(T))
    np.testing.assert_array_equal(end.steps, np.arange(T) - T + 1)
    np.testing.assert_array_equal(flow.counts, [(lengths > t).sum() for t in range(T)])
    np.testing.assert_array_equal(end.counts, flow.counts[::-1])
    for i, n in enumerate(lengths):
        for norms in ("hidden_norms", "gradient_norms"):
            one = getattr(flow, norms)[:, i]
            assert np.isnan(one[:, n:]).all() and not np.isnan(one[:, :n]).any()
            np.testing.assert_array_equal(getattr(end, norms)[:, i, T - n :], one[:, :n])
    means_ = np.nanmean(flow.gradient_norms, axis=1)
    np.testing.assert_allclose(flow.mean_gradient_norms, means_, rtol=1e-12)


@pytest.mark.parametrize(("make", "data"), [(RNNClassifier, first_step), (LSTMTagger, tagged)])
@pytest.mark.parametrize("i", [5, 90])  # of the first batch, and of the second
def test_a_sequence_s_norms_do_not_depend_on_the_others(make, data, i):
    X, y = data(100)
    model = make((4,), max_iter=1, n_iter_no_change=np.inf, dtype="float64").fit(X, y)
    flow, one = gradient_flow(model, X, y), gradient_flow(model, X[i : i + 1], y[i : i + 1])
    n = len(X[i])
    np.testing.assert_allclose(one.gradient_norms[:, 0], flow.gradient_norms[:, i, :n], rtol=1e-9)
    np.testing.assert_allclose(one.hidden_norms[:, 0], flow.hidden_norms[:, i, :n], rtol=1e-12)


def test_dropout_is_off_and_truncation_on():
    X = np.random.default_rng(0).normal(size=(8, 9, 2))
    y = X[:, 0, 0]
    model = RNNRegressor((4,), random_state=0)
    flow = gradient_flow(model, X, y)
    dropped = gradient_flow(clone(model).set_params(dropout=0.5, recurrent_dropout=0.5), X, y)
    np.testing.assert_array_equal(dropped.gradient_norms, flow.gradient_norms)
    cut = gradient_flow(clone(model).set_params(bptt_steps=4), X, y)
    assert (cut.gradient_norms[:, :, :5] == 0).all() and (cut.gradient_norms[:, :, 5:] > 0).all()
    np.testing.assert_array_equal(cut.hidden_norms, flow.hidden_norms)


def test_empty_sequences_have_no_step():
    X, y = [[]] * 200 + [["a"], ["b", "a"]], [[]] * 200 + [["X"], ["Y", "X"]]  # whole batches
    flow = gradient_flow(LSTMTagger((3,)), X, y)
    assert np.isnan(flow.gradient_norms[:, :200]).all()
    np.testing.assert_array_equal(flow.counts, [2, 1])


def test_bad_input():
    X, y = first_step(10)
    with pytest.raises(TypeError, match="last step"):
        gradient_flow(make_pipeline(FunctionTransformer(), RNNClassifier()), X, y)
    with pytest.raises(TypeError, match="Seq2SeqTranslator, which is two networks"):
        gradient_flow(Seq2SeqTranslator(), [["a"], ["b"]], [["A"], ["B"]])
    with pytest.raises(ValueError, match="align"):
        gradient_flow(RNNClassifier(), X, y, align="middle")
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        gradient_flow(RNNClassifier((0,)), X, y)
    with pytest.raises(ValueError, match="y is None"):
        gradient_flow(RNNClassifier(), X)


# Displays


@pytest.fixture
def pyplot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


def test_gradient_flow_display(pyplot):
    X, y = first_step(30)
    model = RNNClassifier((4, 3), random_state=0)
    flow = gradient_flow(model, X, y, align="end")
    _, ax = pyplot.subplots()
    display = GradientFlowDisplay.from_estimator(model, X, y, align="end", ax=ax, linewidth=3)
    assert display.ax_ is ax and display.figure_ is ax.figure
    assert [line.get_label() for line in display.lines_] == ["l0", "l1"]
    for line, norms in zip(display.lines_, flow.mean_gradient_norms, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), flow.steps)
        np.testing.assert_array_equal(line.get_ydata(), norms)
        assert line.get_linewidth() == 3
    assert "end" in ax.get_xlabel()
    display.plot(quantity="hidden")
    assert display.ax_ is not ax
    np.testing.assert_array_equal(display.lines_[1].get_ydata(), flow.mean_hidden_norms[1])
    with pytest.raises(ValueError, match="quantity"):
        display.plot(quantity="cell")


def test_loss_curve_display(pyplot):
    X, y = first_step(40)
    model = RNNClassifier((3,), max_iter=3, n_iter_no_change=np.inf)
    with pytest.raises(ValueError, match="call fit"):
        LossCurveDisplay.from_estimator(model)
    display = LossCurveDisplay.from_estimator(model.fit(X, y))
    np.testing.assert_array_equal(display.line_.get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(display.line_.get_ydata(), model.loss_curve_)
    assert display.validation_ax_ is None
    model.set_params(early_stopping=True).fit(X, y)
    display = LossCurveDisplay.from_estimator(model)
    np.testing.assert_array_equal(display.validation_line_.get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(display.validation_line_.get_ydata(), model.validation_scores_)
    assert display.validation_ax_.figure is display.figure_
    with pytest.raises(ValueError, match="3 validation scores, but losses of 2 epochs"):
        LossCurveDisplay(model.loss_curve_[:2], model.validation_scores_).plot()


def test_scores_are_drawn_at_their_epochs(pyplot, monkeypatch):
    """Early stopping, within warm starts and `partial_fit`, is turned on, off and on again."""
    X, y = first_step(40)
    model = RNNClassifier((3,), max_iter=3, n_iter_no_change=np.inf, warm_start=True)

    def epochs():
        line = LossCurveDisplay.from_estimator(model).validation_line_
        return None if line is None else line.get_xdata().tolist()

    for early_stopping, expected in (
        (False, None), (True, [4, 5, 6]), (True, [4, 5, 6, 7, 8, 9]), (False, None),
        (True, [13, 14, 15]),
    ):  # fmt: skip
        model.set_params(early_stopping=early_stopping).fit(X, y)
        assert epochs() == expected
    model.set_params(early_stopping=False).partial_fit(X, y)
    assert epochs() is None
    model.set_params(early_stopping=True).fit(X, y)
    assert epochs() == [17, 18, 19]
    validate, seen = TrainingLoop._validate, []

    def interrupted(training):
        seen.append(training)
        if len(seen) == 2:
            raise KeyboardInterrupt
        validate(training)

    monkeypatch.setattr(TrainingLoop, "_validate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    model.fit(X, y)
    assert epochs() == [*range(17, 25)]
    assert np.flatnonzero(np.isnan(model.validation_scores_)).tolist() == [4]  # of epoch 21


def test_forecast_display(pyplot):
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    waves = np.sin(np.arange(90)[:, np.newaxis] / [4, 7]) + rng.normal(size=(90, 2)) * 0.1
    parameters = {"horizon": 4, "lookback": 8, "max_iter": 2, "n_iter_no_change": np.inf}
    model = LSTMForecaster(**parameters, loss="gaussian").fit([waves])
    display = ForecastDisplay.from_estimator(
        model, [waves[:30], waves[:50]], series=1, target=1, coverage=0.5, truth=waves[50:54, 1]
    )
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), waves[:50, 1])
    np.testing.assert_array_equal(display.lines_[1].get_xdata(), [50, 51, 52, 53])
    np.testing.assert_allclose(
        display.lines_[1].get_ydata(), model.predict([waves[:50]])[0, :, 1], rtol=1e-5
    )
    interval = model.predict_interval([waves[:50]], 0.5)[0, :, 1]
    np.testing.assert_allclose(display.interval, interval, rtol=1e-5)
    assert display.band_ is not None and len(display.lines_) == 3
    dated = pd.Series(waves[:, 0], index=pd.date_range("2024-01-31", periods=90, freq="D"))
    model = LSTMForecaster(**parameters).fit(dated)
    display = ForecastDisplay.from_estimator(model, dated, horizon=6)
    assert list(display.forecast.index) == list(model.predict(horizon=6).index)
    assert len(display.lines_[1].get_xdata()) == 6 and display.band_ is None
    assert display.plot(n_history=10).lines_[0].get_xdata()[0] == np.datetime64(dated.index[80])
    with pytest.raises(ValueError, match="calibrate"):
        ForecastDisplay.from_estimator(model, dated, coverage=0.9)
    with pytest.raises(NotFittedError):
        ForecastDisplay.from_estimator(LSTMForecaster(), dated)


def test_forecast_display_of_rows_and_covariates(pyplot):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(5, 12))
    model = LSTMForecaster(max_iter=1, n_iter_no_change=np.inf).fit(rows, rows[:, 0])
    display = ForecastDisplay.from_estimator(model, rows, series=2)
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), rows[2])
    np.testing.assert_allclose(display.lines_[1].get_ydata(), model.predict(rows)[2:3], rtol=1e-5)
    series = rng.normal(size=(40, 3))
    model = LSTMForecaster(2, 6, n_targets=1, max_iter=1, n_iter_no_change=np.inf).fit([series])
    ahead = series[:32].copy()
    ahead[30:, 0] = np.nan
    display = ForecastDisplay.from_estimator(model, [ahead])
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), series[:30, 0])
    np.testing.assert_array_equal(display.lines_[1].get_xdata(), [30, 31])


def test_tag_confusion_display(pyplot):
    X, y = tagged(20)
    tagger = LSTMTagger((4,), max_iter=2, n_iter_no_change=np.inf, random_state=0).fit(X, y)
    y = [[None, *labels[1:]] for labels in y]
    display = TagConfusionDisplay.from_estimator(tagger, X, y, normalize=None)
    assert display.confusion_matrix.sum() == sum(len(labels) - 1 for labels in y)
    assert np.trace(display.confusion_matrix) / display.confusion_matrix.sum() == pytest.approx(
        tagger.score(X, y)
    )
    assert isinstance(display, TagConfusionDisplay) and display.figure_ is display.ax_.figure


def texts(labels):
    return [label.get_text() for label in labels]


def test_attention_display(pyplot):
    x = [["a", "b"], ["b", "a", "c"], ["c"]] * 4
    y = [["A", "B"], ["B", "A", "C"], []] * 4
    model = Seq2SeqTranslator((4,), max_iter=2, n_iter_no_change=np.inf, random_state=0).fit(x, y)
    _, ax = pyplot.subplots()
    display = AttentionDisplay.from_estimator(model, x[1], y[1], ax=ax, cmap="gray")
    weights = model.attention_weights(x[1:2], y[1:2])[0]
    assert display.ax_ is ax and display.figure_ is ax.figure
    np.testing.assert_array_equal(display.im_.get_array(), weights)
    assert display.im_.get_cmap().name == "gray" and display.im_.get_clim() == (0, 1)
    assert texts(ax.get_xticklabels()) == ["b", "a", "c"]
    assert texts(ax.get_yticklabels()) == ["B", "A", "C", "(end)"]
    assert len(display.figure_.axes) == 2  # and the scale
    display = AttentionDisplay.from_estimator(model, x[1], colorbar=False)
    assert display.target == model.predict(x[1:2])[0] and len(display.figure_.axes) == 1
    display = AttentionDisplay.from_estimator(model, x[2], y[2])
    assert texts(display.ax_.get_yticklabels()) == ["(end)"]
    with pytest.raises(TypeError, match="sequence"):
        AttentionDisplay.from_estimator(model, x)  # not one source
    without = clone(model).set_params(attention=None).fit(x, y)
    with pytest.raises(ValueError, match="attention=None"):
        AttentionDisplay.from_estimator(without, x[0])


def test_attention_display_of_numbers_and_of_given_weights(pyplot):
    x, y = [np.arange(6.0).reshape(3, 2)] * 4, [[7, 8], [8]] * 2
    model = Seq2SeqTranslator((4,), max_iter=1, n_iter_no_change=np.inf).fit(x, y)
    display = AttentionDisplay.from_estimator(model, x[0], y[0])
    assert texts(display.ax_.get_xticklabels()) == ["0", "1", "2"]
    assert texts(display.ax_.get_yticklabels()) == ["7", "8", "(end)"]
    weights = display.im_.get_array()
    display = AttentionDisplay.from_predictions(list("xyz"), y[0], weights[:2])
    assert texts(display.ax_.get_yticklabels()) == ["7", "8"]
    series = np.ones(2, np.float32)
    assert texts(AttentionDisplay(series, [1], [[0, 1]]).plot().ax_.get_xticklabels()) == ["0", "1"]
    for wrong in (weights[:1], weights[:, :2], weights[0]):
        with pytest.raises(ValueError, match="2 target tokens and 3 source steps"):
            AttentionDisplay.from_predictions(x[0], y[0], wrong)


def test_matplotlib_is_imported_only_when_plotting():
    code = """
        import sys
        import skrnn.inspection as inspection
        display = inspection.LossCurveDisplay([1.0, 0.5])
        assert not any(name.split(".")[0] == "matplotlib" for name in sys.modules)
        sys.modules["matplotlib"] = None
        try:
            display.plot()
        except ImportError as error:
            assert "LossCurveDisplay.plot requires matplotlib" in str(error), error
        else:
            raise AssertionError
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


def test_a_forecast_of_a_pipeline_a_panel_and_a_truth_with_dates(pyplot):
    pd = pytest.importorskip("pandas")
    days = pd.date_range("2024-01-01", periods=60, freq="D")
    series = pd.Series(np.sin(np.arange(60) / 5), index=days, name="y")
    parameters = {"horizon": 4, "lookback": 8, "hidden_layer_sizes": (3,), "max_iter": 1}
    model = LSTMForecaster(**parameters, loss="gaussian").fit(series[:50])
    for truth in (series[50:52], series[52:56]):  # fewer than forecast; later ones
        display = ForecastDisplay.from_estimator(model, series[:50], truth=truth)
        assert list(pd.DatetimeIndex(display.lines_[2].get_xdata())) == list(truth.index)
    with pytest.raises(ValueError, match="truth has 5 steps, but the forecast has 4"):
        ForecastDisplay.from_predictions([1, 2], np.ones(4), truth=np.ones(5))
    pipeline = make_pipeline(
        CalendarFeatures(("dayofweek",)), LSTMForecaster(**parameters, n_targets=1)
    )
    ahead = pd.Series(np.nan, index=days[50:54], name="y")
    X = pd.concat([series[:50], ahead])
    display = ForecastDisplay.from_estimator(pipeline.fit(series[:50]), X)
    assert list(pd.DatetimeIndex(display.lines_[1].get_xdata())) == list(days[50:54])
    panel = pd.concat({"a": series, "b": 10 + series})
    model = LSTMForecaster(**parameters, loss="gaussian").fit(panel)
    display = ForecastDisplay.from_estimator(model, panel, series=1, coverage=0.8)
    assert np.allclose(display.lines_[0].get_ydata(), 10 + series)
    assert display.lines_[1].get_xdata()[0] == days[-1] + pd.Timedelta(days=1)
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()][-1] == "interval"
