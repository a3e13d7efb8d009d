"""Data-parallel training by local steps and averaged weights.

Each shard k takes a number of steps on its own data from the common weights w, which gives w_k; the
new weights are the mean by the weight n_k of the sequences that were read,

    w' = w + d,    d = sum_k n_k (w_k - w) / sum_k n_k

(local SGD: Stich 2019; for Adam the moments are averaged likewise). With a momentum b at the server
(DiLoCo: Douillard et al. 2023), u' = b u + d and w' = w + d + b u' (Nesterov's form). Sums run over
the shards in their order and in float64, so that results do not depend on the order of arrival.
"""

import inspect
import pickle
import warnings
from numbers import Integral

import numpy as np
from sklearn.base import clone
from sklearn.metrics import get_scorer
from sklearn.utils import check_random_state

from skrnn._base.sklearn_api import _num_samples
from skrnn._base.training import AUTO_BATCH_SIZE, choose_patience
from skrnn.distributed import _worker
from skrnn.distributed._engines import (
    DaskEngine,
    Engine,
    EngineLostError,
    ExecutorEngine,
    SerialEngine,
)
from skrnn.distributed._ray import RayEngine
from skrnn.distributed._spark import SparkEngine


def fit(
    estimator, X, y=None, sample_weight=None, *, client=None, steps=32, momentum=0.0,
    classes=None, vocabulary=None, X_val=None, y_val=None, sample_weight_val=None,
):  # fmt: skip
    """Fit an estimator to data that lie in shards, one worker per shard.

    Every worker takes `steps` mini-batches on its own shard from the common weights; then weights
    and the optimizer's moments are averaged, and so on for `max_iter` epochs. Bits are the same for
    the same shards and `random_state`, whatever the engine and the order in which workers answer.

    Parameters
    ----------
    estimator : estimator
        One of skrnn's that has `partial_fit`. It is fitted in place. Its `batch_size` is that of a
        worker, so that a step of all workers reads `n_shards * batch_size` sequences. Of its
        schedules 'constant' and 'linear' are supported. With `early_stopping`, `X_val` must be
        passed, and is scored after each epoch.

    X : sequences, or list of shards
        With `y=None` and a list of tuples `(X_k, y_k)` or `(X_k, y_k, sample_weight_k)`, of
        callables without arguments that return such tuples (and run where the shard is read), or of
        Dask's `Delayed` objects: one shard each. Or a Dask bag of pairs `(x, y)`, one sequence and
        its target each: one shard per partition. Otherwise sequences as for `fit`, which are dealt
        out in one shard per worker.

    y, sample_weight : array-like, default=None
        As for `fit`; None where X is a list of shards.

    client : Dask client, SparkSession, module ray, Executor, engine or None, default=None
        Where shards are read. None runs them one after the other in this process.

    steps : int, default=32
        Number of mini-batches that each worker takes between two averages. With 1 and
        `solver='sgd'` the average of the weights is a step along the average gradient.

    momentum : float, default=0.0
        Momentum of the averaged steps at the server, from 0 to below 1.

    classes, vocabulary : array-like, default=None
        All labels and tokens, as for `partial_fit`; None looks for them in every shard first.

    X_val, y_val, sample_weight_val : default=None
        Watched with `early_stopping=True`.

    Returns
    -------
    estimator : object
        The same estimator. `n_iter_`, `loss_curve_`, `validation_scores_` and the like are those of
        `fit`, with the mean loss of the workers while they learn.

    Raises
    ------
    EngineLostError
        If the scheduler or all workers are lost. The estimator then holds the last average.

    ValueError, TypeError
        If the estimator or its parameters do not fit. It is then left as it was.

    References
    ----------
    Stich (2019). Local SGD converges fast and communicates little.

    Douillard et al. (2023). DiLoCo: distributed low-communication training of language models.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn import RNNClassifier, distributed
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(n, 2)) for n in rng.integers(5, 9, size=40)]
    >>> y = [int(x.sum() > 0) for x in X]
    >>> shards = [(X[:20], y[:20]), (X[20:], y[20:])]
    >>> model = RNNClassifier((8,), max_iter=30, learning_rate_init=0.02, random_state=0)
    >>> distributed.fit(model, shards, steps=2).score(X, y) > 0.9
    True
    """
    _check(estimator, steps, momentum, X_val)
    engine = _as_engine(client)
    rng = check_random_state(estimator.random_state)
    seed = int(rng.randint(2**31 - 1))
    handles = engine.place(_shards(X, y, sample_weight, engine.n_workers, seed))
    run = _Run(estimator, engine, handles, seed, steps, momentum)
    run.start(classes, vocabulary)
    validation = None if X_val is None else (X_val, y_val, sample_weight_val)
    run.train(validation)
    return estimator


def _as_engine(client):
    """Return the engine of a Dask client or an executor; an engine as it is.

    Parameters
    ----------
    client : Dask client, SparkSession, module ray, Executor, Engine or None
    """
    if client is None:
        return SerialEngine()
    if isinstance(client, Engine):
        return client
    if hasattr(client, "sparkContext"):
        return SparkEngine(client)
    if getattr(client, "__name__", None) == "ray":
        return RayEngine()
    if hasattr(client, "scheduler_info"):
        return DaskEngine(client)
    if hasattr(client, "submit"):
        return ExecutorEngine(client)
    raise TypeError(
        "client must be a Dask client, a SparkSession, the module ray, an executor or an engine; "
        f"got {type(client).__name__}."
    )


def _check(estimator, steps, momentum, X_val):
    """Refuse what cannot be trained in shards, before anything is changed."""
    name = type(estimator).__name__
    if not hasattr(estimator, "partial_fit") or not hasattr(estimator, "max_grad_norm"):
        raise TypeError(
            f"distributed.fit trains estimators of skrnn that have partial_fit; got {name}. "
            "Transform the shards before, and pass the last step of a pipeline."
        )
    if not isinstance(steps, Integral) or steps < 1:
        raise ValueError(f"steps must be a whole number of mini-batches, 1 or more; got {steps!r}.")
    if not 0 <= momentum < 1:
        raise ValueError(f"momentum must be at least 0 and below 1; got {momentum!r}.")
    if estimator.learning_rate not in ("constant", "linear"):
        raise ValueError(
            f"learning_rate={estimator.learning_rate!r} is not known to distributed.fit: set "
            "'constant' or 'linear'."
        )
    if getattr(estimator, "class_weight", None) == "balanced":
        raise ValueError(
            "class_weight='balanced' is not known before all shards are read: pass sample_weight "
            "with each shard, or a dict of class weights."
        )
    if estimator.early_stopping and X_val is None:
        raise ValueError(
            "early_stopping=True holds out no part of the shards: pass X_val and y_val, or set "
            "early_stopping=False."
        )
    if X_val is not None and not estimator.early_stopping:
        raise ValueError(
            "X_val is passed, but early_stopping is False, so that it would not be used. Set "
            "early_stopping=True, or leave it out."
        )


def _shards(X, y, sample_weight, n_workers, seed):
    """Return the shards of a list as they are; deal out data in one piece at random."""
    if y is None and isinstance(X, (list, tuple)) and len(X) and all(map(_is_shard, X)):
        if sample_weight is not None:
            raise ValueError("X is a list of shards: pass weights in each, (X_k, y_k, weights_k).")
        return list(X)
    if hasattr(X, "to_delayed"):
        return _shards_of_dask(X)
    n = _num_samples(X)
    order = np.random.RandomState(seed).permutation(n)
    n_shards = min(n_workers, n)
    whole = X, y, sample_weight
    return [tuple(_worker.take(whole, np.sort(order[k::n_shards]))) for k in range(n_shards)]


def _shards_of_dask(X):
    """Return one shard per partition of a bag of pairs; refuse other collections of Dask."""
    import dask

    if not hasattr(X, "to_textfiles"):  # a bag
        raise TypeError(
            "distributed.fit reads a Dask bag of pairs (x, y) or a list of Delayed shards "
            f"(X_k, y_k); got {type(X).__name__}. Make one shard per partition: "
            "[dask.delayed(make_shard)(part) for part in X.to_delayed()]."
        )
    return [dask.delayed(_worker.from_pairs)(part) for part in X.to_delayed()]


def _is_shard(item):
    return isinstance(item, tuple) or callable(item) or hasattr(item, "__dask_graph__")


class _Run:
    """One call of `fit`: the common state, and rounds of local steps."""

    def __init__(self, estimator, engine, handles, seed, steps, momentum):
        self.estimator = estimator
        self.engine = engine
        self.handles = handles
        self.seed = seed
        self.steps = steps
        self.momentum = momentum
        # A scorer stays here: it may be a function that cannot travel.
        self.master = clone(estimator).set_params(
            early_stopping=False, scoring=None, random_state=seed
        )

    def start(self, classes, vocabulary):
        """Learn from all shards what the network is made of, and draw its weights."""
        accepts = inspect.signature(self.master.partial_fit).parameters
        wants = {name for name in ("classes", "vocabulary", "target_tokens") if name in accepts}
        given = {"classes": classes, "vocabulary": vocabulary}
        wants -= {name for name, values in given.items() if values is not None}
        seen = self._on_all(_worker.survey, [(wants,)] * len(self.handles))
        self.sizes = [part["n_sequences"] for part in seen]
        if not sum(self.sizes):
            raise ValueError("The shards hold no sequence.")
        for name in wants:
            parts = [part[name] for part in seen]
            given[name] = None if None in parts else sorted(set().union(*parts))
        known = {n: v for n, v in given.items() if v is not None and n in accepts}
        size = self.master.batch_size
        self.batch = AUTO_BATCH_SIZE if size == "auto" else int(size)
        # One step on a batch of the first sequences of all shards makes the network.
        share = [(max(1, self.batch // len(self.handles)),)] * len(self.handles)
        X, y, weights = _joined(self._on_all(_worker.first_rows, share))
        if y is not None:
            known["y"] = y
        if weights is not None:
            known["sample_weight"] = weights
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Got `batch_size` larger")
            self.master.partial_fit(X, **known)
        self.master.__dict__.update(n_iter_=0, t_=0, loss_curve_=[])
        self.velocity = np.zeros(len(self.master._params))

    def train(self, validation):
        """Run epochs, each of rounds, until there are enough or the score stalls."""
        master, estimator = self.master, self.estimator
        best, stalled, scores = None, 0, []
        patience = choose_patience(
            estimator.n_iter_no_change, estimator.learning_rate, validation is not None
        )
        epochs = int(estimator.max_iter)
        for epoch in range(epochs):
            rate = estimator.learning_rate_init
            if estimator.learning_rate == "linear":
                rate *= 1 - epoch / epochs
            try:
                loss = self._epoch(epoch, rate)
            except EngineLostError as error:
                self._hand_over(best, scores)
                raise EngineLostError(
                    f"{error} The estimator holds the last average, of epoch {epoch + 1}."
                ) from error
            master.__dict__.update(
                n_iter_=epoch + 1, t_=(epoch + 1) * sum(self.sizes), loss_=loss,
                loss_curve_=[*master.loss_curve_, loss],
            )  # fmt: skip
            if estimator.verbose:
                print(f"Iteration {epoch + 1}, loss = {loss:.8f}", flush=True)
            if validation is None:
                continue
            scores.append(_score(master, estimator.scoring, *validation))
            improved = best is None or scores[-1] >= best[0] + estimator.tol
            stalled = 0 if improved else stalled + 1
            if best is None or scores[-1] > best[0]:
                best = scores[-1], master._params.copy()
            if stalled > patience:
                break
        self._hand_over(best, scores)

    def _epoch(self, epoch, rate):
        """Let every shard be read once; returns the mean loss."""
        orders = [
            np.random.RandomState([self.seed, epoch, k]).permutation(n)
            if self.estimator.shuffle
            else np.arange(n)
            for k, n in enumerate(self.sizes)
        ]
        at_once = self.batch * self.steps
        losses = weights = 0.0
        for r in range(-(-max(self.sizes) // at_once)):
            rows = [order[r * at_once : (r + 1) * at_once] for order in orders]
            results = self._round(rows, rate, [epoch, r])
            losses += sum(part["loss"] * part["weight"] for part in results)
            weights += sum(part["weight"] for part in results)
        return losses / weights

    def _round(self, rows, rate, place):
        """Let every shard take its local steps, and average."""
        master, total = self.master, sum(self.sizes)
        packed = pickle.dumps(master)
        arguments = []
        for k, chosen in enumerate(rows):
            # The penalty is that of all data; partial_fit takes it to be that of what it reads.
            alpha = self.estimator.alpha * len(chosen) / total
            settings = {"learning_rate_init": rate, "learning_rate": "constant", "alpha": alpha}
            settings["batch_size"] = max(1, min(self.batch, len(chosen)))
            seed = int(np.random.RandomState([self.seed, *place, k]).randint(2**31 - 1))
            arguments.append((packed, chosen, seed, settings))
        results = self._on_all(_worker.local_steps, arguments)
        results = [part for part in results if part is not None]
        if not results:
            raise ValueError("All sequences of the shards have weight 0.")
        weights = np.array([part["weight"] for part in results]) / sum(p["weight"] for p in results)
        optimizer = master._optimizer
        step = sum(
            w * (part["params"].astype(float) - master._params) for w, part in zip(weights, results)
        )
        self.velocity = self.momentum * self.velocity + step
        master._params = (master._params + step + self.momentum * self.velocity).astype(
            master._params.dtype
        )
        for name in ("m", "v"):
            mean = sum(w * part[name].astype(float) for w, part in zip(weights, results))
            setattr(optimizer, name, np.asarray(mean, dtype=master._params.dtype))
        optimizer.step = max(part["step"] for part in results)
        master._weights_version += 1
        return results

    def _on_all(self, function, arguments):
        return self.engine.run(function, self.handles, arguments)

    def _hand_over(self, best, scores):
        """Give the user's estimator what was learned."""
        params = self.estimator.get_params(deep=False)
        self.estimator.__dict__.update(self.master.__dict__)
        self.estimator.set_params(**params)
        if best is not None:
            self.estimator._params = best[1]
            self.estimator.best_loss_ = None
            self.estimator.best_validation_score_ = best[0]
            self.estimator.validation_scores_ = scores
        elif self.master.loss_curve_:
            self.estimator.best_loss_ = min(self.master.loss_curve_)


def _joined(parts):
    """Put the first rows of all shards together."""
    X, y, weights = zip(*parts)
    together = []
    for part in (X, y, weights):
        together.append(None if part[0] is None else [item for items in part for item in items])
    return together


def _score(estimator, scoring, X, y, sample_weight):
    """Return the score of the validation data: with 'loss' its negative mean loss, as in `fit`."""
    if scoring == "loss":
        part = estimator._encode_validation(X, y, sample_weight)
        size = min(AUTO_BATCH_SIZE, len(part.sequences))
        runner = estimator._runner_class(
            estimator._get_plan(), part.sequences, part.targets.normalized(), size,
            params=estimator._params, documents=part.documents,
        )  # fmt: skip
        return -runner.loss()
    given = {} if sample_weight is None else {"sample_weight": sample_weight}
    if scoring is None:
        return estimator.score(X, y, **given)
    scorer = get_scorer(scoring) if isinstance(scoring, str) else scoring
    return scorer(estimator, X, y, **given)
