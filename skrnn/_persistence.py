"""What a loaded state must be before an estimator takes it: of this version, whole and finite.

The kernels check sizes again; here the error comes at once and says what is wrong. It is no shield
against malice: a pickle may run any code, before any check.
"""

import dataclasses
import warnings
from numbers import Integral

import numpy as np

from skrnn._optim import Optimiser
from skrnn._plan import Plan
from skrnn._versions import __version__

VERSION_KEY = "_skrnn_version"
# Arrays of a fitted estimator beside its weights, alone, in lists or in data classes.
FINITE = ("_frame", "_histories", "_conformal")


def stamp(state):
    """Note the version in a state that is about to be saved.

    Parameters
    ----------
    state : dict
    """
    state[VERSION_KEY] = __version__


def check_state(name, state, plan_class=Plan):
    """Validate the state of an estimator that is being loaded.

    Parameters
    ----------
    name : str
        Of the estimator's class.
    state : dict
    plan_class : type, default=Plan
        What the saved architecture is one of.

    Returns
    -------
    dict
        The state without its version, with its plan.

    Raises
    ------
    ValueError
        Where weights, optimiser and architecture do not belong together, or are not finite.
    """
    if not isinstance(state, dict):
        raise _refused(name, f"its state is of type {type(state).__name__}, not a dict")
    state = state.copy()
    found = state.pop(VERSION_KEY, "an unknown version")
    if found != __version__:
        warnings.warn(
            f"This {name} was saved by skrnn {found} and is loaded by {__version__}: it may not "
            "work, or give other results. Fit it anew, or load it with the version that saved it.",
            UserWarning,
            stacklevel=3,
        )
    if "_params" in state or "_architecture" in state:
        plan = _check_network(name, state, plan_class)
        _check_optimiser(name, state.get("_optimiser"), plan)
        _check_outputs(name, state, plan)
        for key in FINITE:
            if not _is_finite(state.get(key)):
                raise _refused(name, f"{key} holds NaN or infinity")
        state["_plan"] = plan
    return state


def _refused(name, why):
    return ValueError(
        f"This {name} cannot be loaded: {why}. The file is damaged or has been changed; load "
        "another copy of it, or fit anew."
    )


def _check_network(name, state, plan_class):
    """Return the plan of the saved architecture, which the saved weights fit."""
    params, architecture = state.get("_params"), state.get("_architecture")
    if not isinstance(params, np.ndarray) or params.ndim != 1:
        raise _refused(name, "its weights are not one vector")
    if not isinstance(architecture, dict):
        raise _refused(name, "its architecture is not a dict")
    try:
        # A plan has tables as long as layers are wide: no layer is wider than there are weights.
        if sum(_sizes(architecture)) > params.size:
            raise ValueError("it is larger than its weights")
        # The level is the process's own: another one's instructions may not exist here.
        plan = plan_class(**architecture, level=None)
    except (TypeError, ValueError, LookupError, AttributeError, OverflowError) as error:
        raise _refused(name, f"its architecture is none ({error!r})") from error
    if params.size != plan.n_params:
        raise _refused(name, f"it has {params.size} weights where {plan.n_params} are needed")
    if params.dtype != plan.dtype or not params.flags.c_contiguous:
        raise _refused(name, f"its weights are {params.dtype} where {plan.dtype} is needed")
    if not np.isfinite(params).all():
        raise _refused(name, "its weights hold NaN or infinity")
    return plan


def _sizes(architecture):
    """Return the sizes that the network has at least as many weights as."""
    rows = [n for size in architecture.get("embedding") or [] for n in size]
    sizes = [*architecture["hidden"], architecture["n_features"], architecture["n_outputs"], *rows]
    sizes += architecture.get("target_embedding", ())
    steps = architecture.get("bptt_steps")
    if not all(isinstance(n, Integral) and n > 0 for n in (*sizes, steps or 1)):
        raise ValueError("sizes must be positive integers")
    if rows and len(rows) != 2 * architecture["n_features"]:
        raise ValueError("each token column needs an embedding")
    rows += architecture.get("target_embedding", ())
    return [*architecture["hidden"], architecture["n_outputs"], *rows]


def _check_optimiser(name, optimiser, plan):
    if optimiser is None:
        return
    if not isinstance(optimiser, Optimiser):
        raise _refused(name, "its optimiser is none")
    for key in ("first", "second"):
        moments = getattr(optimiser, key, None)
        fits = isinstance(moments, np.ndarray) and moments.dtype == plan.dtype
        none_needed = key == "second" and fits and moments.size == 0  # of gradient descent
        if not fits or not (none_needed or moments.shape == (plan.n_params,)):
            raise _refused(name, "its optimiser does not fit its weights")
    if not optimiser.is_finite():
        raise _refused(name, "its optimiser holds NaN or infinity")


def _check_outputs(name, state, plan):
    """Check that what goes in and comes out of the network has the width that the rest expects."""
    classes, counts = state.get("classes_"), state.get("_token_counts")
    if classes is not None and np.shape(classes) != (plan.n_outputs,):
        raise _refused(name, f"classes_ has not one label for each of {plan.n_outputs} outputs")
    targets = state.get("target_vocabulary_")
    if targets is not None and (type(targets) is not dict or len(targets) + 1 != plan.n_outputs):
        raise _refused(name, "target_vocabulary_ has not one token for each output but the end's")
    if (counts is None) != (plan.embedding is None):
        raise _refused(name, "it has an embedding without tokens, or tokens without one")
    own = state.get("_own_symbols", 0) + 1  # rows beside the vocabulary's: the unknown token's
    if counts is not None and np.ravel(counts).tolist() != [n - own for n, _ in plan.embedding]:
        raise _refused(name, "its embedding does not fit its vocabulary")


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
