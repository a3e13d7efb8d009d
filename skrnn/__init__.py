"""Recurrent networks (RNN, LSTM, GRU) as scikit-learn estimators."""

from importlib import import_module
from typing import TYPE_CHECKING

from skrnn._show_versions import show_versions
from skrnn._trusted_types import trusted_types
from skrnn._version import __version__

if TYPE_CHECKING:  # for editors and type checkers
    from skrnn._classifier import RNNClassifier
    from skrnn._forecaster import LSTMForecaster
    from skrnn._language_model import LSTMLanguageModel
    from skrnn._regressor import RNNRegressor
    from skrnn._tagger import LSTMTagger
    from skrnn._translator import Seq2SeqTranslator

__all__ = [
    "LSTMForecaster",
    "LSTMLanguageModel",
    "LSTMTagger",
    "RNNClassifier",
    "RNNRegressor",
    "Seq2SeqTranslator",
    "__version__",
    "show_versions",
    "trusted_types",
]

# Imported when first asked for: all estimators together take some 80 ms, each half of it.
_MODULES = {
    "LSTMForecaster": "_forecaster",
    "LSTMLanguageModel": "_language_model",
    "LSTMTagger": "_tagger",
    "RNNClassifier": "_classifier",
    "RNNRegressor": "_regressor",
    "Seq2SeqTranslator": "_translator",
}
_SUBMODULES = [
    "datasets",
    "distributed",
    "export",
    "inspection",
    "metrics",
    "model_selection",
    "preprocessing",
]


def __getattr__(name):
    if name in _SUBMODULES:
        return import_module(f"skrnn.{name}")
    if name not in _MODULES:
        raise AttributeError(f"module 'skrnn' has no attribute {name!r}")
    globals()[name] = found = getattr(import_module(f"skrnn.{_MODULES[name]}"), name)
    return found


def __dir__():
    return sorted({*globals(), *_MODULES, *_SUBMODULES})
