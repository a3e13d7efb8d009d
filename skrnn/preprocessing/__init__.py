"""Preprocessing of sequences: transformers of steps and tokens, frames, windows, the calendar."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from skrnn.preprocessing._calendar import CalendarFeatures
from skrnn.preprocessing._frames import Frames
from skrnn.preprocessing._long import from_long, to_long
from skrnn.preprocessing._panel import to_panel
from skrnn.preprocessing._partial_fit import partial_fit_pipeline
from skrnn.preprocessing._per_sequence import PerSequence
from skrnn.preprocessing._per_step import PerStep
from skrnn.preprocessing._tag_schemes import convert_tag_scheme
from skrnn.preprocessing._token_encoder import TokenEncoder
from skrnn.preprocessing._windows import SlidingWindow

__all__ = [
    "CalendarFeatures",
    "Frames",
    "PerSequence",
    "PerStep",
    "SlidingWindow",
    "TokenEncoder",
    "convert_tag_scheme",
    "from_long",
    "partial_fit_pipeline",
    "to_long",
    "to_panel",
]
