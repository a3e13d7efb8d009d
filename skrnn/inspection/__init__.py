"""Inspection: gradients over time, hidden states, permutation importance, displays."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from skrnn.inspection._attention import AttentionDisplay
from skrnn.inspection._forecast import ForecastDisplay
from skrnn.inspection._gradient_flow import GradientFlow, gradient_flow
from skrnn.inspection._gradient_flow_display import GradientFlowDisplay
from skrnn.inspection._hidden_states import hidden_states
from skrnn.inspection._loss_curve import LossCurveDisplay
from skrnn.inspection._permutation_importance import permutation_importance
from skrnn.inspection._pooling_weights import pooling_weights
from skrnn.inspection._tag_confusion import TagConfusionDisplay

__all__ = [
    "AttentionDisplay",
    "ForecastDisplay",
    "GradientFlow",
    "GradientFlowDisplay",
    "LossCurveDisplay",
    "TagConfusionDisplay",
    "gradient_flow",
    "hidden_states",
    "permutation_importance",
    "pooling_weights",
]
