"""A look inside: gradients over time, and displays of losses, forecasts and confused labels."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from skrnn._displays import (
    ForecastDisplay,
    GradientFlowDisplay,
    LossCurveDisplay,
    TagConfusionDisplay,
)
from skrnn._gradient_flow import GradientFlow, gradient_flow

__all__ = [
    "ForecastDisplay",
    "GradientFlow",
    "GradientFlowDisplay",
    "LossCurveDisplay",
    "TagConfusionDisplay",
    "gradient_flow",
]
