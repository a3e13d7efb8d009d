"""Plant faults in the kernels, one at a time, and see that the tests catch each of them.

    python tests/mutants/planted_faults.py            all
    python tests/mutants/planted_faults.py adam gru   those whose description holds one of the words

The faults are listed in tests/mutants/faults. The tree is copied to a temporary folder and built
there, for one instruction set, once with every fault beside the sound text and behind a switch;
what cannot be switched (declarations, C) is built by itself. For each the tests that it names are
run up to the first failure. A fault is caught when an assertion fails: a build that breaks or a run
that dies proves nothing. Exit status 1 if one is missed, or if the text it replaces is not there
just once.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from faults import (
    arithmetic,
    characters,
    models,
    network,
    on_disk,
    parts,
    scaling,
    sharing,
    truncated,
    trust,
    wide_output,
)
from faults.switch import DECLARATION, READ, switch

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("setup.py", "pyproject.toml", "README.md", "LICENSE", "skrnn", "tests")
FAULTS = [
    *network.FAULTS, *parts.FAULTS, *truncated.FAULTS, *arithmetic.FAULTS, *models.FAULTS,
    *trust.FAULTS, *wide_output.FAULTS, *characters.FAULTS, *on_disk.FAULTS, *sharing.FAULTS,
    *scaling.FAULTS,
]  # fmt: skip
PRECISIONS = ("f32", "f64")
ENGINE = "_kernels/engine.pyx"


def run(tree, level, *arguments, number=-1, precisions=PRECISIONS):
    """Run Python on this tree, with a fault switched on."""
    environment = os.environ | {
        "SKRNN_VARIANTS": ",".join(f"{level}_{precision}" for precision in precisions),
        "SKRNN_ISA": level,
        "SKRNN_PLANTED": str(number),
        "PYTHONPATH": str(tree),
        "PYTHONDONTWRITEBYTECODE": "1",
        "COLUMNS": "1000",
    }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=tree, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def build(tree, level, precisions=PRECISIONS):
    return run(tree, level, "setup.py", "-q", "build_ext", "--inplace", precisions=precisions)


def run_tests(tree, level, names, number=-1):
    """Run tests to the first failure; returns (verdict, what says so)."""
    done = run(
        tree, level, "-m", "pytest", "-x", "-q", "-rf", "--tb=no", "-p", "no:cacheprovider",
        "-o", "addopts=", "-m", "not long", *(f"tests/{name}" for name in names), number=number,
    )  # fmt: skip
    if done.returncode == 0:
        return "missed", "all tests pass"
    pattern = r"^FAILED tests/(\S+?\.py::\w+).*? - (?:assert |AssertionError|Failed: DID NOT RAISE)"
    failure = re.search(pattern, done.stdout, re.MULTILINE)
    if done.returncode == 1 and failure:
        return "caught", failure[1]
    return "broken", (done.stdout + done.stderr).strip()[-2000:]


def switch_all(tree, faults):
    """Write what of `faults`, by number, can be switched into the tree; returns those numbers."""
    switched = set()
    for file in {fault.file for fault in faults.values()} | {ENGINE}:
        path = tree / "skrnn" / file
        if path.suffix in (".py", ".h"):
            continue
        here = {number: fault for number, fault in faults.items() if fault.file == file}
        text, numbers = switch(path.read_text(), here)
        switched |= numbers
        if path.suffix != ".pxi":  # part of the engine, which has the declaration
            text += DECLARATION
        path.write_text(text + READ if file == ENGINE else text)
    return switched


def plant(tree, level, fault):
    """Test with one fault written into its file; returns (verdict, what says so)."""
    path = tree / "skrnn" / fault.file
    before, sound = path.read_text(), (ROOT / "skrnn" / fault.file).read_text()
    path.write_text(sound.replace(fault.old, fault.new))
    try:
        if path.suffix != ".py":
            built = build(tree, level, ["f64"])
            if built.returncode:
                return "broken", built.stderr[-2000:]
        return run_tests(tree, level, fault.tests.split())
    finally:
        path.write_text(before)


def copy_tree(tree):
    ignore = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=ignore)
        elif source.exists():
            shutil.copy(source, tree / name)
    # No test is about the compiler's last effort, which takes most of the time.
    setup = tree / "setup.py"
    setup.write_text(setup.read_text().replace('"-O3"', '"-O1"'))


def choose_level():
    """Best instruction set of this machine, as this tree's own build finds it."""
    code = "import skrnn._kernels.cpu as cpu; print(cpu.levels()[0])"
    level = os.environ.get("SKRNN_ISA") or run(ROOT, "base", "-c", code).stdout.strip()
    return level or sys.exit("build skrnn in place first")


def prepare(tree, level, chosen):
    """Build with all faults, none of them on; returns those that can be switched on."""
    copy_tree(tree)
    switched = switch_all(tree, dict(enumerate(chosen)))
    built = build(tree, level)
    if built.returncode:
        sys.exit(built.stderr[-2000:])
    where = run(tree, level, "-c", "import skrnn; print(skrnn.__file__)").stdout.strip()
    if not Path(where).is_relative_to(tree):
        sys.exit(f"the tests would import skrnn from {where}, not from the copy")
    names = dict.fromkeys(name for fault in chosen for name in fault.tests.split())
    verdict, detail = run_tests(tree, level, names)
    if verdict != "missed":
        sys.exit(f"without any fault the tests must pass:\n{detail}")
    print(f"{len(chosen)} faults, {level}; without any, the tests pass", flush=True)
    return switched


def main(words):
    chosen = [
        fault
        for fault in FAULTS
        if not words or any(word.lower() in fault.what.lower() for word in words)
    ]
    for fault in chosen:
        if (found := (ROOT / "skrnn" / fault.file).read_text().count(fault.old)) != 1:
            sys.exit(f"{fault.what}: text found {found} times in {fault.file}")
    level, caught = choose_level(), 0
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder).resolve()
        switched = prepare(tree, level, chosen)
        # A build of its own comes last: it leaves a fault in the compiled kernels.
        builds = [
            k not in switched and not fault.file.endswith(".py") for k, fault in enumerate(chosen)
        ]
        order = sorted(range(len(chosen)), key=builds.__getitem__)
        for number in order:
            fault, start = chosen[number], time.perf_counter()
            if number in switched:
                verdict, detail = run_tests(tree, level, fault.tests.split(), number)
            else:
                verdict, detail = plant(tree, level, fault)
            caught += verdict == "caught"
            seconds = time.perf_counter() - start
            print(f"{verdict:10}{seconds:5.0f} s  {fault.what:64}{detail}", flush=True)
    print(f"{caught} of {len(chosen)} caught")
    return 1 if caught < len(chosen) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
