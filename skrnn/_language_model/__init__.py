"""LSTMLanguageModel: predict the next token, and with it the probability of sequences."""

from skrnn._language_model.language_model import LSTMLanguageModel

__all__ = ["LSTMLanguageModel"]
