"""Training data of a forecaster: series cut into pieces, and the part that is held out."""

import numpy as np

from skrnn._base.early_stopping import hold_out
from skrnn._data.sample_weight import check_sample_weight
from skrnn._data.sequences import Sequences
from skrnn._forecaster.columns import number_categories, read_columns, with_plain_dates
from skrnn._forecaster.distributions import COUNT_LOSSES, PARAMETRIC_LOSSES
from skrnn._forecaster.missing import Places
from skrnn._forecaster.reading import read_series, read_y
from skrnn._forecaster.sampling import training_sample
from skrnn._forecaster.series import Series, cut_ends, late_forecasts, late_windows, learn
from skrnn._forecaster.series_format import ends_with, read_format
from skrnn._forecaster.target_transformer import learn_transformer
from skrnn._forecaster.transform import has_own_scale, learn_transform
from skrnn._network.batches import Targets, TrainingData


class TrainingDataMixin:
    """Read the training series of a forecaster, and hold out what early stopping judges by."""

    def _read_data(
        self, X, y, sample_weight, *, reset, split_seed=None, validation=False, complete=False
    ):
        X, format_ = self._read_format(X, reset=reset, followed=y is not None)
        known, future = read_series(self, X, reset=reset, format_=format_)
        k, y_ndim = self._columns.n_targets, None
        loss = self.loss if reset else self._architecture["loss"]
        weights = np.ones(len(known.offsets) - 1)
        if sample_weight is not None:
            weights = check_sample_weight(sample_weight, known)
        if y is not None:
            y, y_ndim = read_y(y, len(known), self.horizon, k, loss)
        if not reset and (
            self.horizon != self._transform.horizon or self._every_step != (y is None)
        ):
            raise ValueError(
                "horizon has changed, or y has come or gone, since the network was started: start "
                "anew with fit and warm_start=False."
            )
        if not validation:
            self._every_step = y is None
        if self.transformer is not None or not reset:
            self._check_transformer(reset)
        learned, held = Series(known, future, weights, y, None, np.arange(len(weights))), None
        if split_seed is not None:
            learned, held = self._hold_out_series(learned, split_seed)
        # Nothing is learned from what early stopping holds out, not a scale either.
        if reset:
            self._transformer = None
        where = None
        if self.transformer is not None:
            where = Places(self._columns, format_, known.offsets)
            own = has_own_scale(self, len(weights)) if reset else self._transform.own_scale
            if reset:
                self._transformer = learn_transformer(
                    self.transformer, learned.known, where, own=own, weights=learned.weights,
                    series=learned.series,
                )  # fmt: skip
            learned = self._transformed_part(learned, where, own, check=reset)
        if reset:
            self._transform = learn_transform(self, learned.known, learned.weights, len(weights))
            self._y_ndim = y_ndim or (3 if k > 1 else 2)
        options = {"bptt_steps": self.bptt_steps, "dtype": self.dtype}
        self._transform, pieces = learn(
            self._transform, learned, reset=reset, complete=complete, **options
        )
        if not validation:
            if format_ is not None:
                format_ = ends_with(format_, future)
            self._keep_histories(self._transform.kept(known), future, format_)
            self._keep_sample(pieces)
            self._discard_calibration()
        mask = None
        if held is not None:
            if where is not None:
                held = self._transformed_part(held, where, own)
            shared = pieces.rows.is_stored
            _, late = learn(self._transform, held, reset=False, shared=shared, **options)
            mask = np.repeat([False, True], [len(pieces.series), len(late.series)])
            pieces = pieces.followed_by(late)
        values = pieces.values
        if loss == "poisson":  # learns multiples of the scale: each series counts alike
            values = values[..., ::2] / np.exp(values[..., 1::2])
        values = values.reshape(len(values), -1).astype(self.dtype, copy=False)
        weights = None if (pieces.weights == 1).all() else pieces.weights
        rows = pieces.rows
        if rows.is_stored:
            targets = pieces._replace(values=values, weights=weights).shared
        else:
            targets = Targets(None, values, weights, rows.offsets if self._every_step else None)
        return TrainingData(
            rows,
            targets,
            pieces.series if self.bptt_steps and self._every_step else None,
            mask,
        )  # fmt: skip

    def _check_transformer(self, reset):
        """Raise for a transformer that the loss does not go with, or that was another before."""
        if self.transformer is not None and self.loss in COUNT_LOSSES:
            raise ValueError(
                f"loss={self.loss!r} is the distribution of the counts themselves, which a "
                "transformer would make other numbers of. Set transformer=None, or "
                "loss='gaussian', 'student_t' or 'quantile'."
            )
        if not reset and repr(self.transformer) != repr(self._transformer):
            raise ValueError(
                "transformer has changed since the network was started, but warm_start and "
                "partial_fit continue the same network. Set it back, or start anew with fit and "
                "warm_start=False."
            )

    def _transformed_part(self, given, where, own, check=False):
        """Return series in transformed units."""
        found = self._target_transformer(own).apply(
            given.known, where, cuts=given.cuts, series=given.series, y=given.y, check=check
        )
        return given._replace(known=found.known, y=found.y)

    def _hold_out_series(self, given, seed):
        """Return the series that are learned from, and those (or their ends) that are held out."""
        parts = given
        if self._every_step:
            parts = cut_ends(given, self.validation_fraction, self._columns.n_targets)
        self._piece_series = parts.series
        train, held = self._hold_out(len(parts.known), seed, parts)
        return parts.take(train), parts.take(held)

    def _hold_out(self, n, seed, parts):
        """Choose the held-out parts: in every series, the later steps judge the earlier ones.

        Returns
        -------
        train, held : ndarray of int
        """
        late = parts.cuts > 0
        if self._every_step and late.any():
            return np.flatnonzero(~late), np.flatnonzero(late)
        if not self._every_step:
            late, gaps = late_windows(parts, self.validation_fraction)
            if late.sum() > 1:
                return np.flatnonzero(~(late | gaps)), np.flatnonzero(late)
        # Each series by itself is too short: whole ones are held out.
        held = hold_out(n, self.validation_fraction, seed, weights=parts.weights)
        return np.flatnonzero(~held), np.flatnonzero(held)

    def _held_data(self, X, y, sample_weight, seed):
        X, format_ = self._read_format(X, followed=y is not None)
        known, future = read_series(self, X, reset=False, format_=format_)
        if y is not None:
            k, h = self._transform.n_targets, self._transform.horizon
            y, _ = read_y(y, len(known), h, k, self.loss)
        _, held = self._hold_out_series(Series(known, future, np.ones(len(known)), y), seed)
        histories, y = late_forecasts(held, self._transform, self._columns)
        return histories, y[:, :, 0] if y.shape[2] == 1 else y, None

    def _read_format(self, X, *, reset=False, followed=False):
        """Take series out of tables, and check their dates and columns against those of `fit`.

        Histories of which y is given stay as they are, save for their categories.
        """
        X = with_plain_dates(X)
        if reset:
            self._columns = read_columns(self, X)
        X = number_categories(self._columns, X)
        if followed:
            return X, None
        rows = not reset and self.n_features_in_ != self._step_width  # of a 2-D array
        freq = self.freq if reset else None
        return read_format(X, freq=freq, fitted=None if reset else self._form, rows=rows)

    def _keep_histories(self, histories, future, format_):
        """Keep the ends of the fitted series, from which forecasts and dates continue."""
        self._histories = histories
        self._futures = Sequences(future.values.copy(), future.offsets)
        self._form = format_

    def _keep_sample(self, pieces):
        """Keep a sample of the training data for `_learn_copula`, until the weights are learned."""
        self._copula = self._copula_sample = None
        if self.loss in PARAMETRIC_LOSSES or (self.loss == "quantile" and len(self._levels()) > 1):
            self._copula_sample = training_sample(pieces, self._every_step)
