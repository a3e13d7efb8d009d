"""Markdown tables, verdicts, and what machine the figures come from."""

import os
import platform
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from shapes import share_goal
from timing import available_cores

import skrnn

# What docs/development shows and the users' page leaves out.
GOAL_COLUMNS = {
    "goal", "verdict", "of FMA peak", "share's goal", "share's verdict", "ratio at the peak",
    "cores gave",
}  # fmt: skip


@dataclass
class Table:
    """Rows under a heading; printed as they come, kept for the file."""

    title: str
    columns: list
    note: str = ""
    goal_note: str = ""
    rows: list = field(default_factory=list)

    def add(self, *cells):
        """Add a row, and print it at once."""
        row = [str(cell) for cell in cells]
        if not self.rows:
            print(f"\n## {self.title}\n", flush=True)
            print("\n".join(self._head()), flush=True)
        self.rows.append(row)
        print(_line(row), flush=True)

    def _head(self):
        return [_line(self.columns), _line(["---"] * len(self.columns))]

    def markdown(self, goals=True):
        """Return the table under its heading, or nothing if it has no rows.

        Without `goals` the columns and the note that only a developer of skrnn asks for are left
        out.
        """
        if not self.rows:
            return ""
        lines = [f"## {self.title}", ""]
        note = f"{self.note} {self.goal_note}".strip() if goals else self.note
        if note:
            lines += [note, ""]
        kept = [i for i, name in enumerate(self.columns) if goals or name not in GOAL_COLUMNS]
        rows = [self.columns, ["---"] * len(self.columns), *self.rows]
        return "\n".join(lines + [_line([row[i] for i in kept]) for row in rows]) + "\n"


def _line(cells):
    return "| " + " | ".join(cells) + " |"


def duration(seconds):
    """Format seconds, in the unit that reads best."""
    if seconds is None:
        return "-"
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} us"
    return f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def times(ratio):
    """Format a ratio."""
    return "-" if ratio is None else f"{ratio:.2f}x"


def speedup(mine, theirs):
    """Divide the other side's median by ours; None without another side."""
    return None if theirs is None else round(theirs.seconds / mine.seconds, 2)


def timing_cell(timing):
    """Format a timing and its thread count."""
    if timing is None:
        return "-"
    return f"{duration(timing.seconds)} ({timing.threads} thr.)"


def verdict(figure, goal, at_least=True):
    """Say whether `figure` meets `goal`; a dash where either is unknown."""
    if figure is None or goal is None:
        return "-"
    met = figure >= goal if at_least else figure <= goal
    return "met" if met else "**missed**"


def race_row(table, what, timings, goal, cell=timing_cell):
    """Add a row about our timing and, where there is another side, its; `cell` formats each."""
    mine, theirs = timings if len(timings) == 2 else [timings[0], None]
    ratio = speedup(mine, theirs)
    table.add(what, cell(mine), cell(theirs), times(ratio), times(goal), verdict(ratio, goal))


def _from_cpuinfo(key):
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                name, _, value = line.partition(":")
                if name.strip() == key:
                    return value.strip()
    except OSError:
        pass
    return ""


def vendor():
    """Name the maker of the processor as it names itself, or return an empty string."""
    return _from_cpuinfo("vendor_id")


def kind():
    """Say of what kind the processor is, which decides on some goals, and what caches it has."""
    family, model = _from_cpuinfo("cpu family"), _from_cpuinfo("model")
    words = [f"{vendor() or 'unknown maker'}, family {family or '?'}, model {model or '?'}"]
    for level in (2, 3):
        file = Path(f"/sys/devices/system/cpu/cpu0/cache/index{level}/size")
        if file.is_file():
            words.append(f"level {level} {file.read_text().strip()}")
    goal = share_goal(vendor(), "lstm", "fit", 128)
    words.append(f"goal of wide fits {goal:.0%} of the FMA peak")
    return ", ".join(words)


def instruction_set():
    """Name the widest vector instructions of the processor, and the level forced, if any."""
    flags = set(_from_cpuinfo("flags").split())
    known = [("avx512f", "AVX-512"), ("avx2", "AVX2"), ("avx", "AVX"), ("sse2", "SSE2")]
    widest = next((name for flag, name in known if flag in flags), platform.machine())
    forced = os.environ.get("SKRNN_ISA")
    extra = [name for name in ("avx512_bf16", "amx_bf16") if name in flags]
    widest = ", ".join([widest, *extra])
    return f"{widest}, SKRNN_ISA={forced}" if forced else widest


def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def machine(peak):
    """Describe the machine in a few lines; nothing that names it or its owner."""
    processor = _from_cpuinfo("model name") or platform.processor() or platform.machine()
    lines = [
        f"- processor: {processor}, {available_cores()} cores used of {os.cpu_count()}",
        f"- kind: {kind()}",
        f"- instructions: {instruction_set()}",
        f"- FMA peak of one core, float32, measured in this run: "
        f"{'unknown' if peak is None else f'{peak:.0f} GFLOP/s'}",
        f"- system: {platform.system()} {platform.machine()}, Python {platform.python_version()}",
    ]
    packages = ["numpy", "scipy", "scikit-learn", "torch", "jax"]
    versions = [f"{name} {_version(name)}" for name in packages]
    lines.append("- " + ", ".join([f"skrnn {skrnn.__version__}", *versions]))
    return "\n".join(lines)


HOW = """\
Written by `make {target}`; do not edit by hand. Times are medians of whole `fit` and `predict`
calls through the public estimators. The two sides take turns in one run, each with one or two
threads, whichever a quick trial found faster. The ratio is the other side's time divided by ours:
above 1, skrnn is faster. One epoch is 20 batches unless a data set is named. T is the number of
steps, B of sequences per batch, D of features and H of hidden units; float32, Adam, gradients
clipped at norm 1.
"""

PEAK = """\
The share of the peak divides the multiply-adds of a call by what the cores used can do: one core
alone, or both at once in a loop of multiply-adds between the calls. On AMD processors a fit is to
reach 78 % of it from 128 units on, elsewhere 70 %, whose weights stream from a cache further away;
a prediction 80 %. The ratio at the peak is what it would be if our call took no longer than its
multiply-adds at the peak, and its sigmoids and tanhs no time: no implementation could be further
ahead. The goal of an LSTM's fit is no further than the goal of its share allows, and never below
1.3x. The multiply-adds alone, weights streaming from the level-2 cache, reach 93 % of the peak
([performance.md](performance.md#what-the-goals-need)). "Cores gave" is what all cores did at once
over what one can do alone: on a shared machine a core may be slower than the other, and nothing
else says so.
"""


def goals_table(tables):
    """Count the goals of each table that were met, and name the rows that missed one."""
    table = Table("Goals", ["table", "met", "missed", "rows that missed"])
    for each in tables:
        cells = [cell for row in each.rows for cell in row]
        met, short = cells.count("met"), cells.count("**missed**")
        if met + short:
            rows = [", ".join(row[:2]) for row in each.rows if "**missed**" in row]
            table.add(each.title, met, short, "; ".join(rows) or "-")
    return table


def document(tables, peak, tasks=False, goals=False):
    """Put together ``docs/benchmarks.md``, or the page of tasks, or with `goals` that of either."""
    title = "# Benchmarks of tasks\n" if tasks else "# Benchmarks\n"
    if goals:
        title = title.replace("\n", ", with their goals\n")
    how = HOW.format(target="bench-tasks" if tasks else "bench")
    parts = [title, how, *([PEAK] if goals and not tasks else []), "## Machine\n"]
    parts += [machine(peak) + "\n"]
    if goals:
        parts += [goals_table(tables).markdown()]
    parts += [text for text in (table.markdown(goals) for table in tables) if text]
    return "\n".join(parts)
