"""Optimizer state on one flat vector, the learning-rate schedules of MLPClassifier, and copies.

The step itself is ``_kernels/optimizer.pxd``. Training goes back to a copy where it diverges.
"""

from dataclasses import dataclass
from tempfile import TemporaryFile

import numpy as np

# "adaptive" stops dividing the step size here, as scikit-learn's SGDOptimizer does.
SMALLEST_ADAPTIVE_RATE = 1e-6
# A step size that still diverges after so many halvings (a factor of 1000) is not the cause.
MAX_HALVINGS = 10
# Copies of more bytes than this lie in a temporary file: those of two epochs are kept at a time,
# each three times the weights with Adam.
MEMORY_BYTES = 2**26

PARAMETERS = (
    "solver", "alpha", "learning_rate", "learning_rate_init", "power_t", "momentum",
    "nesterovs_momentum", "beta_1", "beta_2", "epsilon", "max_grad_norm",
)  # fmt: skip


def all_finite(array):
    """Whether all numbers are finite, without a mask of them all."""
    return bool(np.isfinite(array.min(initial=0)) and np.isfinite(array.max(initial=0)))


@dataclass(eq=False)
class Optimizer:
    """Moments, step count and current learning rate.

    Attributes
    ----------
    params : dict
        Values of `PARAMETERS`, under scikit-learn's names.
    learning_rate : float
        That of the schedule now.
    halvings : int
        How often it was halved since the loss diverged.
    step : int
        Batches so far.
    m, v : ndarray of shape (n_params,)
        First and second moments; the second are empty unless the solver is 'adam'.
    """

    params: dict
    learning_rate: float
    halvings: int
    step: int
    m: np.ndarray
    v: np.ndarray

    @classmethod
    def new(cls, params, n_params, dtype):
        """Return one that has not taken a step.

        Parameters
        ----------
        params : dict
            Values of `PARAMETERS`, among others.
        n_params : int
            Length of the vector of weights.
        dtype : dtype
            Of the weights.
        """
        m = np.zeros(n_params, dtype)
        v = np.zeros(n_params if params["solver"] == "adam" else 0, dtype)
        params = {name: params[name] for name in PARAMETERS}
        return cls(params, float(params["learning_rate_init"]), 0, 0, m, v)

    def follow(self, params):
        """Take over what the user has changed; False where these moments cannot go on.

        A new initial rate, or a new schedule, starts the schedule anew.
        """
        old, self.params = self.params, {name: params[name] for name in PARAMETERS}
        if any(old[name] != self.params[name] for name in ("learning_rate", "learning_rate_init")):
            self.learning_rate = float(self.params["learning_rate_init"])
            self.halvings = 0
        return old["solver"] == self.params["solver"]

    def is_finite(self):
        """Whether moments are finite: one that is not would stop its weight for good."""
        return all_finite(self.m) and all_finite(self.v)

    def settings(self, seed=0, penalty_weight=1.0):
        """Return what the kernel needs for the next batches.

        Parameters
        ----------
        seed : int, default=0
            Of the dropout masks.
        penalty_weight : float, default=1.0
            Weight of all data: the L2 penalty is that of the data, not of a batch.
        """
        return {
            "solver": self.params["solver"],
            "alpha": self.params["alpha"] / penalty_weight,
            "max_norm": self.params["max_grad_norm"] or 0.0,
            "learning_rate": self.learning_rate * 0.5**self.halvings,
            "beta_1": self.params["beta_1"],
            "beta_2": self.params["beta_2"],
            "epsilon": self.params["epsilon"],
            "momentum": self.params["momentum"],
            "nesterov": self.params["nesterovs_momentum"],
            "step": self.step,
            "seed": seed,
        }

    def epoch_begins(self, epoch, epochs):
        """Apply the 'linear' schedule: from lr_init in the first epoch towards 0 after the last."""
        if self.params["learning_rate"] == "linear":
            self.learning_rate = float(self.params["learning_rate_init"]) * (1 - epoch / epochs)

    def epoch_ends(self, n_seen):
        """Apply the 'invscaling' schedule: lr = lr_init / (sequences seen + 1)^power_t."""
        if self.params["solver"] == "sgd" and self.params["learning_rate"] == "invscaling":
            initial = float(self.params["learning_rate_init"])
            self.learning_rate = initial * (n_seen + 1.0) ** -self.params["power_t"]

    def goes_on(self):
        """Whether training goes on where the loss has stalled: 'adaptive' divides the rate by 5."""
        if self.params["solver"] != "sgd" or self.params["learning_rate"] != "adaptive":
            return False
        if self.learning_rate <= SMALLEST_ADAPTIVE_RATE:
            return False
        self.learning_rate /= 5.0
        return True


class Snapshot:
    """Copies of arrays as they stand.

    Large ones go to a temporary file, which has no name and ends with the object; where none can be
    written they stay in memory.

    Parameters
    ----------
    *arrays : ndarray
        Contiguous.
    """

    def __init__(self, *arrays):
        self._file = None
        if sum(array.nbytes for array in arrays) > MEMORY_BYTES:
            self._file = _write(arrays)
        self._copies = [array.copy() for array in arrays] if self._file is None else None

    def restore(self, *arrays):
        """Overwrite the same arrays, or others of their sizes, by the copies."""
        if self._file is None:
            for array, copy in zip(arrays, self._copies, strict=True):
                array[:] = copy
            return
        self._file.seek(0)
        for array in arrays:
            if self._file.readinto(memoryview(array).cast("B")) != array.nbytes:
                raise OSError("the temporary file with the weights of an earlier epoch is cut off")


def _write(arrays):
    try:
        file = TemporaryFile()  # noqa: SIM115 -- it lives as long as the snapshot
    except OSError:
        return None
    try:
        for array in arrays:
            file.write(memoryview(array).cast("B"))
        file.flush()
    except OSError:  # for example: no space left
        file.close()
        return None
    return file
