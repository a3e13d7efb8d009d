"""Drawing sequences from a language model."""

import numpy as np

from skrnn._network.border import BatchLimits, CarriedStates
from skrnn._network.plan import Options
from skrnn._network.predict import PREDICT_NUMBERS
from skrnn._network.threads import effective_n_threads


def uniform_numbers(rng, n_samples, length):
    """Draw numbers from [0, 1), for each sample those of a generator of its own.

    So a sample does not depend on how many are drawn, nor its beginning on how long it may become.

    Parameters
    ----------
    rng : RandomState
    n_samples, length : int

    Returns
    -------
    ndarray of shape (n_samples, length)
    """
    seed, numbers = rng.randint(2**31 - 1), np.empty((n_samples, length))
    for i in range(n_samples):
        numbers[i] = np.random.RandomState([seed, i]).random_sample(length)
    return numbers


def draw(plan, params, states, tokens, uniforms, *, temperature, top_k, top_p, excluded, end):
    """Draw tokens one after another, each from the outputs after the one before was read.

    Parameters
    ----------
    plan : Plan
    params : ndarray of shape (n_params,)
    states : (h, c)
        Before the first token, as `first_states` makes them.
    tokens : ndarray of shape (n, steps + 1), dtype=intp
        What is read first; the rest is filled.
    uniforms : ndarray of shape (n, steps)
        Random numbers from [0, 1).
    temperature : float
    top_k : int
        Number of most probable tokens to draw from; 0 draws from all.
    top_p : float
        Share of the probability of these that the most probable tokens drawn from make up.
    excluded : int
        Token that is never drawn.
    end : int
        Token with which a row ends, -1 for none.
    """
    options = Options(threads=effective_n_threads())
    if top_p < 1 and top_k == 0:
        top_k = plan.n_outputs - (0 <= excluded < plan.n_outputs)
    most = max(1, PREDICT_NUMBERS // max(plan.n_outputs, *plan.hidden))
    for start in range(0, len(tokens), most):
        part = slice(start, start + most)
        h, c = (None if s is None else np.ascontiguousarray(s[:, part]) for s in states)
        n = h.shape[1]
        plan.engine.sample(
            plan, options, plan.workspace(options, BatchLimits(n, n, 1)), params,
            CarriedStates(h, c), tokens[part], uniforms[part], temperature,
            np.empty((n, top_k), np.intp), excluded, end, top_p,
        )  # fmt: skip
