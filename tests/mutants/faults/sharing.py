"""Faults in how fits that run side by side share the threads."""

from faults import Fault

ENSEMBLE = (
    "network/test_threads.py::"
    "test_an_ensemble_of_networks_shares_the_threads_and_has_the_bits_of_single_fits"
)
WITHIN = "network/test_threads.py::test_a_fit_within_a_fit_takes_all_threads"
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
        "        FITTING.add(thread)\n",
        "",
        ENSEMBLE,
    ),
    Fault(
        "threads: a fit that has ended is counted",
        "_base/training.py",
        "            if outermost:\n",
        "            if not outermost:\n",
        WITHIN,
    ),
]
