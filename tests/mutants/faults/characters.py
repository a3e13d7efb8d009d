"""Faults of the network that reads the characters of words."""

from faults import Fault

FAULTS = [
    Fault(
        "characters: a word gets what another one gives",
        "_kernels/characters.pxd",
        "        u = word_place(net, inner.order[b])\n        for p",
        "        u = b\n        for p",
        "kernels/test_characters.py::test_every_cell_against_the_oracle",
    ),
    Fault(
        "characters: a word gets the gradient of another one",
        "_kernels/characters.pxd",
        "u = word_place(net, inner.order[b])\n        to = inner.dfeatures",
        "u = b\n        to = inner.dfeatures",
        "kernels/test_characters.py::test_every_cell_against_the_oracle",
    ),
    Fault(
        "characters: the gradient of the last place of a word alone",
        "_kernels/characters.pxd",
        "to[d * inner.plan.Hp + k] += source[d * H + k]",
        "to[d * inner.plan.Hp + k] = source[d * H + k]",
        "kernels/test_characters.py::test_every_cell_against_the_oracle",
    ),
    Fault(
        "characters: the gradient of other columns of the input",
        "_kernels/characters.pxd",
        "net.dx + net.scratch_word_order[p] * net.ld_dx + place",
        "net.dx + net.scratch_word_order[p] * net.ld_dx",
        "kernels/test_characters.py::test_every_cell_against_the_oracle",
    ),
    Fault(
        "characters: gradients of final states go on from batch to batch",
        "_kernels/characters.pxd",
        "    clear_state_gradients(inner)\n",
        "    pass\n",
        "kernels/test_characters.py::test_nothing_is_left_of_the_batch_before",
    ),
    Fault(
        "characters: their embedding left out of the global norm",
        "_kernels/optimizer.pxd",
        "g2 += touched_squares(net.characters)",
        "pass",
        "kernels/test_characters.py::test_one_step_moves_all_by_one_clipped_gradient",
    ),
    Fault(
        "characters: their embedding takes no steps",
        "_kernels/optimizer.pxd",
        "update_touched(net.characters, opt, scale, rate)",
        "pass",
        "kernels/test_characters.py::test_one_step_moves_all_by_one_clipped_gradient",
    ),
    Fault(
        "characters: dropped in the same places at every step",
        "_kernels/characters.pxd",
        "mix64(net.seed, CHARACTER_SEED)",
        "CHARACTER_SEED",
        "kernels/test_characters.py::test_characters_give_way_to_the_unknown_one",
    ),
    Fault(
        "characters: the word of a step is not looked at",
        "_kernels/entries/checks.pxi",
        "if not 0 <= word < n_words:",
        "if False:",
        "kernels/test_characters.py::test_what_is_not_there_is_refused",
    ),
    Fault(
        "characters: rows of their embedding are not looked at",
        "_kernels/entries/checks.pxi",
        "if not 0 <= characters[c, 0] < net.characters.columns[0].rows:",
        "if False:",
        "kernels/test_characters.py::test_what_is_not_there_is_refused",
    ),
    Fault(
        "characters: words of a batch are not counted",
        "_kernels/entries/checks.pxi",
        "if words > most_words or steps > most_steps:",
        "if steps > most_steps:",
        "kernels/test_characters.py::test_limits_that_are_too_small_are_refused",
    ),
    Fault(
        "characters: unknown and rare ones are told apart by no row of their own",
        "_data/spelling.py",
        "    unknown = len(known)\n",
        "    unknown = 0\n",
        "data/test_spelling.py",
    ),
]
