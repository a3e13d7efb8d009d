"""Recurrent networks (RNN, LSTM, GRU) as scikit-learn estimators."""

from skrnn._classifier import RNNClassifier
from skrnn._forecaster import LSTMForecaster
from skrnn._language_model import LSTMLanguageModel
from skrnn._regressor import RNNRegressor
from skrnn._tagger import LSTMTagger
from skrnn._translator import Seq2SeqTranslator
from skrnn._versions import __version__, show_versions

__all__ = [
    "LSTMForecaster",
    "LSTMLanguageModel",
    "LSTMTagger",
    "RNNClassifier",
    "RNNRegressor",
    "Seq2SeqTranslator",
    "__version__",
    "show_versions",
]
