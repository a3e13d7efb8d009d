"""TagConfusionDisplay counts the labeled steps."""

import numpy as np
import pytest
from problems import tagged

from skrnn import LSTMTagger
from skrnn.inspection import TagConfusionDisplay


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
