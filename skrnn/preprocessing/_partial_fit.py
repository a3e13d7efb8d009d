"""Train a pipeline chunk by chunk, which scikit-learn's Pipeline does not."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import copy

from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags


def partial_fit_pipeline(pipeline, X, y=None, *, learn="all", **params):
    """Go on training the steps of a pipeline with one chunk of data.

    Each transformer learns from the chunk by its own ``partial_fit``, then transforms it for the
    next step; the last step goes through it once. One call per chunk trains on a stream. With
    chunks that can be read again, two passes are sounder, since the network then sees one scale
    from its first step on: all chunks with ``learn='transformers'``, then all with
    ``learn='last'``.

    Parameters
    ----------
    pipeline : Pipeline
        Trained in place. Transformers have ``partial_fit``, or need no fit.

    X : sequences
        A chunk, in any form that the first step takes.

    y : array-like, default=None
        Targets of the chunk.

    learn : {'all', 'transformers', 'last'}, default='all'
        Which steps learn: all; all but the last, which is then not called; or the last alone.

    **params : dict
        Passed to the ``partial_fit`` of the last step, such as `classes`, which a classifier needs
        in its first call, `sample_weight` and `vocabulary`.

    Returns
    -------
    pipeline : Pipeline
        The same pipeline.

    Raises
    ------
    TypeError
        If a step cannot learn from chunks. The message names the step and the remedy.

    ValueError
        If a transformer puts out token ids that the network, which has a row for each id of its
        first call, does not have. The pipeline is then left as it was, as in any other error.

    See Also
    --------
    skrnn.datasets.SequenceStore : Sequences on disk, for `fit` with several epochs.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skrnn import RNNClassifier
    >>> from skrnn.preprocessing import PerStep, partial_fit_pipeline
    >>> rng = np.random.default_rng(0)
    >>> model = make_pipeline(PerStep(StandardScaler()), RNNClassifier((8,), random_state=0))
    >>> for _ in range(3):
    ...     X, y = rng.normal(5, 2, size=(20, 9, 2)), np.arange(20) % 2
    ...     model = partial_fit_pipeline(model, X, y, classes=[0, 1])
    >>> model.predict(X).shape
    (20,)
    """
    if not isinstance(pipeline, Pipeline):
        raise TypeError(
            f"pipeline must be a Pipeline; got {type(pipeline).__name__}. An estimator alone has "
            "partial_fit itself."
        )
    if learn not in ("all", "transformers", "last"):
        raise ValueError(f"learn must be 'all', 'transformers' or 'last'; got {learn!r}.")
    if params and learn == "transformers":
        raise ValueError(
            f"{', '.join(sorted(params))} is passed on to the last step, which learn='transformers'"
            " does not call. Leave it out."
        )
    *steps, (last_name, last) = pipeline.steps
    if learn != "transformers" and not hasattr(last, "partial_fit"):
        raise TypeError(
            f"the last step {last_name!r}, {_name_of(last)}, has no partial_fit. Train the "
            "transformers alone with learn='transformers'."
        )
    if learn != "last":
        for name, step in steps:
            _check_learns(name, step)
    # Copies learn, so that an error, even in the last step, leaves all steps as they were.
    learned = []
    for _, step in steps:
        if step is None or step == "passthrough":
            continue
        if learn != "last":
            step, original = copy.deepcopy(step), step
            step = getattr(step, "partial_fit", step.fit)(X, y)
            learned.append((original, step))
        X = step.transform(X)
    if learn != "transformers":
        _check_ids(last_name, last, X)
        last.partial_fit(X, y, **params)
    for original, step in learned:
        original.__dict__ = step.__dict__
    return pipeline


def _name_of(step):
    return repr(step) if isinstance(step, str) else type(step).__name__


def _check_learns(name, step):
    """Raise unless a transformer learns chunk by chunk, or nothing at all."""
    if step is None or step == "passthrough" or hasattr(step, "partial_fit"):
        return
    inner = getattr(step, "_inner", step)  # of PerStep, which fits nothing of its own
    if get_tags(inner).requires_fit:
        raise TypeError(
            f"step {name!r}, {_name_of(step)}, has no partial_fit: it cannot learn from chunks. "
            "Fit it on a sample and pass learn='last', or choose one that has, such as "
            "PerStep(StandardScaler()) or PerStep(IncrementalPCA())."
        )


def _check_ids(name, last, X):
    """Raise where a transformer gives ids for which the network's embedding has no row."""
    counts = getattr(last, "_token_counts", None)
    if counts is None or hasattr(last, "vocabulary_"):
        return
    for i, x in enumerate(X):
        if len(x) and (new := x.reshape(len(x), -1).max(axis=0) >= counts).any():
            raise ValueError(
                f"sequence {i} has a token id of column {new.argmax()} that step {name!r} was not "
                "started with: its embedding has no row for it. Let the transformers see all chunks"
                " first, with learn='transformers', and then train with learn='last'; or freeze "
                "their vocabulary after the first chunks by learn='last'."
            )
