"""GradientFlowDisplay shows what gradient_flow returns."""

import numpy as np
import pytest
from problems import first_step

from skrnn import RNNClassifier
from skrnn.inspection import GradientFlowDisplay, gradient_flow


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
