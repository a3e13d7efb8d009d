"""Training on several machines: shards of the data, local steps, averaged weights."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from skrnn.distributed._engines import (
    DaskEngine,
    Engine,
    EngineLostError,
    ExecutorEngine,
    SerialEngine,
)
from skrnn.distributed._local_sgd import fit
from skrnn.distributed._ray import RayEngine
from skrnn.distributed._spark import SparkEngine

__all__ = [
    "DaskEngine",
    "Engine",
    "EngineLostError",
    "ExecutorEngine",
    "RayEngine",
    "SerialEngine",
    "SparkEngine",
    "fit",
]
