"""Recurrent networks (RNN, LSTM, GRU) as scikit-learn estimators."""

from skrnn._classifier import RNNClassifier
from skrnn._regressor import RNNRegressor
from skrnn._versions import __version__, show_versions

__all__ = ["RNNClassifier", "RNNRegressor", "__version__", "show_versions"]
