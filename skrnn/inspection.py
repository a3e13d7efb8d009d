"""A look inside: gradients over time, displays of losses, forecasts, confused labels, attention."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from skrnn._attention_display import AttentionDisplay
from skrnn._displays import (
    ForecastDisplay,
    GradientFlowDisplay,
    LossCurveDisplay,
    TagConfusionDisplay,
)
from skrnn._gradient_flow import GradientFlow, gradient_flow

__all__ = [
    "AttentionDisplay",
    "ForecastDisplay",
    "GradientFlow",
    "GradientFlowDisplay",
    "LossCurveDisplay",
    "TagConfusionDisplay",
    "gradient_flow",
]
