"""LSTMForecaster: forecast the next values of series."""

from skrnn._forecaster.forecaster import LSTMForecaster

__all__ = ["LSTMForecaster"]
