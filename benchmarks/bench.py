"""Compare skrnn with PyTorch and JAX: fit, predict, ragged data, threads, memory, searches.

``make bench`` runs the sections on the speed of the networks in some ten minutes, prints each row
as it comes, and writes ``docs/benchmarks.md`` and, with the goals beside the figures,
``docs/development/goals.md``. ``make bench-tasks`` runs those on tagging, text and forecasts and
writes ``docs/benchmarks_tasks.md`` and ``docs/development/goals_tasks.md``. Keep the machine
otherwise idle. A side that is not installed is left out.
"""

import argparse
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SPEED = [
    ("fit", "sections", "lstm_fit"),
    ("predict", "sections", "lstm_predict"),
    ("gru", "sections", "gru_fit"),
    ("rnn", "sections", "rnn_fit"),
    ("jax", "sections", "beside_jax"),
    ("avx2", "around", "avx2"),
    ("ragged", "sections", "ragged"),
    ("long", "sections", "long_sequences"),
    ("deep", "sections", "deep"),
    ("single", "sections", "single"),
    ("single", "streaming", "streaming"),
    ("threads", "sections", "threads"),
    ("busy", "around", "busy"),
    ("initial", "around", "initial_weights"),
    ("growth", "around", "growth"),
    ("search", "around", "search"),
    ("import", "around", "import_time"),
    ("memory", "around", "memory"),
]
TASKS = [
    ("tagging", "tagging", "tagging"),
    ("characters", "characters", "characters"),
    ("text", "text", "text"),
    ("forecasting", "forecasting", "forecasting"),
    ("tagging-memory", "tagging", "memory"),
    ("text-memory", "text", "memory"),
    ("forecasting-memory", "forecasting", "memory"),
]
# What PyTorch's LSTM library calls our levels.
ONEDNN_LEVEL = {"avx512": "AVX512_CORE", "avx2": "AVX2", "base": "SSE41"}


def parse(argv):
    """Read the command line."""
    names = [name for name, _, _ in SPEED + TASKS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two shapes, 3 repeats")
    parser.add_argument("--only", nargs="+", choices=names, help="these sections alone")
    parser.add_argument("--tasks", action="store_true", help="tagging, text and forecasts")
    parser.add_argument("--repeats", type=int, help="calls of each side (default 5)")
    parser.add_argument(
        "--isa",
        choices=list(ONEDNN_LEVEL),
        help="level forced on both sides, through SKRNN_ISA and ONEDNN_MAX_CPU_ISA",
    )
    parser.add_argument("--output", type=Path, help="file to write (a whole run: its pages)")
    args = parser.parse_args(argv)
    if args.repeats is None:
        args.repeats = 3 if args.quick else 5
    args.pages = {args.output: True} if args.output else {}  # {file: with the goals or without}
    if args.output is None and not (args.quick or args.only or args.isa):
        kind = "_tasks" * args.tasks
        args.pages = {
            ROOT / "docs" / f"benchmarks{kind}.md": False,
            ROOT / "docs" / "development" / f"goals{kind}.md": True,
        }
    return args


def find_peer():
    """Import PyTorch's side; None, with a word about it, where PyTorch is missing."""
    try:
        import pytorch
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        print("PyTorch is not installed: our side only, no ratios. `make bench` installs it.")
        return None
    return pytorch


def main(argv=None):
    """Run the sections asked for, and write the report of a whole run."""
    args = parse(argv)
    if args.isa:
        # Both sides read these when they are first imported, so no import comes before.
        os.environ["SKRNN_ISA"] = args.isa
        os.environ["ONEDNN_MAX_CPU_ISA"] = ONEDNN_LEVEL[args.isa]
    start = time.perf_counter()
    from importlib import import_module

    import ours
    from report import document, goals_table, machine

    peer = find_peer()
    peak = ours.fma_peak_gflops()
    run = import_module("sections").Run(peer, peak, args.repeats, args.quick, args.isa)
    print(machine(peak), flush=True)
    tables = []
    chosen = TASKS if args.tasks else SPEED
    if args.only is not None:
        chosen = [section for section in SPEED + TASKS if section[0] in args.only]
    for _, module, function in chosen:
        began = time.perf_counter()
        tables.append(getattr(import_module(module), function)(run))
        print(f"({time.perf_counter() - began:.0f} s)", flush=True)
    goals_table(tables)
    for page, goals in args.pages.items():
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(document(tables, peak, args.tasks, goals), encoding="utf-8")
        print(f"\nwritten: {os.path.relpath(page)}")
    print(f"\n{time.perf_counter() - start:.0f} s in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
