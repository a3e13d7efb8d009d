"""
Train on more data than fits into memory
========================================

Writes a store of sequences that is twice as large as the memory this script allows itself, then
trains a classifier on it and scores it. The limit is one of the operating system: whatever reads
all sequences at once fails.
"""

import tempfile
from pathlib import Path

import numpy as np

from skrnn import RNNClassifier
from skrnn.datasets import SequenceStore

N_CHUNKS, CHUNK, STEPS, CHANNELS = 20, 500, 100, 64
MEGABYTE = 2**20


def make_waves():
    """Make waves of two frequencies, heard by many noisy channels; one chunk is in memory."""
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(1, 1, CHANNELS)).astype(np.float32)
    for _ in range(N_CHUNKS):
        fast = rng.integers(0, 2, size=CHUNK)
        phases = rng.uniform(0, 2 * np.pi, size=(CHUNK, 1))
        waves = np.sin(np.arange(STEPS) * (0.3 + 0.2 * fast[:, np.newaxis]) + phases)
        X = rng.standard_normal((CHUNK, STEPS, CHANNELS), dtype=np.float32)
        X += 0.5 * waves.astype(np.float32)[:, :, np.newaxis] * mix
        yield X, np.array(["slow", "fast"])[fast]


def limit_memory(more):
    """Allow this process so many bytes more than it has now; says whether that is possible."""
    try:
        import resource

        status = Path("/proc/self/status").read_text()
    except (ImportError, OSError):  # not Linux
        return False
    used = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmData"))
    limit = used * 1024 + more
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    return True


# %%
# A first fit starts all threads, whose stacks count as memory, too.
model = RNNClassifier((16,), max_iter=2, learning_rate_init=0.01, n_iter_no_change=np.inf,
                      random_state=0)  # fmt: skip
model.fit(np.ones((4, 3, 2)), [0, 1, 0, 1])

bytes_in_all = 4 * N_CHUNKS * CHUNK * STEPS * CHANNELS
limited = limit_memory(bytes_in_all // 2)
print(f"sequences: {bytes_in_all // MEGABYTE} MB; memory for them: {bytes_in_all // 2 // MEGABYTE}")

# %%
# A quarter of the sequences is for the score. Slices of a store are stores; nothing is read.
with tempfile.TemporaryDirectory() as folder:
    store = SequenceStore.write(Path(folder) / "waves", make_waves(), buffer_bytes=16 * MEGABYTE)
    print(store)
    n_train = 3 * len(store) // 4
    train, test = store[:n_train], store[n_train:]

    if limited:
        try:
            np.stack(list(store))
        except MemoryError:
            print("all at once: MemoryError")

    model.fit(train, train.y)
    accuracy = model.score(test, test.y)
    print(f"part by part: accuracy {accuracy:.3f} after {model.n_iter_} epochs")
