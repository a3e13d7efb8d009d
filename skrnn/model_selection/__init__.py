"""Evaluation of forecasters in time: backtests, and cross-validation of panels."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from skrnn.model_selection._backtest import backtest
from skrnn.model_selection._split import TimeSeriesPanelSplit

__all__ = ["TimeSeriesPanelSplit", "backtest"]
