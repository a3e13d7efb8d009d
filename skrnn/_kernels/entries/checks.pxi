"""Checks of sizes, indices and kinds before `nogil`, so that all that is read or written exists.

One pass over the targets of the batches' sequences. The kernels index by labels and write to
rows of results, and check nothing themselves.
"""
from .types cimport ALL, Net, idx, imax, real, token_width


cdef int _check_data(
    const Net* net, data, limits, const idx[::1] batch_indices, const idx[::1] batch_offsets,
    idx shortest=0,
) except -1:
    """Raise unless rows have the right width, batches hold sequences that exist, are at least
    `shortest` steps long and fit the workspace, and the embedding has all tokens."""
    offsets, values, tokens = data.offsets, data.values, data.tokens
    rows = values if net.plan.n_columns == 0 else tokens
    width = net.plan.D if net.plan.n_columns == 0 else token_width(&net.plan)
    if rows is None or rows.ndim != 2 or rows.shape[1] != width:
        raise ValueError(f"Input rows must have {width} columns.")
    if len(offsets) == 0 or offsets[0] != 0 or offsets[len(offsets) - 1] != rows.shape[0]:
        raise ValueError("The offsets do not span the rows.")
    if (
        batch_offsets.shape[0] == 0 or batch_offsets[0] < 0
        or batch_offsets[batch_offsets.shape[0] - 1] > batch_indices.shape[0]
    ):
        raise ValueError("The batch_offsets do not lie within batch_indices.")
    cdef const idx[::1] starts = offsets
    cdef const idx[:, ::1] ids = tokens
    cdef idx most_sequences = limits.n_sequences, most_steps = limits.n_steps
    cdef idx longest = limits.longest
    cdef idx k, b, t, c, length, steps, n_rows = rows.shape[0]
    if net.plan.pooling != ALL:
        shortest = 1  # pooling reads a step at least
    for k in range(batch_offsets.shape[0] - 1):
        steps = 0
        if not 0 < batch_offsets[k + 1] - batch_offsets[k] <= most_sequences:
            raise ValueError(f"batch {k} is empty or larger than the workspace")
        for b in range(batch_offsets[k], batch_offsets[k + 1]):
            if not 0 <= batch_indices[b] < starts.shape[0] - 1:
                raise ValueError(f"there is no sequence {batch_indices[b]}")
            if not 0 <= starts[batch_indices[b]] <= starts[batch_indices[b] + 1] <= n_rows:
                raise ValueError(f"sequence {batch_indices[b]} does not lie within the rows")
            length = starts[batch_indices[b] + 1] - starts[batch_indices[b]]
            if length < shortest:
                raise ValueError(f"sequence {batch_indices[b]} is too short")
            if length > longest:
                raise ValueError(f"sequence {batch_indices[b]} is longer than the workspace")
            steps += length
            for t in range(starts[batch_indices[b]], starts[batch_indices[b] + 1]):
                for c in range(net.plan.n_columns):
                    if not 0 <= ids[t, c] < net.columns[c].rows:
                        raise ValueError(f"the embedding of column {c} has no row {ids[t, c]}")
        if steps > most_steps:
            raise ValueError(f"batch {k} has more steps than the workspace")
    return 0


cdef int _read_spellings(
    Net* net, data, limits, const idx[::1] batch_indices, const idx[::1] batch_offsets
) except -1:
    """Connect the characters of words, which the caller keeps alive, where the network reads them.

    Raise unless every step of the batches, which are checked already, has a word that exists, these
    words are neither empty nor longer than the workspace, the embedding has all their characters,
    and the different words of a batch fit the workspace.
    """
    if net.characters == NULL:
        return 0
    if data.spellings is None:
        raise ValueError("The network needs the characters of words.")
    cdef const idx[::1] offsets = data.offsets, starts = data.spellings.offsets
    cdef const idx[:, ::1] tokens = data.tokens, characters = data.spellings.characters
    cdef idx n_words = starts.shape[0] - 1, n = characters.shape[0], C = net.plan.n_columns
    cdef idx most_words = limits.words.n_sequences, most_steps = limits.words.n_steps
    cdef idx longest = limits.words.longest, k, b, t, c, word, words, steps
    if n_words < 0 or starts[0] != 0 or starts[n_words] != n or characters.shape[1] != 1:
        raise ValueError("The offsets of words do not span their characters.")
    cdef idx[::1] batch_of = np.full(imax(n_words, 1), -1, dtype=np.intp)
    for k in range(batch_offsets.shape[0] - 1):
        words = steps = 0
        for b in range(batch_offsets[k], batch_offsets[k + 1]):
            for t in range(offsets[batch_indices[b]], offsets[batch_indices[b] + 1]):
                word = tokens[t, C]
                if not 0 <= word < n_words:
                    raise ValueError(f"There is no word {word}.")
                if batch_of[word] == k:
                    continue
                batch_of[word] = k
                if not 0 <= starts[word] < starts[word + 1] <= n \
                        or starts[word + 1] - starts[word] > longest:
                    raise ValueError(f"Word {word} is empty, or longer than the workspace.")
                for c in range(starts[word], starts[word + 1]):
                    if not 0 <= characters[c, 0] < net.characters.columns[0].rows:
                        raise ValueError(
                            f"The embedding of characters has no row {characters[c, 0]}."
                        )
                words += 1
                steps += starts[word + 1] - starts[word]
        if words > most_words or steps > most_steps:
            raise ValueError(f"Batch {k} has more words or characters than the workspace.")
    net.spelling_starts, net.spelling = &starts[0], &characters[0, 0] if n > 0 else NULL
    return 0


cdef idx _n_targets(const Net* net, const idx[::1] offsets):
    """Return the number of targets (weights, rows of results): one per step or per sequence."""
    cdef idx n = offsets.shape[0] - 1
    return offsets[n] if net.plan.pooling == ALL else n


cdef int _check_targets(
    const Net* net,
    const idx[::1] offsets,      # (n_sequences + 1,), checked
    const idx[::1] labels,       # (n_targets,), or None
    const real[:, ::1] target_values,  # (n_targets, n_targets of a row), or None
    const double[::1] weights,   # (n_targets,), or None
    const idx[::1] batch_indices,       # checked, as are batch_offsets
    const idx[::1] batch_offsets,
) except -1:
    """Raise unless there are as many targets as the loss reads, of its kind, and every label is an
    output."""
    cdef idx n = _n_targets(net, offsets), M = net.plan.n_targets, O = net.plan.n_outputs
    cdef idx k, at, start, stop
    if M == 0 and labels is None:
        raise ValueError("The loss of this network needs labels.")
    if M > 0 and target_values is None:
        raise ValueError("The loss of this network needs numbers.")
    if target_values is not None and target_values.shape[1] != M:
        raise ValueError(f"The targets must have {M} columns.")
    if (
        (labels is not None and labels.shape[0] != n)
        or (target_values is not None and target_values.shape[0] != n)
        or (weights is not None and weights.shape[0] != n)
    ):
        raise ValueError(f"The data need {n} targets and weights.")
    if labels is None:
        return 0
    for k in range(batch_offsets[0], batch_offsets[batch_offsets.shape[0] - 1]):
        start, stop = batch_indices[k], batch_indices[k] + 1
        if net.plan.pooling == ALL:
            start, stop = offsets[start], offsets[stop]
        for at in range(start, stop):
            if labels[at] >= O:
                raise ValueError(f"there is no output {labels[at]}")
    return 0


cdef int _check_report(const Net* net, const double[:, ::1] report, idx n_batches) except -1:
    if not net.training:
        raise ValueError("Training needs options that are made for training.")
    if report.shape[0] < n_batches or report.shape[1] != 3:
        raise ValueError("The report needs one row of 3 numbers per batch.")
    return 0


cdef int _check_results(
    const Net* net, const idx[::1] offsets, const real[:, ::1] out, const real[:, ::1] features,
    const idx[::1] path,
) except -1:
    cdef idx n = _n_targets(net, offsets), F = net.plan.H * net.segments
    if (
        (out is not None and (out.shape[0] != n or out.shape[1] != net.plan.n_outputs))
        or (features is not None and (features.shape[0] != n or features.shape[1] != F))
        or (path is not None and path.shape[0] != n)
    ):
        raise ValueError("The array of results does not fit the plan and the sequences.")
    return 0


cdef int _check_distinct(
    const Net* net, const idx[:, ::1] rows, const idx[::1] places, idx n_steps
) except -1:
    cdef idx u, c
    if rows.shape[0] != net.n_distinct or rows.shape[1] != net.plan.n_columns \
            or places.shape[0] != n_steps:
        raise ValueError("The distinct token rows do not fit the plan.")
    for u in range(n_steps):
        if not 0 <= places[u] < net.n_distinct:
            raise ValueError(f"there is no token row {places[u]}")
    for u in range(net.n_distinct):
        for c in range(net.plan.n_columns):
            if not 0 <= rows[u, c] < net.columns[c].rows:
                raise ValueError(f"the embedding of column {c} has no row {rows[u, c]}")
    return 0
