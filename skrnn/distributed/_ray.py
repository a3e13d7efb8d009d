"""Shards on a Ray cluster."""

from skrnn.distributed._engines import MOST_ATTEMPTS, Engine, EngineLostError, call_on, load


class RayEngine(Engine):
    """Run shards as tasks of Ray; a worker that is lost costs the work it was doing.

    Ray keeps a shard in its object store, and makes it again, or runs a task again, where a worker
    is lost. Call `ray.init` first.
    """

    def __init__(self):
        import ray

        if not ray.is_initialized():
            raise ValueError("Ray is not connected. Call ray.init() before.")
        self.n_workers = max(1, int(ray.cluster_resources().get("CPU", 1)))

    def _place(self, shards):
        import ray

        make = ray.remote(load).options(max_retries=MOST_ATTEMPTS)
        return [make.remote(shard) if callable(shard) else ray.put(shard) for shard in shards]

    def _run(self, function, handles, arguments):
        import ray

        call = ray.remote(call_on).options(max_retries=MOST_ATTEMPTS)
        try:
            return ray.get([call.remote(function, *given) for given in zip(handles, arguments)])
        except ray.exceptions.RayTaskError as error:
            raise error.cause from error  # the function's own
        except (ray.exceptions.RayError, ConnectionError) as error:
            raise EngineLostError(f"Ray has lost its workers: {error}") from error
