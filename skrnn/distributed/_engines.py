"""Engines that run a function beside each shard of the data: what `skrnn.distributed.fit` needs."""

import time
from concurrent.futures import BrokenExecutor

# How often the work of a shard is given out again after its worker was lost.
MOST_ATTEMPTS = 10
# Seconds without any worker after which an engine is given up, and between two looks.
PATIENCE, LOOK = 30, 1


class EngineLostError(RuntimeError):
    """The scheduler or all workers are gone, or the worker of a shard was lost too often."""


def load(shard):
    """Return the shard, or what the callable that stands for it returns."""
    return shard() if callable(shard) else shard


def call_on(function, shard, arguments):
    """Call a function on a shard: what a worker runs."""
    return function(load(shard), *arguments)


class Engine:
    """Run a function beside each shard of the data; other engines derive from this one.

    An engine of your own fills in `_place` and `_run`, which have the parameters of `place` and
    `run`.

    Attributes
    ----------
    n_workers : int
        Number of shards to make of data that come in one piece.
    """

    n_workers = 1

    def place(self, shards):
        """Bring shards to where they are read.

        Parameters
        ----------
        shards : list
            A shard is any object, or a callable without arguments that returns it, which is called
            where the shard is read.

        Returns
        -------
        handles : list
            One per shard, for `run`.
        """
        return self._place(shards)

    def run(self, function, handles, arguments):
        """Call a function beside each shard.

        Parameters
        ----------
        function : callable
            Called as `function(shard, *arguments[k])`; it can be pickled.

        handles : list
            What `place` returned.

        arguments : list of tuple
            One per shard.

        Returns
        -------
        results : list
            One per shard, in the order of the handles.

        Raises
        ------
        EngineLostError
            If the scheduler or all workers are gone.
        """
        return self._run(function, handles, arguments)


class SerialEngine(Engine):
    """Run shards one after the other in this process: the reference for all other engines."""

    def _place(self, shards):
        return [load(shard) for shard in shards]

    def _run(self, function, handles, arguments):
        return [function(shard, *given) for shard, given in zip(handles, arguments)]


class ExecutorEngine(Engine):
    """Run shards on a `concurrent.futures.Executor`.

    Those of Python, of mpi4py (`MPIPoolExecutor`), of loky and of others have this interface. A
    shard travels with each call, so on other machines shards should be callables that read a file.

    Parameters
    ----------
    executor : concurrent.futures.Executor

    n_workers : int, default=None
        Number of shards to make of data that come in one piece; None asks the executor.
    """

    def __init__(self, executor, n_workers=None):
        self.executor = executor
        self.n_workers = n_workers or getattr(executor, "_max_workers", None) or 1

    def _place(self, shards):
        return list(shards)

    def _run(self, function, handles, arguments):
        try:
            futures = [
                self.executor.submit(call_on, function, shard, given)
                for shard, given in zip(handles, arguments)
            ]
            return [future.result() for future in futures]
        except BrokenExecutor as error:
            raise EngineLostError(f"The executor's workers are lost: {error}") from error


class DaskEngine(Engine):
    """Run shards on a Dask cluster; a worker that is lost costs the work it was doing.

    Parameters
    ----------
    client : distributed.Client
        Connected to a scheduler. Shards may be Dask's own `Delayed` objects, which the workers make
        again when a worker that held one is lost; others are kept here to be sent again.
    """

    def __init__(self, client):
        self.client = client
        self.n_workers = max(1, len(client.scheduler_info(n_workers=-1)["workers"]))

    def _place(self, shards):
        return [Placed(self.client, shard) for shard in shards]

    def _run(self, function, handles, arguments):
        results, waiting = [None] * len(handles), {}
        for k in range(len(handles)):
            waiting[k] = self._submit(function, handles[k], arguments[k]), 1
        alone_since = None
        while waiting:
            ended = [k for k, (future, _) in waiting.items() if future.done()]
            for k in ended:
                future, attempts = waiting.pop(k)
                try:
                    results[k] = future.result(timeout=PATIENCE)
                except Exception as error:
                    if not is_loss(error):
                        raise  # the function's own
                    self._check_connected(error)
                    if attempts == MOST_ATTEMPTS:
                        raise EngineLostError(
                            f"The worker of shard {k} was lost {attempts} times: {error}"
                        ) from error
                    handles[k].place_again()
                    waiting[k] = self._submit(function, handles[k], arguments[k]), attempts + 1
            if waiting and not ended and not self._wait([f for f, _ in waiting.values()]):
                self._check_connected()
                alone_since = self._alone_since(alone_since)
        return results

    def _submit(self, function, handle, arguments):
        try:
            return self.client.submit(call_on, function, handle.future, arguments, pure=False)
        except Exception as error:
            raise EngineLostError(f"The Dask client cannot submit work: {error}") from error

    def _wait(self, futures):
        """Wait until a future is done; False after a second without one."""
        from distributed import wait

        try:
            wait(futures, timeout=LOOK, return_when="FIRST_COMPLETED")
        except Exception as error:
            if not isinstance(error, TimeoutError) and not is_loss(error):
                raise
            return False
        return True

    def _check_connected(self, error=None):
        if self.client.status != "running":
            raise EngineLostError("The Dask scheduler is lost.") from error

    def _alone_since(self, since):
        """Return since when there has been no worker, or None; too long ago is an error."""
        try:
            workers = self.client.scheduler_info(n_workers=-1)["workers"]
        except Exception as error:
            raise EngineLostError("The Dask scheduler is lost.") from error
        if workers:
            return None
        if since is not None and time.monotonic() - since > PATIENCE:
            raise EngineLostError(f"The Dask cluster has had no worker for {PATIENCE} s.")
        return since or time.monotonic()


class Placed:
    """A shard on a Dask cluster, and what it takes to bring it there again."""

    def __init__(self, client, shard):
        self.client, self.shard = client, shard
        self.place_again()

    def place_again(self):
        """Send the shard, or have the workers make it."""
        is_delayed = hasattr(self.shard, "__dask_graph__")
        try:
            self.client.wait_for_workers(1, timeout=PATIENCE)
            if is_delayed:
                self.future = self.client.compute(self.shard)
            else:
                self.future = self.client.scatter(self.shard, hash=False)
        except Exception as error:
            raise EngineLostError(f"The Dask client cannot place a shard: {error}") from error


def is_loss(error):
    """Whether an exception of a future says that a worker was lost, not that its work failed."""
    from concurrent.futures import CancelledError

    names = {"KilledWorker", "FutureCancelledError", "FutureLostError", "CancelledError",
             "CommClosedError", "NoValidWorkerError"}  # fmt: skip
    return isinstance(error, CancelledError) or type(error).__name__ in names
