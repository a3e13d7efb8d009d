"""Faults in how fits that run side by side share the threads."""

from faults import Fault

ENSEMBLE = (
    "network/test_threads.py::"
    "test_an_ensemble_of_networks_shares_the_threads_and_has_the_bits_of_single_fits"
)
FAULTS = [
    Fault(
        "threads: each fit takes all of them, however many run",
        "_network/batches.py",
        "max(1, choice.most // max(1, len(FITTING)))",
        "choice.most",
        ENSEMBLE,
    ),
    Fault(
        "threads: a fit is not counted among those that run",
        "_base/training.py",
        "FITTING[thread] = self",
        "pass",
        ENSEMBLE,
    ),
]
