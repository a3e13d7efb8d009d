"""Checks of a forecaster's attributes: its transform, its histories and its errors."""

import numpy as np

from skrnn._base.persistence import Misfit, StateMixin, has_shape, is_count
from skrnn._data.sequences import Sequences
from skrnn._data.time_axis import TimeAxis
from skrnn._forecaster.columns import Columns
from skrnn._forecaster.distributions import COUNT_LOSSES, FORECAST_LOSSES
from skrnn._forecaster.sampling import COPULA_ORDER
from skrnn._forecaster.series_format import SeriesFormat
from skrnn._forecaster.transform import SeriesTransform

LONGEST_SEASON = 2**24  # steps: the state of a series that goes on has room for one


def _check_transform(transform, state, plan):
    names = ("horizon", "lookback", "n_targets", "n_covariates", "season", "lags", "n_past",
             "n_indicators")  # fmt: skip
    if not isinstance(transform, SeriesTransform) or not all(
        is_count(getattr(transform, name), 2**40) for name in names
    ):
        raise Misfit("_transform has sizes that are none")
    h, k, width = transform.horizon, transform.n_targets, transform.n_columns
    shapes = {
        "center": (width,), "scale": (width,), "input_scale": (k,), "target_scale": (h, k),
        "lag_weights": (transform.lags, h, k),
    }  # fmt: skip
    if not transform.lags:
        del shapes["lag_weights"]
    if (
        min(h, k, transform.lookback) < 1
        or transform.difference not in (None, "last", "season")
        or not (transform.difference == "season") <= transform.season <= LONGEST_SEASON
        or not isinstance(transform.own_scale, (bool, np.bool_))
        or transform.counts is not (plan.loss in COUNT_LOSSES)
        or (transform.counts and (transform.lags or transform.difference is not None))
        or not (transform.constant_moves is None or isinstance(transform.constant_moves, bool))
        or (transform.lag_weights is None) != (transform.lags == 0)
        or transform.n_indicators > transform.n_past
        or 0 < transform.n_indicators < k
        or not all(has_shape(getattr(transform, name), shape) for name, shape in shapes.items())
    ):
        raise Misfit("_transform does not fit itself")
    per_target = plan._outputs_per_target
    read = state["_architecture"]["n_features"]
    if plan.n_outputs != h * k * per_target or read != transform.n_inputs:
        raise Misfit("_transform does not fit its network")
    levels = plan.quantiles
    if not ((levels > 0) & (levels < 1)).all() or (np.diff(levels) < 0).any():
        raise Misfit("its quantiles are none")


def _check_form(format_, state, plan):
    if format_ is None:
        return
    if type(format_) is not SeriesFormat or type(format_.axis) not in (TimeAxis, type(None)):
        raise Misfit("_form is none")
    n, last = len(state["_histories"]), getattr(format_.axis, "last", None)
    if (
        format_.kind not in ("single", "panel", "list")
        or (format_.axis is not None and not isinstance(last, np.ndarray))
        or (format_.axis is not None and (last.dtype != np.int64 or last.shape != (n,)))
        or not isinstance(format_.columns, (list, type(None)))
        or not isinstance(format_.ids, (list, type(None)))
        or (format_.kind == "panel" and len(format_.ids or ()) != n)
    ):
        raise Misfit("_form does not fit its series")


def _check_transformer(transformer, state, plan):
    if transformer is None:
        return
    if not all(hasattr(transformer, name) for name in ("transform", "inverse_transform")):
        raise Misfit("_transformer is none")
    if plan.loss in COUNT_LOSSES:
        raise Misfit("_transformer does not fit its loss")


def _check_histories(histories, state, plan):
    if not isinstance(histories, Sequences):
        raise Misfit("_histories are none")
    values, offsets, transform = histories.values, histories.offsets, state["_transform"]
    if (
        not isinstance(values, np.ndarray) or values.dtype != np.float64 or values.ndim != 2
        or not isinstance(offsets, np.ndarray) or offsets.dtype != np.int64 or offsets.ndim != 1
        or values.shape[1] != transform.n_columns
        or len(offsets) < 2 or offsets[0] != 0 or offsets[-1] != len(values)
        or (np.diff(offsets) < 1).any()
    ):  # fmt: skip
        raise Misfit("_histories do not fit its network")


def _check_futures(futures, state, plan):
    if not isinstance(futures, Sequences):
        raise Misfit("_futures are none")
    values, offsets, transform = futures.values, futures.offsets, state["_transform"]
    if (
        not isinstance(values, np.ndarray) or values.dtype != np.float64 or values.ndim != 2
        or values.shape[1] != transform.n_covariates
        or not isinstance(offsets, np.ndarray) or offsets.dtype != np.int64
        or offsets.shape != state["_histories"].offsets.shape
        or offsets[0] != 0 or offsets[-1] != len(values) or (np.diff(offsets) < 0).any()
    ):  # fmt: skip
        raise Misfit("_futures do not fit its network")


def _check_copula(copula, state, plan):
    if copula is None:
        return
    h, k = state["_transform"].horizon, state["_transform"].n_targets
    shapes = (h, COPULA_ORDER, k), (h, k)
    if (
        not isinstance(copula, list) or len(copula) != 2
        or not all(has_shape(part, shape) for part, shape in zip(copula, shapes, strict=True))
    ):  # fmt: skip
        raise Misfit("_copula does not fit its network")


def _check_by_series(flag, state, plan):
    if not isinstance(flag, (bool, np.bool_)):
        raise Misfit("_conformal_by_series is neither True nor False")


def _check_conformal(errors, state, plan):
    if errors is None:
        return
    if (
        not isinstance(errors, np.ndarray) or errors.dtype != np.float64 or errors.ndim != 3
        or min(errors.shape) < 1 or errors.shape[2] != state["_transform"].n_targets
        or np.isinf(errors).any()  # NaN stands for errors that are not known
    ):  # fmt: skip
        raise Misfit("_conformal does not fit its network")


def _check_adaptation(adaptation, state, plan):
    if adaptation is None:
        return
    errors = state["_conformal"]
    if (
        not isinstance(adaptation, list) or len(adaptation) != 2 or errors is None
        or not isinstance(adaptation[0], (int, float, np.floating))
        or not 0 <= adaptation[0] <= 1
        or not isinstance(ranks := adaptation[1], np.ndarray) or ranks.dtype != np.float64
        or ranks.ndim != 4 or min(ranks.shape) < 1 or ranks.shape[2:] != errors.shape[1:]
        or ((ranks < 0) | (ranks > 1)).any()
    ):  # fmt: skip
        raise Misfit("_adaptation does not fit its errors")


def _check_step_width(width, state, plan):
    if not is_count(width) or width != state["_columns"].width:
        raise Misfit(f"a step has {width!r} features, which does not fit its network")


def _check_columns(columns, state, plan):
    transform = state["_transform"]
    if (
        not isinstance(columns, Columns)
        # Looked at before anything as long is made: a column is read, or has categories.
        or columns.n_targets != transform.n_targets
        or not is_count(columns.width, transform.n_columns + len(columns.categories or ()))
        or not all(is_count(j, columns.width - 1)
                   for part in (columns.past, columns.static, columns.categories or ())
                   for j in part)
        or (columns.n_covariates, columns.n_past, len(columns.indicated))
        != (transform.n_covariates, transform.n_past, transform.n_indicators)
        or not (columns.names is None or len(columns.names) == columns.width)
    ):  # fmt: skip
        raise Misfit("_columns do not fit its network")


def _check_y_ndim(n, state, plan):
    if not is_count(n, 3) or n < 1:
        raise Misfit(f"_y_ndim is {n!r}")


def _check_every_step(every, state, plan):
    if not isinstance(every, (bool, np.bool_)) or every != (plan.pooling == "all"):
        raise Misfit("_every_step does not fit its network")


FORECASTER_CLASSES = (
    *StateMixin._state_classes, Columns, SeriesTransform, Sequences, SeriesFormat, TimeAxis,
)  # fmt: skip
FORECASTER_ALLOWED = {
    "loss": FORECAST_LOSSES,
    "pooling": ("last", "all"),
    "bidirectional": (False,),
}
FORECASTER_CHECKS = {
    "_transform": _check_transform,
    "_transformer": _check_transformer,
    "_columns": _check_columns,
    "_step_width": _check_step_width,
    "_y_ndim": _check_y_ndim,
    "_every_step": _check_every_step,
    "_histories": _check_histories,
    "_futures": _check_futures,
    "_form": _check_form,
    "_conformal": _check_conformal,
    "_conformal_by_series": _check_by_series,
    "_adaptation": _check_adaptation,
    "_copula": _check_copula,
}
