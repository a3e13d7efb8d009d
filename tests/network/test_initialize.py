"""Orthogonal initial weights: the law, the bits, and what other threads of BLAS do meanwhile."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from skrnn._network import initialize


def draw(n, n_blocks=4, dtype=np.float64, seed=0):
    """Return blocks of weights of n units, and the next number of the generator."""
    rng = np.random.RandomState(seed)
    weight = np.full((n_blocks * n, n), np.nan, dtype)
    initialize.draw_orthogonal(rng, [weight[n * g : n * (g + 1)] for g in range(n_blocks)])
    return weight.reshape(n_blocks, n, n), rng.uniform()


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 64, 130, 192])
def test_blocks_are_q_of_gaussian_matrices_in_the_order_drawn(n):
    blocks, after = draw(n)
    rng = np.random.RandomState(0)
    for block in blocks:
        q, r = np.linalg.qr(rng.standard_normal((n, n)))
        np.testing.assert_allclose(block, q * np.sign(np.diag(r)), rtol=0, atol=1e-12)
        np.testing.assert_allclose(block @ block.T, np.eye(n), rtol=0, atol=1e-12)
    assert rng.uniform() == after


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bits_do_not_depend_on_threads(dtype, monkeypatch):
    n = initialize.LEAST_THREADED
    drawn = []
    for threads in (1, 2, 8):
        monkeypatch.setattr(initialize, "effective_n_threads", lambda threads=threads: threads)
        drawn.append(draw(n, dtype=dtype))
    for blocks, after in drawn[1:]:
        np.testing.assert_array_equal(blocks, drawn[0][0])
        assert after == drawn[0][1]


def test_float32_is_rounded_from_float64():
    np.testing.assert_array_equal(draw(24, dtype=np.float32)[0], draw(24)[0].astype(np.float32))


@pytest.mark.parametrize("threads", [1, 2])
def test_blas_is_limited_to_one_thread_and_gets_its_own_back(threads, monkeypatch):
    def limits():
        return [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]

    decompose, during = initialize._decompose, []

    def note(*args):
        during.append(limits())
        decompose(*args)

    monkeypatch.setattr(initialize, "_decompose", note)
    monkeypatch.setattr(initialize, "effective_n_threads", lambda: threads)
    with threadpool_limits(2, user_api="blas"):
        before = limits()
        draw(initialize.LEAST_THREADED)
        assert limits() == before
    assert 2 in before
    assert len(during) == 4
    assert {count for counts in during for count in counts} <= {1}


def test_what_a_thread_raises_is_raised(monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(initialize, "_decompose", fail)
    monkeypatch.setattr(initialize, "effective_n_threads", lambda: 2)
    with pytest.raises(MemoryError):
        draw(initialize.LEAST_THREADED)
