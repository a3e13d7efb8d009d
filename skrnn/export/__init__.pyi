"""Types of the public names, from the docstrings: see tests/helpers/make_stubs.py."""

from typing import Any

__all__ = ["onnx_inputs", "to_onnx"]

def onnx_inputs(model: Any, X: Any) -> dict[str, Any]: ...
def to_onnx(model: Any) -> Any: ...
