"""The named tuples that pass to the compiled side, for all that is above `_network`."""

from skrnn._kernels.border import (
    BatchLimits,
    CarriedStates,
    DirectionChunks,
    DistinctTokens,
    HypothesisArrays,
    KernelData,
    KernelTargets,
    PairLimits,
    Spellings,
    TargetSequences,
)

__all__ = [
    "BatchLimits",
    "CarriedStates",
    "DirectionChunks",
    "DistinctTokens",
    "HypothesisArrays",
    "KernelData",
    "KernelTargets",
    "PairLimits",
    "Spellings",
    "TargetSequences",
]
