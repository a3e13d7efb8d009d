"""Checks of an estimator's state, loaded or in use: of this version, whole and finite.

The kernels check sizes again; here the error comes at once and says what is wrong. It is no shield
against malice: a pickle may run any code, before any check (SECURITY.md).
"""

import dataclasses
import warnings
from numbers import Integral, Real
from types import SimpleNamespace

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skrnn._base.portable import portable
from skrnn._data.plain_state import from_plain, to_plain
from skrnn._data.tag_schemes import SCHEMES
from skrnn._data.vocabulary import PARTS, TokenColumn, Vocabularies
from skrnn._network.optimizer import MAX_HALVINGS, PARAMETERS, Optimizer
from skrnn._network.plan import make_plan
from skrnn._version import __version__

VERSION_KEY = "_skrnn_version"
# The optimizer's key in a file, whatever the attribute is called: the cases of damaged files, which
# judge this package from outside, find it there.
OPTIMIZER_KEY = "_optimiser"
# Arrays of a fitted estimator beside its weights, alone, in lists or in data classes.
FINITE = ("_transform", "_histories", "_futures", "_copula")
# Tokens of a target: predictions need memory for twice the longest.
LONGEST_TARGET = 1_000_000


class StateMixin:
    """Saving, loading and looking through the attributes of a fitted estimator."""

    # Data classes whose objects attributes hold, alone or in lists, dicts and one another: files
    # have a dict of each. All else that `fit` learns is arrays, numbers, strings, lists and dicts.
    _state_classes: tuple = (Vocabularies, TokenColumn)
    # What a fitted one has, as `check_whole` takes it.
    _allowed: dict = {}
    _needed: tuple = ()
    _state_checks: dict = {}

    def _check_whole(self):
        """Raise where attributes that `fit` set were replaced by what does not fit the network.

        Returns
        -------
        Plan or EncoderDecoder
        """
        check_is_fitted(self)
        try:
            plan = self._get_plan()
            check_whole(self.__dict__, plan, self._allowed, self._needed, self._state_checks)
        except (Misfit, LookupError, OverflowError) as error:
            raise ValueError(
                f"This {type(self).__name__} is not what was fitted: {error}. Leave its attributes "
                "as fit has set them, load it anew, or fit anew with warm_start=False."
            ) from error
        return plan

    def __getstate__(self):
        """Leave out what can be made again, and the optimizer unless `warm_start` needs it."""
        state = to_plain(super().__getstate__(), self._state_classes)
        for name in ("_plan", "_stepper_ready", "_weights_version"):
            state.pop(name, None)
        if "_optimizer" in state:
            optimizer = state.pop("_optimizer") if self.warm_start else None
            # A namespace, so that a file names no class of this package.
            state[OPTIMIZER_KEY] = optimizer and SimpleNamespace(**vars(optimizer))
            state.pop("_optimizer", None)
        state[VERSION_KEY] = __version__
        return state

    def __reduce_ex__(self, protocol):
        """Write arrays so that every version of NumPy can load them."""
        make, args, state, *rest = super().__reduce_ex__(protocol)
        return make, args, portable(state), *rest

    def __copy__(self):
        """Copy without a pickle between, whose arrays are not arrays yet."""
        other = type(self).__new__(type(self))
        other.__setstate__(self.__getstate__())
        return other

    def __setstate__(self, state):
        """Take a saved state, if it is whole; warn where another version saved it."""
        super().__setstate__(check_state(type(self), state))


def check_state(made, state):
    """Validate the state of an estimator that is being loaded.

    Parameters
    ----------
    made : type
        The estimator's class.
    state : dict

    Returns
    -------
    dict
        The state without its version, with its plan.

    Raises
    ------
    ValueError
        Where weights, optimizer and architecture do not belong together, or are not finite.
    """
    name = made.__name__
    if not isinstance(state, dict):
        raise _refused(name, f"its state is of type {type(state).__name__}, not a dict")
    state = state.copy()
    found = state.pop(VERSION_KEY, "an unknown version")
    if found != __version__:
        warnings.warn(
            f"This {name} was saved by skrnn {found} and is loaded by {__version__}: it may not "
            "work, or may give other results. Fit it anew, or load it with the version that "
            "saved it.",
            UserWarning,
            stacklevel=3,
        )
    try:
        state = from_plain(state, made._state_classes)
        if OPTIMIZER_KEY in state:
            state["_optimizer"] = _load_optimizer(state.pop(OPTIMIZER_KEY))
        if "_params" in state or "_architecture" in state:
            plan = _check_network(state, made._plan_class)
            check_whole(state, plan, made._allowed, made._needed, made._state_checks)
            check_optimizer(state.get("_optimizer"), plan)
            _check_contents(state)
            state["_plan"] = plan
    except (Misfit, TypeError, RecursionError) as error:
        raise _refused(name, error) from error
    return state


def _load_optimizer(saved):
    if saved is None:
        return None
    if type(saved) is not SimpleNamespace:
        raise Misfit("its optimizer is not a saved optimizer")
    try:
        return Optimizer(**vars(saved))
    except TypeError as error:
        raise Misfit(f"its optimizer is not whole ({error})") from error


class Misfit(ValueError):
    """Parts of a state do not belong together; says which."""


def _refused(name, why):
    return ValueError(
        f"This {name} cannot be loaded: {why}. The file is damaged or has been changed; load "
        "another copy of it, or fit anew."
    )


def _check_network(state, plan_class):
    """Return the plan of the saved architecture, which the saved weights fit."""
    params, architecture = state.get("_params"), state.get("_architecture")
    if not isinstance(params, np.ndarray) or params.ndim != 1:
        raise Misfit("its weights are not one vector")
    if type(architecture) is not dict:
        raise Misfit("its architecture is not a dict")
    try:
        # The level is the process's own: another one's instructions may not exist here.
        if "level" in architecture:
            raise ValueError("it names an instruction set")
        return make_plan(plan_class, architecture, params)
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise Misfit(f"its architecture does not describe a network ({error!r})") from error


def check_whole(state, plan, allowed, needed, checks):
    """Check that the parts of a fitted estimator fit its network and one another.

    Cheap, because every prediction asks: it looks at kinds and sizes, not at contents.

    Parameters
    ----------
    state : dict
        The estimator's attributes.
    plan : Plan or EncoderDecoder
    allowed : dict of str to tuple
        Values of the architecture that the estimator's class has.
    needed : collection of str
        Attributes that the estimator's class always has.
    checks : dict of str to callable
        Checks of attributes that only this class has, or that go before those of `CHECKS`.

    Raises
    ------
    Misfit
        Saying what does not fit.
    """
    params, architecture = state["_params"], state["_architecture"]
    if type(architecture) is not dict:
        raise Misfit("its architecture is not a dict")
    for key in allowed:
        if architecture.get(key) not in allowed[key]:
            raise Misfit(f"its {key} is {architecture.get(key)!r}, which its class does not have")
    if architecture != plan.architecture:
        raise Misfit("its architecture has changed")
    if not isinstance(params, np.ndarray) or params.ndim != 1:
        raise Misfit("its weights are not one vector")
    if params.size != plan.n_params:
        raise Misfit(f"it has {params.size} weights where {plan.n_params} are needed")
    if params.dtype != plan.dtype or not params.flags.c_contiguous:
        raise Misfit(f"its weights are {params.dtype} where {plan.dtype} is needed")
    for key in (*NEEDED, *needed, *checks):
        if key not in state:
            raise Misfit(f"{key} is missing")
    for check_of in (checks, CHECKS):
        for key, check in check_of.items():
            if key in state and (check_of is checks or key not in checks):
                check(state[key], state, plan)
    if (state.get("_token_counts") is None) != (plan.embedding is None):
        raise Misfit("it has an embedding without tokens, or tokens without one")
    if ("vocabulary_" in state) != ("_vocabularies" in state):
        raise Misfit("a part of its vocabulary is missing")


def check_optimizer(optimizer, plan):
    """Check that an optimizer, which may be None, can go on from where it stands.

    Raises
    ------
    Misfit
    """
    if optimizer is None:
        return
    if not isinstance(optimizer, Optimizer):
        raise Misfit("its optimizer is not a saved optimizer")
    parts = vars(optimizer)
    params = parts.get("params")
    if (
        type(params) is not dict
        or set(params) != set(PARAMETERS)
        or not all(isinstance(value, (Real, str, type(None))) for value in params.values())
    ):
        raise Misfit("its optimizer has other parameters")
    for key in ("m", "v"):
        moments = parts.get(key)
        fits = isinstance(moments, np.ndarray) and moments.dtype == plan.dtype
        size = 0 if key == "v" and params["solver"] != "adam" else plan.n_params
        if not fits or moments.shape != (size,):
            raise Misfit("its optimizer does not fit its weights")
    if not optimizer.is_finite():
        raise Misfit("its optimizer holds NaN or infinity")
    rate = parts.get("learning_rate")
    if not (is_count(parts.get("step"), 2**53) and is_count(parts.get("halvings"), MAX_HALVINGS)):
        raise Misfit("its optimizer counts steps that it cannot have taken")
    if not isinstance(rate, Real) or not 0 <= rate < np.inf:
        raise Misfit(f"the learning rate of its optimizer is {rate!r}")


def is_count(n, most=np.inf):
    """Whether n is an integer from 0 to `most`."""
    # To ask for an abstract class takes as long as all the rest.
    return (type(n) is int or isinstance(n, Integral)) and 0 <= n <= most


# What each attribute must be: (value, state, plan).


def count(key, least=0, most=2**62):
    """Return the check of an integer."""

    def check(n, state, plan):
        if not is_count(n, most) or n < least:
            raise Misfit(f"{key} is {n!r}")

    return check


def has_shape(array, shape):
    """Whether it is an array of float64 of that shape."""
    return isinstance(array, np.ndarray) and array.dtype == np.float64 and array.shape == shape


def _per_output(key, positive=False, optional=False):
    """Return the check of one finite number for each output."""

    def check(numbers, state, plan):
        if numbers is None and optional:
            return
        if not has_shape(numbers, (plan.n_outputs,)):
            raise Misfit(f"{key} is not one number for each output")
        if not ((numbers > 0 if positive else numbers == numbers) & np.isfinite(numbers)).all():
            raise Misfit(f"{key} holds NaN, infinity or a number that is not positive")

    return check


def _per_feature(key, other, positive=False):
    """Return the check of one finite number for each feature of a step, or None; as `other` has."""

    def check(numbers, state, plan):
        if (numbers is None) != (state.get(other) is None):
            raise Misfit(f"{key} and {other} do not belong together")
        if numbers is None:
            return
        n_features = state["_architecture"]["n_features"]
        if plan.embedding is not None or not has_shape(numbers, (n_features,)):
            raise Misfit(f"{key} is not one number for each feature")
        if not ((numbers > 0 if positive else numbers == numbers) & np.isfinite(numbers)).all():
            raise Misfit(f"{key} holds NaN, infinity or a number that is not positive")

    return check


def _check_classes(classes, state, plan):
    if not isinstance(classes, np.ndarray) or classes.shape != (plan.n_outputs,):
        raise Misfit(f"classes_ does not have one label for each of {plan.n_outputs} outputs")


def _check_target_vocabulary(known, state, plan):
    if type(known) is not dict or len(known) + 1 != plan.n_outputs:
        raise Misfit(
            "target_vocabulary_ does not have one token for each output except the end symbol"
        )
    if plan.decoder.embedding[0][0] != len(known) + 2:
        raise Misfit("its embedding of targets does not fit its vocabulary")


def _check_longest_targets(longest, state, plan):
    sound = isinstance(longest, np.ndarray) and longest.dtype == np.int64
    if not sound or longest.ndim != 2 or longest.shape[1] != 2:
        raise Misfit("_longest_targets is not a table of two columns of integers")
    if not (np.diff(longest, axis=0) > 0).all() or (longest < 0).any():
        raise Misfit("_longest_targets does not rise")
    if len(longest) and longest[-1].max() > LONGEST_TARGET:
        raise Misfit("_longest_targets holds lengths that no target has")


def _check_token_counts(counts, state, plan):
    if counts is None:
        return
    own = state.get("_own_symbols", 0) + 1  # rows beside the vocabulary's: the unknown token's
    rows = [n for n, _ in plan.embedding or []]
    fits = isinstance(counts, np.ndarray) and counts.dtype.kind == "i" and counts.ndim == 1
    if not fits or counts.tolist() != [n - own for n in rows]:
        raise Misfit("its embedding does not fit its vocabulary")


def _check_own_symbols(n, state, plan):
    if not is_count(n, 1) or plan.embedding is None or plan.n_outputs != plan.embedding[0][0]:
        raise Misfit("it does not have one output for each token that it reads")


def _check_vocabularies(vocabularies, state, plan):
    columns = getattr(vocabularies, "columns", None)
    known = getattr(vocabularies, "known", None)
    if (
        type(vocabularies) is not Vocabularies
        or type(columns) is not list
        or type(known) is not list
    ):
        raise Misfit("its vocabularies are of another type")
    sizes = [len(words) if type(words) is dict else None for words in known]
    if len(columns) != len(sizes) or sizes != np.ravel(state.get("_token_counts")).tolist():
        raise Misfit("its vocabularies do not fit its embeddings")
    if not all(map(_is_token_column, columns)):
        raise Misfit("its vocabularies do not say what they look at")
    n_rare = getattr(vocabularies, "n_rare", None)
    if type(n_rare) is not list or len(n_rare) != len(sizes) or not all(map(is_count, n_rare)):
        raise Misfit("its vocabularies do not say how much was rare")
    if not is_count(getattr(vocabularies, "n_vectors", None), sizes[0]):
        raise Misfit("its vocabularies do not say which words have a vector")
    characters = getattr(vocabularies, "characters", None)
    if (characters is None) != (getattr(plan, "characters", None) is None):
        raise Misfit("it reads characters without knowing any, or knows some without reading them")
    if characters is not None and (
        type(characters) is not dict or len(characters) + 1 != plan.characters.embedding[0][0]
    ):
        raise Misfit("its embedding of characters does not fit those it knows")
    if type(state.get("vocabulary_")) is not dict or len(state["vocabulary_"]) != sizes[0]:
        raise Misfit("vocabulary_ does not fit its embedding")


def _is_token_column(column):
    return (
        type(column) is TokenColumn
        and column.part in PARTS
        and is_count(column.length)
        and (column.length > 0) == (column.part in ("prefix", "suffix"))
        and isinstance(column.lowercase, bool)
        and is_count(column.min_freq)
    )


def _check_step_width(width, state, plan):
    n_features = state["_architecture"]["n_features"]
    if not is_count(width) or width != (1 if "vocabulary_" in state else n_features):
        raise Misfit(f"a step has {width!r} features, which does not fit its network")


def _check_y_ndim(n, state, plan):
    if not is_count(n, 2) or n < 1 or (n == 1 and plan.n_outputs > 1):
        raise Misfit(f"_y_ndim is {n!r}")


def _check_scheme(scheme, state, plan):
    if scheme is not None and scheme not in list(SCHEMES):
        raise Misfit(f"tag_scheme_ is {scheme!r}")


def _check_curve(curve, state, plan):
    if type(curve) is not list:
        raise Misfit("loss_curve_ is not a list")


def _check_loss(loss, state, plan):
    if loss != state["_architecture"]["loss"]:
        raise Misfit(f"_loss is {loss!r}, which is not that of its network")


def _check_read_by(params, state, plan):
    if type(params) is not dict:
        raise Misfit("_read_by is not a dict")


NEEDED = ("_token_counts", "_step_width", "n_features_in_")
CHECKS = {
    "_token_counts": _check_token_counts,
    "_own_symbols": _check_own_symbols,
    "_vocabularies": _check_vocabularies,
    "_step_width": _check_step_width,
    "n_features_in_": count("n_features_in_", 1),
    "classes_": _check_classes,
    "target_vocabulary_": _check_target_vocabulary,
    "tag_scheme_": _check_scheme,
    "_y_ndim": _check_y_ndim,
    "_longest_targets": _check_longest_targets,
    "_class_weights": _per_output("_class_weights", optional=True),
    "_target_center": _per_output("_target_center"),
    "_target_scale": _per_output("_target_scale", positive=True),
    "_input_center": _per_feature("_input_center", "_input_scale"),
    "_input_scale": _per_feature("_input_scale", "_input_center", positive=True),
    "_counts": _per_output("_counts"),
    "_loss": _check_loss,
    "_read_by": _check_read_by,
    "n_iter_": count("n_iter_"),
    "t_": count("t_"),
    "loss_curve_": _check_curve,
}


def _check_contents(state):
    """Check what is too much to look at in every call: finite numbers, ids of vocabularies."""
    if not np.isfinite(state["_params"]).all():
        raise Misfit("its weights hold NaN or infinity")
    for key in FINITE:
        if not _is_finite(state.get(key)):
            raise Misfit(f"{key} holds NaN or infinity")
    known = [state.get("target_vocabulary_"), state.get("vocabulary_")]
    vocabularies = state.get("_vocabularies")
    known += getattr(vocabularies, "known", [])
    known.append(getattr(vocabularies, "characters", None))
    for ids in known:
        if ids is not None and list(ids.values()) != list(range(len(ids))):
            raise Misfit("a vocabulary does not number its tokens")


def _is_finite(value):
    """Tell whether arrays, alone, in lists or in data classes, hold finite numbers."""
    if isinstance(value, list):
        return all(map(_is_finite, value))
    if dataclasses.is_dataclass(value):
        fields = dataclasses.fields(value)
        return all(_is_finite(getattr(value, field.name, None)) for field in fields)
    if isinstance(value, (float, np.ndarray)) and np.asarray(value).dtype.kind in "fc":
        return bool(np.isfinite(value).all())
    return True
