"""Guards of calls that change an estimator: one call at a time, all of it or nothing."""

import os
import threading
import weakref


class OneFit:
    """One `fit` of an estimator, from its making on: another thread's is refused until it ends.

    What runs is noted here, not in the estimator: copies, pickles and forks of one that is being
    fitted are free. The note lives no longer than this object, however its owner is left.

    Parameters
    ----------
    estimator : object

    Raises
    ------
    RuntimeError
        Where another thread fits the estimator.
    """

    _running: weakref.WeakValueDictionary = weakref.WeakValueDictionary()  # by the estimator's id
    _lock = threading.Lock()

    def __init__(self, estimator):
        self._id, self._thread = id(estimator), threading.get_ident()
        with self._lock:
            other = self._running.get(self._id)
            if other is not None and other._thread != self._thread:
                raise RuntimeError(
                    f"This {type(estimator).__name__} is being fitted by another thread. Fit a "
                    "copy made by sklearn.base.clone, or wait."
                )
            self._running[self._id] = self

    def __enter__(self):
        return self

    def __exit__(self, *error):
        """Let others fit the estimator."""
        with self._lock:
            if self._running.get(self._id) is self:
                del self._running[self._id]

    @classmethod
    def forget(cls):
        """Start anew in a child process, in which no other thread goes on."""
        cls._running, cls._lock = weakref.WeakValueDictionary(), threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=OneFit.forget)


class restore_on_error:
    """Context that leaves an estimator as it was where what is done to it fails.

    Its attributes come back in one store: an interrupt finds those of before, or those of after.
    Arrays that are changed in place are not put back: what is done changes copies.

    Parameters
    ----------
    estimator : object

    Attributes
    ----------
    keeps_interrupts : bool
        Whether an interrupt is no failure: what it leaves stays.
    """

    def __init__(self, estimator):
        self._estimator, self._before = estimator, estimator.__dict__.copy()
        self.keeps_interrupts = False

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        # Nothing is called up to the store, not even issubclass: at calls Python looks for signals.
        if kind is None or (self.keeps_interrupts and KeyboardInterrupt in kind.__mro__):
            return
        failed = self._estimator.__dict__
        self._estimator.__dict__ = self._before
        # scikit-learn tears its callbacks down after this, by attributes of theirs.
        self._before.update({key: part for key, part in failed.items() if "callback" in key})
