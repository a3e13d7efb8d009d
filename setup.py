"""Builds skrnn/_kernels/engine.pyx once for every (instruction set, precision) pair.

Cython writes one C file; each extension is a two-line C file that gives it a module name of its
own, compiled with that instruction set's flags. `skrnn._kernels` chooses one at import by what the
processor has, so a wheel needs no flag of the machine it is built on. Set SKRNN_OPENMP=0 for a
build without OpenMP (one thread); it is also what you get where the compiler has none. For tests
of the kernels themselves, SKRNN_VARIANTS="avx2_f32,avx2_f64" builds only those.
"""

import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

KERNELS = Path("skrnn/_kernels")
GENERATED = Path("build/kernels")

X86_LEVELS = {
    "base": [],
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx512f", "-mavx512dq", "-mavx512vl", "-mavx512bw", "-mavx2", "-mfma"],
}
PRECISIONS = {"f32": [], "f64": ["-DSKRNN_F64"]}
# Neither flag changes a result: they let sqrt and comparisons be vectorised, which errno and
# floating-point traps, that nobody reads here, would forbid.
FLAGS = ["-O3", "-g0", "-fno-math-errno", "-fno-trapping-math"]
QUIET = ["-Wno-unused-function", "-Wno-discarded-qualifiers", "-Wno-unknown-warning-option"]
STRIP = ["-Wl,--strip-all"] if sys.platform == "linux" else []
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": bool(int(os.environ.get("SKRNN_BOUNDSCHECK", "0"))),
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
    "freethreading_compatible": True,
}


def levels():
    """Instruction sets of the target: three on x86-64, the baseline elsewhere."""
    machine = os.environ.get("_PYTHON_HOST_PLATFORM", platform.machine()).lower()
    x86 = any(name in machine for name in ("x86_64", "amd64"))
    return X86_LEVELS if x86 else {"base": []}


def extensions():
    source = GENERATED / "engine.c"
    GENERATED.mkdir(parents=True, exist_ok=True)
    cythonize(
        Extension("skrnn._kernels.engine", [str(KERNELS / "engine.pyx")]),
        build_dir="build/cython",
        compiler_directives=DIRECTIVES,
    )
    source.write_bytes((Path("build/cython") / KERNELS / "engine.c").read_bytes())
    depends = [str(p) for p in KERNELS.iterdir() if p.suffix in (".pyx", ".pxd", ".h")]
    found = []
    for level, level_flags in levels().items():
        for precision, precision_flags in PRECISIONS.items():
            name = f"{level}_{precision}"
            if name not in os.environ.get("SKRNN_VARIANTS", name).split(","):
                continue
            stub = GENERATED / f"{name}.c"
            stub.write_text(f'#define PyInit_engine PyInit_{name}\n#include "engine.c"\n')
            found.append(
                Extension(
                    f"skrnn._kernels.{name}",
                    [str(stub)],
                    include_dirs=[str(KERNELS), str(GENERATED)],
                    extra_compile_args=FLAGS + QUIET + level_flags + precision_flags,
                    extra_link_args=list(STRIP),
                    depends=depends,
                )
            )
    found += cythonize(
        Extension(
            "skrnn._kernels.cpu",
            [str(KERNELS / "cpu.pyx")],
            extra_compile_args=["-O2", "-g0"],
            extra_link_args=list(STRIP),
        ),
        build_dir="build/cython",
        compiler_directives=DIRECTIVES,
    )
    return found


class BuildKernels(build_ext):
    """Adds OpenMP where the compiler has it, and compiles side by side."""

    def finalize_options(self):
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def build_extensions(self):
        if self.compiler.compiler_type == "msvc":
            raise RuntimeError(
                "skrnn's kernels are written in the vector extensions of GCC and Clang. "
                "Build with one of them, on Windows for example with MinGW-w64 or clang."
            )
        if self.has_openmp():
            for extension in self.extensions:
                extension.extra_compile_args.append("-fopenmp")
                extension.extra_link_args.append("-fopenmp")
        super().build_extensions()

    def has_openmp(self):
        if os.environ.get("SKRNN_OPENMP", "1") == "0":
            return False
        with tempfile.TemporaryDirectory() as folder:
            test = Path(folder) / "test.c"
            test.write_text(
                "#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n"
            )
            command = [*self.compiler.compiler, "-fopenmp", str(test), "-o", str(test)[:-2]]
            try:
                return subprocess.run(command, capture_output=True, check=False).returncode == 0
            except OSError:
                return False


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildKernels})
