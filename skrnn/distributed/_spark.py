"""Shards on a Spark cluster."""

from skrnn.distributed._engines import Engine, EngineLostError, call_on, load


class SparkEngine(Engine):
    """Run shards as partitions of a cached RDD, one job per round.

    Workers do not talk to one another between two averages, so that Spark's barrier mode is not
    needed, and Spark runs the task of a lost executor again, as often as `spark.task.maxFailures`
    says.

    Parameters
    ----------
    session : pyspark.sql.SparkSession
        skrnn is installed on its executors.
    """

    def __init__(self, session):
        self.session = session
        self.n_workers = max(1, session.sparkContext.defaultParallelism)

    def _place(self, shards):
        context = self.session.sparkContext
        self._placed = context.parallelize(list(enumerate(shards)), len(shards)).mapValues(load)
        self._placed.cache()
        return list(range(len(shards)))

    def _run(self, function, handles, arguments):
        context = self.session.sparkContext
        given = context.broadcast(arguments)

        def work(item):
            place, shard = item
            try:
                return place, call_on(function, shard, given.value[place]), None
            except Exception as error:  # travels as a value: Spark would try again, and wrap it
                return place, None, error

        try:
            done = sorted(self._placed.map(work).collect(), key=lambda part: part[0])
        except Exception as error:
            raise EngineLostError(f"Spark has lost its workers: {error}") from error
        finally:
            given.unpersist()
        failed = [fault for _, _, fault in done if fault is not None]
        if failed:
            raise failed[0]
        return [result for _, result, _ in done]
