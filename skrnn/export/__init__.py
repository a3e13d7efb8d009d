"""Export of fitted models to other formats: ONNX."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from skrnn.export._inputs import onnx_inputs
from skrnn.export._onnx import to_onnx

__all__ = ["onnx_inputs", "to_onnx"]
