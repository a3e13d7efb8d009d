"""LossCurveDisplay shows losses, scores and the epoch that early stopping kept."""

import numpy as np
import pytest
from problems import first_step
from sklearn.neural_network import MLPClassifier

from skrnn import RNNClassifier
from skrnn._base.training import TrainingLoop
from skrnn.inspection import LossCurveDisplay


def test_loss_curve_display(pyplot):
    X, y = first_step(40)
    model = RNNClassifier((3,), max_iter=3, n_iter_no_change=np.inf)
    with pytest.raises(ValueError, match="call fit"):
        LossCurveDisplay.from_estimator(model)
    display = LossCurveDisplay.from_estimator(model.fit(X, y))
    np.testing.assert_array_equal(display.line_.get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(display.line_.get_ydata(), model.loss_curve_)
    assert display.validation_ax_ is display.best_line_ is None
    model.set_params(early_stopping=True).fit(X, y)
    display = LossCurveDisplay.from_estimator(model)
    np.testing.assert_array_equal(display.validation_line_.get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(display.validation_line_.get_ydata(), model.validation_scores_)
    assert display.validation_ax_.figure is display.figure_
    with pytest.raises(ValueError, match="3 validation scores, but losses of only 2 epochs"):
        LossCurveDisplay(model.loss_curve_[:2], model.validation_scores_).plot()


def test_the_epoch_that_was_kept_is_marked(pyplot):
    X, y = first_step(40)
    model = RNNClassifier((3,), max_iter=4, n_iter_no_change=np.inf, random_state=0)
    model.set_params(early_stopping=True, scoring="accuracy", learning_rate_init=1e-5).fit(X, y)
    assert len(set(model.validation_scores_)) == 1  # ties, which the loss decides
    assert model.best_epoch_ > 1
    display = LossCurveDisplay.from_estimator(model)
    assert display.best_line_.get_xdata() == [model.best_epoch_] * 2
    assert display.ax_.get_legend().get_texts()[0].get_text() == f"best epoch: {model.best_epoch_}"
    foreign = MLPClassifier()
    foreign.loss_curve_, foreign.validation_scores_ = [3.0, 2.0, 1.0], [0.5, 0.7, 0.7]
    assert LossCurveDisplay.from_estimator(foreign).best_epoch == 2  # that one keeps the first
    for wrong in (0, 4):
        with pytest.raises(ValueError, match="from 1 to 3"):
            LossCurveDisplay([3.0, 2.0, 1.0], best_epoch=wrong).plot()


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
