"""What calls that change an estimator keep to: one at a time, and all or nothing."""

import os
import threading
import weakref


class OneFit:
    """One `fit` of an estimator, from its making on: another thread's is refused until it `ends`.

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
                    "copy of it, as sklearn.base.clone makes one, or wait."
                )
            self._running[self._id] = self

    def ends(self):
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


def restore_on_error(estimator, call, *args, **kwargs):
    """Return what a call gives; where it fails, the estimator keeps all attributes it had.

    Arrays that are changed in place are not put back: the call changes copies.

    Parameters
    ----------
    estimator : object
    call : callable
    *args, **kwargs
        Its arguments.
    """
    before, failed = estimator.__dict__.copy(), estimator.__dict__
    try:
        return call(*args, **kwargs)
    except BaseException:
        # One store, and nothing before it at which Python looks for signals: an interrupt comes
        # before the failure or after the restoration.
        estimator.__dict__ = before
        # scikit-learn tears its callbacks down after this, by attributes of theirs.
        before.update({name: value for name, value in failed.items() if "callback" in name})
        raise
