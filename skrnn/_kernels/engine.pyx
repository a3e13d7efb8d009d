"""What Python calls: train on batches, predict batches, forecast, sample, translate, inspect one
batch.

setup.py compiles this file once for every (instruction set, precision) pair; `skrnn._kernels`
picks one. It only includes `entries/`, and these cimport the kernels: everything of a variant is
one compilation unit, so that the compiler inlines from the entry down to the register tile. Nothing
here keeps state: a call gets the plan, the parameters, the workspace and the data, and leaves its
results in arrays that NumPy owns. Sizes are checked before `nogil`.
"""
import numpy as np

from skrnn._kernels.border import BatchLimits, KernelData, PairLimits

include "entries/tables.pxi"
include "entries/open.pxi"
include "entries/checks.pxi"
include "entries/train.pxi"
include "entries/truncated_bptt.pxi"
include "entries/predict.pxi"
include "entries/forecast.pxi"
include "entries/stepper.pxi"
include "entries/probes.pxi"
include "entries/part_probes.pxi"
include "entries/encoder_decoder.pxi"
include "entries/beam_search.pxi"
include "entries/likelihood.pxi"
include "entries/sample.pxi"
