"""A third side: the same network in JAX, compiled whole: ``jit`` over ``lax.scan``, Adam included.

Compiling is not timed: `fit` runs what an earlier call of the same shape compiled.
"""

from contextlib import nullcontext
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from shapes import GATES, N_CLASSES

NAME = "JAX"
VERSION = jax.__version__
RATE, DECAY, DECAY_SQUARES, EPSILON = 1e-3, 0.9, 0.999, 1e-8


def lstm(w, states, x):
    """Take one step of an LSTM, on x_t already projected."""
    h, c = states
    i, f, g, o = jnp.split(x + h @ w["hh"], 4, axis=1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def gru(w, states, x):
    """Take one step of a GRU, its reset gate after the matmul as cuDNN has it."""
    h, c = states
    r, z, n = jnp.split(x, 3, axis=1)
    hr, hz, hn = jnp.split(h @ w["hh"] + w["b_hh"], 3, axis=1)
    r, z = jax.nn.sigmoid(r + hr), jax.nn.sigmoid(z + hz)
    return (1 - z) * jnp.tanh(n + r * hn) + z * h, c


CELLS = {"lstm": lstm, "gru": gru}


def loss(w, cell, X, y):
    """Mean cross-entropy of a batch; the inputs of all steps are projected in one product."""
    x = jnp.swapaxes(X, 0, 1) @ w["ih"] + w["b_ih"]
    states = (jnp.zeros((len(X), len(w["hh"])), jnp.float32),) * 2
    (h, _), _ = jax.lax.scan(lambda s, x: (CELLS[cell](w, s, x), None), states, x)
    scores = jax.nn.log_softmax(h @ w["head"] + w["b_head"])
    return -jnp.take_along_axis(scores, y[:, None], axis=1).mean()


@partial(jax.jit, static_argnums=0, donate_argnums=1)
def train(cell, state, X, y, rows):
    """Gather a batch, and take one step of Adam with gradients clipped at norm 1."""
    w, m, v, t = state
    value, grads = jax.value_and_grad(loss)(w, cell, X[rows], y[rows])
    norm = jnp.sqrt(sum(jnp.vdot(g, g) for g in jax.tree.leaves(grads)))
    grads = jax.tree.map(lambda g: g / jnp.maximum(norm, 1), grads)
    t += 1
    m = jax.tree.map(lambda m, g: DECAY * m + (1 - DECAY) * g, m, grads)
    v = jax.tree.map(lambda v, g: DECAY_SQUARES * v + (1 - DECAY_SQUARES) * g * g, v, grads)

    def stepped(w, m, v):
        m, v = m / (1 - DECAY**t), v / (1 - DECAY_SQUARES**t)
        return w - RATE * m / (jnp.sqrt(v) + EPSILON)

    return (jax.tree.map(stepped, w, m, v), m, v, t), value


def initial(shape):
    """Draw weights, small ones: their values do not matter for time."""
    rng, wide = np.random.default_rng(0), GATES[shape.cell] * shape.H
    sizes = {
        "ih": (shape.D, wide), "hh": (shape.H, wide), "b_ih": (wide,), "b_hh": (wide,),
        "head": (shape.H, N_CLASSES), "b_head": (N_CLASSES,),
    }  # fmt: skip
    if shape.cell == "lstm":
        del sizes["b_hh"]  # it would enter where b_ih does
    bound = shape.H**-0.5
    w = {k: jnp.asarray(rng.uniform(-bound, bound, s), jnp.float32) for k, s in sizes.items()}
    return w, jax.tree.map(jnp.zeros_like, w), jax.tree.map(jnp.zeros_like, w), jnp.float32(0)


def fit(shape, X, y):
    """Train from scratch; this whole call is what is timed."""
    state, rng = initial(shape), np.random.default_rng(0)
    y = jnp.asarray(y, jnp.int32)
    for _ in range(shape.epochs):
        total = 0.0
        for rows in rng.permutation(len(y)).reshape(-1, shape.B):
            state, value = train(shape.cell, state, X, y, rows)
            total += value
        float(total)
    return jax.block_until_ready(state)


def warm_up(shape, X, y):
    """Compile what `fit` runs on these data, by one step."""
    rows, y = np.arange(shape.B), jnp.asarray(y, jnp.int32)
    jax.block_until_ready(train(shape.cell, initial(shape), X, y, rows))


def prepare(X):
    """Bring the data to JAX before the clock starts."""
    return jnp.asarray(X)


def threads(n):
    """Make a context that does nothing: JAX's threads are fixed when it starts, one per core."""
    return nullcontext()
