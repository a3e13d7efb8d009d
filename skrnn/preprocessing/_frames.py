"""Frames: consecutive steps of a sequence, side by side as one step."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin
from sklearn.utils.validation import check_is_fitted

from skrnn._base.sklearn_api import Interval, _fit_context
from skrnn._data.formats import find_format, is_column
from skrnn._data.guards import restore_on_error
from skrnn._data.labels import as_rows
from skrnn._data.sequences import lengths_to_offsets
from skrnn._data.validation import check_sequences
from skrnn.preprocessing._output import SequenceTransformerMixin
from skrnn.preprocessing._step_table import StepTable

_POSITIVE = Interval(Integral, 1, None, closed="left")


class Frames(SequenceTransformerMixin, BaseEstimator):
    """Join consecutive steps into one step, to shorten long sequences.

    The frame ``i`` of a sequence consists of steps ``i * stride`` to ``i * stride + width - 1``. A
    recurrent network then takes ``stride`` times fewer steps, and each of them shows how the
    sequence develops over ``width`` steps. Series of some hundred steps are learned faster in this
    way, and often better, than step by step.

    Parameters
    ----------
    width : int
        Number of steps per frame.

    stride : int, default=1
        Number of steps from the start of one frame to the start of the next. It is at most
        `width`, because steps between two frames would be lost.

    Attributes
    ----------
    n_features_in_ : int
        Number of features per step; for 2-D input the number of its columns.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features; defined only if sequences are DataFrames with string column names.

    See Also
    --------
    SlidingWindow : Cut series into samples of their own, with the steps that follow as targets.
    PerStep : Apply a transformer, such as a scaler, to each step, or to each frame.

    Notes
    -----
    A sequence of ``T`` steps has ``1 + ceil(max(T - width, 0) / stride)`` frames. No step is left
    out: where the last frame extends beyond the end, and where a sequence is shorter than one
    frame, the last step is repeated. Empty sequences stay empty.

    The output has the type of the input. A list becomes a list of arrays of shape ``(n_frames,
    width * n_features)``; an object array or a Series stays one; a 3-D array, or a 2-D array of
    univariate series, becomes a 3-D array padded with NaN. With :meth:`set_output` each sequence
    becomes a DataFrame whose index counts the frames. A frame holds all features of its first step,
    then those of its second, and so on. NaN inside a sequence is passed on.

    An estimator of one label per step, such as :class:`~skrnn.LSTMTagger`, then needs one label per
    frame: :meth:`labels_to_frames` makes them, and :meth:`labels_to_steps` maps predictions back to
    steps. The label of a frame is that of its middle step, ``i * stride + (width - 1) // 2``, so
    labels that hold for fewer than `stride` steps may be missed. A step gets the label of the frame
    whose middle is nearest; if two are equally near, the label of the later one.

    A one-dimensional convolution reads the same frames: the product of a frame with the input
    weights of the recurrent layer is a strided convolution, and the gates take the place of its
    nonlinearity.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn.preprocessing import Frames
    >>> Frames(width=3, stride=2).fit_transform([np.arange(6.0), np.arange(2.0)])
    [array([[0., 1., 2.],
           [2., 3., 4.],
           [4., 5., 5.]]), array([[0., 1., 1.]])]

    Labels per step:

    >>> frames = Frames(width=3, stride=2)
    >>> X = [np.arange(6.0)]
    >>> labels = frames.labels_to_frames([["up", "up", "up", "down", "down", "down"]])
    >>> labels
    [['up', 'down', 'down']]
    >>> frames.labels_to_steps(labels, X)
    [['up', 'up', 'down', 'down', 'down', 'down']]
    """

    __module__ = "skrnn.preprocessing"  # the path that files name

    _parameter_constraints: dict = {"width": [_POSITIVE], "stride": [_POSITIVE]}

    def __init__(self, width, stride=1):
        self.width = width
        self.stride = stride

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn the number and the names of the features.

        Parameters
        ----------
        X : array-like, or collection of sequences
            Training sequences, in any format that estimators take.

        y : None
            Not used.

        Returns
        -------
        self : Frames
            The fitted transformer.

        Raises
        ------
        ValueError
            If `stride` is greater than `width`, or a value is infinite.

        TypeError
            If X does not hold numbers.
        """
        self._check_stride()
        with restore_on_error(self):
            self._read(X, reset=True)
            self._one_column = is_column(X)
        return self

    def partial_fit(self, X, y=None):
        """Check further sequences, from which nothing is learned.

        Parameters
        ----------
        X, y : as in `fit`

        Returns
        -------
        self : Frames
            The fitted transformer.
        """
        if not hasattr(self, "n_features_in_"):
            return self.fit(X, y)
        self._read(X, reset=False)
        return self

    def transform(self, X):
        """Join consecutive steps into frames.

        Parameters
        ----------
        X : array-like, or collection of sequences
            Sequences in any format that estimators take.

        Returns
        -------
        X_out : array-like, or collection of sequences
            Sequences of ``1 + ceil(max(T - width, 0) / stride)`` steps of ``width * n_features``
            features, in the format of ``X``, float64 unless X is float32.
        """
        check_is_fitted(self)
        sequences = self._read(X, reset=False)
        input_format, _ = find_format(X)
        counts = self._n_frames(sequences.lengths)
        offsets = lengths_to_offsets(counts)
        rows = self._rows(sequences.offsets, counts, offsets)
        table = sequences.values[rows].reshape(offsets[-1], -1)
        steps = StepTable(X, table, offsets, input_format, int(counts.max(initial=0)), None)
        return steps.restore(table, self._container(), lambda _: list(self.get_feature_names_out()))

    def get_feature_names_out(self, input_features=None):
        """Return the names of the features of a frame.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the input features.

        Returns
        -------
        feature_names_out : ndarray of str
            The name of each feature, followed by the number of the step in the frame: ``x0_0``,
            ``x1_0``, ``x0_1``, ``x1_1``, ... A column of sequences keeps its name.
        """
        check_is_fitted(self)
        if self._one_column and input_features is not None and len(input_features) == 1:
            return np.asarray(input_features, dtype=object)  # of the column, not of its steps
        if self.n_features_in_ != self._step_width:  # 2-D input, whose columns are steps
            if self.width == 1:
                return OneToOneFeatureMixin.get_feature_names_out(self, input_features)
            names = [f"x{i}" for i in range(self._step_width)]
        else:
            names = OneToOneFeatureMixin.get_feature_names_out(self, input_features)
        return np.asarray([f"{name}_{i}" for i in range(self.width) for name in names], object)

    def labels_to_frames(self, y):
        """Return one label per frame: that of the step in its middle.

        Parameters
        ----------
        y : list of array-like of shape (n_timesteps,), or of shape (n_timesteps, n_outputs)
            One label, or row of numbers, per step, for each sequence, without padding.

        Returns
        -------
        y_frames : list of list or ndarray
            One label, or row, per frame; of arrays an array.
        """
        self._check_stride()
        y_frames = []
        for i, row in enumerate(as_rows(y)):
            row, n_steps = _as_row(row, i, "y")
            y_frames.append(_take(row, self._middles(self._n_frames(n_steps), n_steps)))
        return y_frames

    def labels_to_steps(self, y_frames, X):
        """Return one label per step: that of the frame whose middle is nearest.

        Parameters
        ----------
        y_frames : list of array-like of shape (n_frames,), or of shape (n_frames, n_outputs)
            Labels or probabilities of frames, as an estimator predicts them.

        X : array-like, or collection of sequences
            The sequences before :meth:`transform`, whose lengths are needed.

        Returns
        -------
        y : list of list or ndarray
            One label, or row, per step; of arrays an array.

        Raises
        ------
        ValueError
            If the number of labels differs from the number of frames of X.
        """
        self._check_stride()
        lengths = type(self)(self.width, self.stride)._read(X, reset=True).lengths
        y_frames = list(as_rows(y_frames))
        if len(y_frames) != len(lengths):
            raise ValueError(
                f"y_frames has labels for {len(y_frames)} sequence(s), but X has {len(lengths)}."
            )
        y = []
        for i, (row, n_steps) in enumerate(zip(y_frames, lengths, strict=True)):
            row, n_frames = _as_row(row, i, "y_frames")
            expected = self._n_frames(n_steps)
            if n_frames != expected:
                raise ValueError(
                    f"sequence {i} has {n_steps} step(s), which are {expected} frame(s) of width "
                    f"{self.width} every {self.stride}, but y_frames has {n_frames} label(s) for "
                    "it. Pass the X from which the frames were made."
                )
            # In half steps: the middle of an even width lies between two steps.
            past_first = 2 * np.arange(n_steps) - (self.width - 1) + self.stride
            nearest = np.clip(past_first // (2 * self.stride), 0, max(expected - 1, 0))
            y.append(_take(row, nearest))
        return y

    def _check_stride(self):
        self._validate_params()
        if self.stride > self.width:
            raise ValueError(
                f"stride={self.stride} is greater than width={self.width}: the steps between two "
                "frames would be lost. Set stride to at most width; to leave steps out, take every "
                "k-th step of each sequence."
            )

    def _read(self, X, *, reset):
        sequences = check_sequences(
            self, X, dtype=(np.float64, np.float32), reset=reset, allow_nan=True, min_length=0
        )
        if self._token_counts is not None:
            raise TypeError(
                "Frames joins steps of numbers, but X holds strings. Pass tokens to an estimator "
                "as they are; it embeds them."
            )
        return sequences

    def _n_frames(self, n_steps):
        """Return the number of frames of a sequence, or of each of an array of lengths."""
        beyond_first = -(-np.maximum(n_steps - self.width, 0) // self.stride)
        return np.where(np.asarray(n_steps) > 0, 1 + beyond_first, 0)

    def _rows(self, step_offsets, counts, offsets):
        """Return the rows of the steps of each frame, of shape (n_frames, width)."""
        number = np.arange(offsets[-1]) - np.repeat(offsets[:-1], counts)
        first = np.repeat(step_offsets[:-1], counts) + number * self.stride
        last = np.repeat(step_offsets[1:], counts) - 1
        return np.minimum(first[:, np.newaxis] + np.arange(self.width), last[:, np.newaxis])

    def _middles(self, n_frames, n_steps):
        middles = np.arange(n_frames) * self.stride + (self.width - 1) // 2
        return np.minimum(middles, n_steps - 1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.three_d_array = True
        tags.requires_fit = True
        return tags


def _as_row(row, i, name):
    """Return the labels of a sequence, a list as a list, and their number."""
    if isinstance(row, (list, tuple)):  # of which NumPy might make strings throughout
        return list(row), len(row)
    if isinstance(row, (str, bytes, dict, set)) or np.ndim(row) == 0:
        raise TypeError(
            f"{name} has {row!r} for sequence {i}, where a sequence of labels is expected. One "
            "label per sequence needs no change: pass it as it is."
        )
    row = np.asarray(row)
    return row, len(row)


def _take(row, indices):
    return [row[i] for i in indices.tolist()] if isinstance(row, list) else row[indices]
