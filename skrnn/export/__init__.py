"""Exchange with other packages: fitted models as ONNX, weights from and to PyTorch."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from skrnn.export._inputs import onnx_inputs
from skrnn.export._onnx import to_onnx
from skrnn.export._torch import from_torch, to_torch

__all__ = ["from_torch", "onnx_inputs", "to_onnx", "to_torch"]
