"""Memory follows need: what a call adds is some times its data, not its data times a parameter."""

import tracemalloc
from functools import partial

import numpy as np
import pytest
from problems import quick

from skrnn import LSTMForecaster, LSTMTagger, Seq2SeqTranslator
from skrnn._data.overlapping_sequences import OverlappingSequences

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
WAVE = np.sin(np.arange(6000) / 6) + 0.1 * np.random.default_rng(0).normal(size=6000)


def peak(call):
    """Return the megabytes of Python's and NumPy's memory that a call adds at most."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def test_calibration_reads_origins_in_blocks(monkeypatch):
    model = quick(LSTMForecaster, horizon=24, hidden_layer_sizes=(2,), max_iter=1).fit(WAVE[:500])
    model.calibrate(WAVE)
    found = model._conformal.copy()
    # 5,900 origins, 96 steps of each, 24 forecasts from each step: 108 MB in double precision.
    assert peak(lambda: model.calibrate(WAVE)) < 60
    monkeypatch.setattr("skrnn._forecaster.calibration.CALIBRATED_NUMBERS", np.inf)
    np.testing.assert_allclose(model.calibrate(WAVE)._conformal, found, atol=1e-6)


@pytest.mark.parametrize("more", [{}, {"difference": "season", "season_length": 7}])
def test_targets_of_a_long_horizon_are_kept_once(more):
    model = quick(LSTMForecaster, horizon=336, hidden_layer_sizes=(2,), max_iter=1, **more)
    # Every step has 336 targets, in single precision, and every step is read twice: 15 MB.
    assert peak(lambda: model.fit(WAVE)) < 45


def test_many_labels_of_few_units():
    tags = list(np.arange(400).reshape(4, 100))
    X = list(np.random.default_rng(0).normal(size=(4, 100, 2)))
    model = quick(LSTMTagger, hidden_layer_sizes=(2,), crf=True, max_iter=1).fit(X, tags)
    # 51,200 steps of 400 labels, three numbers each: 246 MB.
    assert peak(lambda: model.predict(X * 128)) < 120


def test_one_long_target_in_training():
    X = [list("ab"), list("ba")] * 20 + [list("abc")]
    y = [list("xy"), list("yx")] * 20 + [list("xyxyx" * 400)]
    model = quick(Seq2SeqTranslator, hidden_layer_sizes=(8,), max_iter=20, beam_width=4)
    model.set_params(learning_rate_init=0.02, max_length=None).fit(X, y)
    # 2,000 sources, 8 hypotheses of up to 4,000 tokens each: 512 MB.
    assert peak(lambda: model.predict([list("ab")] * 2000)) < 160


@pytest.mark.parametrize("loss", ["gaussian", "negative_binomial"])
def test_pieces_of_series_share_their_steps(loss, monkeypatch):
    """Side by side, the pieces of a panel would take twice the steps, and again in each epoch."""
    X = np.random.default_rng(0).poisson(4, (120, 500, 8)).astype(float)
    model = quick(LSTMForecaster, horizon=3, lookback=48, loss=loss, n_targets=1, max_iter=1,
                  past_covariates=list(range(1, 8)), hidden_layer_sizes=(2,), batch_size=8,
                  dtype="float32")  # fmt: skip
    weights = model.fit(X)._params.copy()  # few enough to stand side by side
    monkeypatch.setattr("skrnn._forecaster.series.SIDE_BY_SIDE_BYTES", 0)
    sequences = "skrnn._forecaster.series.OverlappingSequences"
    monkeypatch.setattr(sequences, partial(OverlappingSequences, buffer_bytes=50_000))
    assert peak(lambda: model.fit(X)) < 4 * X.nbytes / 2**20
    np.testing.assert_array_equal(model._params, weights)
