"""AttentionDisplay shows the weights that it is given, beside their tokens."""

import numpy as np
import pytest
from sklearn.base import clone

from skrnn import Seq2SeqTranslator
from skrnn.inspection import AttentionDisplay


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
