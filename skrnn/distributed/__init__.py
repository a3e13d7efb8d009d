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

__all__ = ["DaskEngine", "Engine", "EngineLostError", "ExecutorEngine", "SerialEngine", "fit"]
