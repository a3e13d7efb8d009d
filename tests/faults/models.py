"""Faults of what is built on the network: forecasts, steps, sampling, translation, diagnostics."""

from faults import Fault

FAULTS = [
    # -- forecasts fed back --
    Fault(
        "forecast: the difference reaches into another target",
        "_kernels/roll.pxd",
        "y[i - roll.reach * k]",
        "y[i - roll.reach]",
        "test_forecaster.py::test_feeding_back_is_reading_again",
    ),
    Fault(
        "forecast: covariates one step late",
        "_kernels/roll.pxd",
        "= <real> z[i]",
        "= <real> z[i - c]",
        "test_forecaster.py::test_feeding_back_is_reading_again",
    ),
    Fault(
        "forecast: a block starts from the step before the last",
        "_kernels/roll.pxd",
        "base_of(roll, y + i, t, j, i)",
        "base_of(roll, y + i, t - 1, j, i)",
        "test_forecaster.py::test_feeding_back_is_reading_again",
    ),
    Fault(
        "forecast: one season back however far ahead",
        "_kernels/roll.pxd",
        "roll.season * ((j + roll.season) // roll.season)",
        "roll.season",
        "test_forecaster.py::test_feeding_back_is_reading_again",
    ),
    Fault(
        "forecast: every target has the first one's lag weights",
        "_kernels/roll.pxd",
        "roll.horizon + j) * k + target]",
        "roll.horizon + j) * k]",
        "test_forecaster.py::test_feeding_back_is_reading_again",
    ),
    Fault(
        "forecast: the lowest quantile is fed back",
        "_kernels/roll.pxd",
        "= out[roll.point]",
        "= out[0]",
        "test_forecaster.py::test_feeding_back_is_reading_again",
    ),
    Fault(
        "forecast: the deviation stays in the scale of the network",
        "_kernels/roll.pxd",
        "exp(outputs[1]) * scale",
        "exp(outputs[1])",
        "test_forecaster.py::test_quantiles_of_what_is_fed_back",
    ),
    Fault(
        "forecast: the second level reads what it read before",
        "_kernels/roll.pxd",
        "if k > 0:\n            layer.x = ",
        "if k > 1:\n            layer.x = ",
        "test_streaming.py::test_the_same_as_whole_sequences",
    ),
    # -- single steps --
    Fault(
        "step: the cell state is not the one given",
        "_kernels/stream.pxi",
        "layer.c0 + r * layer.plan.Hp, at,",
        "layer.h0 + r * layer.plan.Hp, at,",
        "test_streaming.py::test_states_are_plain_arrays",
    ),
    Fault(
        "step: softmax over the padding",
        "_kernels/stream.pxi",
        "softmax_row(logits, logits, self.net.plan.n_outputs, self.net.Op)",
        "softmax_row(logits, logits, self.net.Op, self.net.Op)",
        "test_streaming.py::test_the_same_as_whole_sequences",
    ),
    Fault(
        "step: threads leave out rows that do not divide",
        "_kernels/stream.pxi",
        "n * part // parts, n * (part + 1) // parts)",
        "n // parts * part, n // parts * (part + 1))",
        "test_streaming.py::test_many_sequences_by_several_threads",
    ),
    Fault(
        "step: a state that overflows is written",
        "_kernels/stream.pxi",
        "if wrong == 0:\n                self._write",
        "if wrong >= 0:\n                self._write",
        "test_stepping.py::test_a_step_that_overflows_changes_nothing",
    ),
    Fault(
        "step: weights that an epoch has moved are not seen",
        "_training.py",
        "        estimator._weights_version += 1\n        estimator.n_iter_",
        "        estimator.n_iter_",
        "test_stepping.py::test_a_callback_that_steps_leaves_no_old_weights "
        "test_stepping.py::test_a_fit_that_ends_early_leaves_no_old_weights",
    ),
    # -- language models --
    Fault(
        "sample: temperature multiplied",
        "_kernels/sample.pxi",
        "            total += exp((z[j] - z[best]) / how.temperature)\n"
        "    if not isfinite(total):\n"
        "        return -1\n"
        "    for i in range(many):\n"
        "        j = kept[i] if how.top_k else i\n"
        "        if j != how.barred:\n"
        "            sum += exp((z[j] - z[best]) / how.temperature)",
        "            total += exp((z[j] - z[best]) * how.temperature)\n"
        "    if not isfinite(total):\n"
        "        return -1\n"
        "    for i in range(many):\n"
        "        j = kept[i] if how.top_k else i\n"
        "        if j != how.barred:\n"
        "            sum += exp((z[j] - z[best]) * how.temperature)",
        "test_language_model.py::test_temperature_and_top_k",
    ),
    Fault(
        "sample: one token too few of the top k",
        "_kernels/sample.pxi",
        "kept, how.top_k)\n",
        "kept, how.top_k)\n        many -= 1\n",
        "test_language_model.py::test_temperature_and_top_k",
    ),
    Fault(
        "sample: the unknown token counts in the sum",
        "_kernels/sample.pxi",
        "if j != how.barred:\n            total +=",
        "if True:\n            total +=",
        "test_language_model.py::test_unknown_tokens_are_never_drawn",
    ),
    Fault(
        "sample: the heap is not put in order after a replacement",
        "_kernels/sample.pxi",
        "heap[0] = j\n            _sift(z, heap, k, 0)",
        "heap[0] = j",
        "test_language_model.py::test_top_k_of_many_tokens",
    ),
    Fault(
        "sample: the last child of the heap is not looked at",
        "_kernels/sample.pxi",
        "if child + 1 < n and",
        "if child + 2 < n and",
        "test_language_model.py::test_top_k_of_many_tokens",
    ),
    Fault(
        "sample: a start symbol ends the sequence",
        "_kernels/sample.pxi",
        "(t > 0 and token == how.end)",
        "token == how.end",
        "test_language_model.py::test_sequences_are_drawn_as_often_as_they_are_probable",
    ),
    Fault(
        "sample: the state behind the prefix is not read",
        "_kernels/sample.pxi",
        "_move(&net, &carried, True)",
        "pass",
        "test_language_model.py::test_a_prefix_of_any_length_goes_on_as_without",
    ),
    Fault(
        "likelihood: the normaliser sums the padding",
        "_kernels/sample.pxi",
        "softmax_row(z, z, net.plan.n_outputs, net.Op)",
        "softmax_row(z, z, net.Op, net.Op)",
        "test_language_model.py::test_scores_are_the_oracles",
    ),
    Fault(
        "likelihood: pieces do not carry the state on",
        "_kernels/sample.pxi",
        "_move(&net, &states, False)",
        "pass",
        "test_language_model.py::test_scores_do_not_depend_on_pieces",
    ),
    Fault(
        "tied embedding: the gradient of the head is dropped",
        "_kernels/batch.pxd",
        "if not tied:",
        "if True:",
        "test_language_model.py::test_tied_gradient_against_the_oracle",
    ),
    Fault(
        "tied embedding: two steps a batch",
        "_kernels/batch.pxd",
        "if tied:\n        net.n_touched[c] = 0",
        "if tied:\n        pass",
        "test_language_model.py::test_tied_weights_take_one_step_a_batch",
    ),
    Fault(
        "word dropout: the gradient goes to the token that was read over",
        "_kernels/batch.pxd",
        "net.tokens[c * net.N + row] = token\n",
        "net.tokens[c * net.N + row] = tokens[c]\n",
        "test_gradients.py::test_word_dropout",
    ),
    Fault(
        "carried state: that of another sequence",
        "_kernels/batch.pxd",
        "else rows[net.order[b]]",
        "else rows[b]",
        "test_language_model.py::test_the_state_is_carried_along_sequences",
    ),
    Fault(
        "carried state: a fresh sequence goes on from the last one",
        "_kernels/batch.pxd",
        "elif fresh != NULL and fresh[net.order[b]]:",
        "elif False:",
        "test_language_model.py::test_the_state_is_carried_along_sequences",
    ),
    Fault(
        "carried state: c of the first step",
        "_kernels/batch.pxd",
        "(last if net.training else b)",
        "b",
        "test_language_model.py::test_the_state_is_carried_along_a_stream",
    ),
    Fault(
        "carried state: training leaves none behind",
        "_kernels/engine.pyx",
        "_move(&net, &states, False)\n            loss =",
        "loss =",
        "test_language_model.py::test_the_state_is_carried_along_a_stream",
    ),
    # -- diagnostics --
    Fault(
        "trace: what comes from above is left out",
        "_kernels/probes.pxi",
        " + layer.dy[row * layer.ldy + u]",
        "",
        "test_inspection.py::test_trace_is_the_oracle_s",
    ),
    Fault(
        "trace: the workspace is not put back",
        "_kernels/probes.pxi",
        "np.bitwise_or(before, 0, out=np.asarray(workspace))",
        "pass",
        "test_inspection.py::test_trace_changes_nothing_else",
    ),
    # -- encoder and decoder --
    Fault(
        "translation: no gradient through the encoder's last c",
        "_kernels/translate.pxi",
        "if to.plan.has_c:\n                memcpy(to.dc",
        "if False:\n                memcpy(to.dc",
        "test_translation_kernels.py::test_every_pair_against_the_oracle",
    ),
    Fault(
        "translation: a decoder starts from another source",
        "_kernels/translate.pxi",
        "place = p.attention.source[b]\n            last",
        "place = b\n            last",
        "test_translation_kernels.py::test_every_pair_against_the_oracle",
    ),
    Fault(
        "translation: prediction takes c from the last packed row",
        "_kernels/translate.pxi",
        "(last if encoder.training else place)",
        "last",
        "test_translation_kernels.py::test_greedy_takes_the_best_token_of_each_step",
    ),
    Fault(
        "translation: dropout after attention not replayed",
        "_kernels/translate.pxi",
        "if decoder.dropout > 0:\n            level_dropout(decoder, decoder.dfeatures",
        "if False:\n            level_dropout(decoder, decoder.dfeatures",
        "test_translation_kernels.py::test_gradients_under_dropout",
    ),
    Fault(
        "translation: both networks draw the same masks",
        "_kernels/translate.pxi",
        "p.decoder.seed = mix64(seed, 1 << 32)",
        "p.decoder.seed = seed",
        "test_translation_kernels.py::test_each_network_draws_masks_of_its_own",
    ),
    Fault(
        "translation: clipped to the encoder's norm",
        "_kernels/translate.pxi",
        "norm += _regularise(&p.decoder, &opt, &penalty_decoder) ** 2",
        "_regularise(&p.decoder, &opt, &penalty_decoder)",
        "test_translation_kernels.py::test_one_clipped_step",
    ),
    Fault(
        "translation: the decoder has the encoder's moments",
        "_kernels/translate.pxi",
        "opt_decoder.first = opt.first + n",
        "opt_decoder.first = opt.first",
        "test_translation_kernels.py::test_one_clipped_step",
    ),
    Fault(
        "translation: without attention the encoder's dy is stale",
        "_kernels/translate.pxi",
        "memset(encoder.layers[encoder.plan.n_layers - encoder.plan.n_directions].dy, 0,\n"
        "               encoder.N * encoder.F * sizeof(real))",
        "pass",
        "test_translation_kernels.py::test_batches_of_a_run",
    ),
    Fault(
        "label smoothing: the true token is asked for in full",
        "_kernels/heads.pxd",
        "dz[y] -= <real> (1 - smoothing)",
        "dz[y] -= 1",
        "test_translation_kernels.py::test_label_smoothing",
    ),
    # -- search --
    Fault(
        "search: states not re-ordered with the beam",
        "_kernels/search.pxi",
        "copy + s.chosen[row + k] * Hp",
        "copy + k * Hp",
        "test_translation_kernels.py::test_a_wide_beam_finds_every_target_in_order",
    ),
    Fault(
        "search: the cell state not re-ordered with the beam",
        "_kernels/search.pxi",
        "if layer.plan.has_c:\n            permute_rows",
        "if False:\n            permute_rows",
        "test_translation_kernels.py::test_a_wide_beam_finds_every_target_in_order",
    ),
    Fault(
        "search: the end symbol's log-probability left out",
        "_kernels/search.pxi",
        "note_found(p, s, owner, t, origin[c], score[c], R)",
        "note_found(p, s, owner, t, origin[c], s.scores[row + origin[c]], R)",
        "test_translation_kernels.py::test_greedy_takes_the_best_token_of_each_step",
    ),
    Fault(
        "search: tokens of one row, whatever it went on from",
        "_kernels/search.pxi",
        "        k = s.parent[i * R + owner * s.W + k]",
        "        pass",
        "test_translation_kernels.py::test_a_wide_beam_finds_every_target_in_order",
    ),
    Fault(
        "search: a slot that moves keeps the input of the old one",
        "_kernels/search.pxi",
        "memcpy(decoder.x + (to * s.W + k) * D, decoder.x + (source * s.W + k) * D,\n"
        "               D * sizeof(real))",
        "pass",
        "test_translation_kernels.py::test_greedy_takes_the_best_token_of_each_step",
    ),
    Fault(
        "search: goes on when as many are found as the beam is wide",
        "_kernels/search.pxi",
        "s.n_found[owner] >= s.W",
        "s.n_found[owner] > s.W",
        "test_translation_kernels.py::test_a_narrow_beam",
    ),
    Fault(
        "search: a hypothesis of full length need not end",
        "_kernels/search.pxi",
        "range(s.end if must_end else 0, ",
        "range(0, ",
        "test_translation_kernels.py::test_a_wide_beam_finds_every_target_in_order",
    ),
    Fault(
        "search: length not normalised",
        "_translation.py",
        "scores / (counts + 1.0) ** length_penalty",
        "scores / 1.0",
        "test_translation_kernels.py::test_a_wide_beam_finds_every_target_in_order",
    ),
    # -- attention --
    Fault(
        "attention: softmax over the padding",
        "_kernels/attention.pxd",
        "alpha + t * att.ld, S, wide)",
        "alpha + t * att.ld, wide, wide)",
        "test_translation_kernels.py::test_every_pair_against_the_oracle",
    ),
    Fault(
        "attention: gradient of the softmax not centred",
        "_kernels/attention.pxd",
        "(load(d + s) - splat(mean))",
        "load(d + s)",
        "test_translation_kernels.py::test_every_pair_against_the_oracle",
    ),
    Fault(
        "dot attention: de only through the scores",
        "_kernels/attention.pxd",
        "att.cat + row * 2 * Hp + Hp, 2 * Hp, Hp // LANES, True)",
        "att.cat + row * 2 * Hp + Hp, 2 * Hp, Hp // LANES, False)",
        "test_translation_kernels.py::test_every_pair_against_the_oracle",
    ),
    Fault(
        "additive attention: tanh' missing",
        "_kernels/attention.pxd",
        "load(att.v + u) * (1 - tanh_u * tanh_u)",
        "load(att.v + u)",
        "test_translation_kernels.py::test_every_pair_against_the_oracle",
    ),
    Fault(
        "additive attention: de only through the keys",
        "_kernels/attention.pxd",
        "att.pack_dk,\n                 att.Hp // LANES, True, threads)",
        "att.pack_dk,\n                 att.Hp // LANES, False, threads)",
        "test_translation_kernels.py::test_every_pair_against_the_oracle",
    ),
    Fault(
        "additive attention: dv of the last sequence only",
        "_kernels/attention.pxd",
        "dv[k] += att.dv",
        "dv[k] = att.dv",
        "test_translation_kernels.py::test_every_pair_against_the_oracle",
    ),
    Fault(
        "attention: sources in the order of the targets",
        "_kernels/attention.pxd",
        "att.source[b] = places[decoder.order[b]]",
        "att.source[b] = b",
        "test_translation_kernels.py::test_every_pair_against_the_oracle",
    ),
    Fault(
        "attention: the second direction where the padding ends",
        "_kernels/attention.pxd",
        "de + s * att.Hp + d * H, H",
        "de + s * att.Hp + d * Hp, H",
        "test_translation_kernels.py::test_every_pair_against_the_oracle",
    ),
    Fault(
        "attention: tanh' of the combination missing",
        "_kernels/attention.pxd",
        "load(att.d_o + k) * (1 - o * o)",
        "load(att.d_o + k)",
        "test_translation_kernels.py::test_every_pair_against_the_oracle",
    ),
]
