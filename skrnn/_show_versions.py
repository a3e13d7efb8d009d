"""Versions and settings for a bug report."""

import platform
import sys

import numpy as np
import scipy
import sklearn

from skrnn import _kernels
from skrnn._kernels import cpu
from skrnn._network.threads import effective_n_threads
from skrnn._version import __version__


def show_versions():
    """Print instruction set, threads and versions.

    Examples
    --------
    >>> import skrnn
    >>> skrnn.show_versions()  # doctest: +ELLIPSIS
    skrnn: ...
    """
    facts = {
        "skrnn": __version__,
        "instruction set": f"{_kernels.LEVEL} (this processor has {', '.join(cpu.levels())})",
        "OpenMP": "yes" if cpu.openmp() else "no, one thread",
        "threads": effective_n_threads(),
        "python": sys.version.replace("\n", " "),
        "machine": platform.platform(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
    }
    for name, fact in facts.items():
        print(f"{name}: {fact}")
