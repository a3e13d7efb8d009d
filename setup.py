"""Builds skrnn/_kernels/engine.pyx once for every (instruction set, precision) pair.

Cython writes one C file; each extension is a two-line C file that gives it a module name of its
own, compiled with that instruction set's flags. `skrnn._kernels` chooses one at import by what the
processor has, so a wheel needs no flag of the machine it is built on. Set SKRNN_OPENMP=0 for a
build without OpenMP (one thread); it is also what you get where the compiler has none. SKRNN_ABI3=1
builds for CPython's limited API: one wheel then serves every version from 3.11 on. It is not the
default because it makes the smallest calls slower (benchmarks/limited_api.py). For tests
of the kernels themselves, SKRNN_VARIANTS="avx2_f32,avx2_f64" builds only those, and
SKRNN_BOUNDSCHECK=1 checks the index of every memoryview and keeps the names that reports need.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from Cython.Compiler.Main import compile as cython_compile
from Cython.Compiler.Options import CompilationOptions
from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.errors import CCompilerError

KERNELS = Path("skrnn/_kernels")
GENERATED = Path("build/kernels")

X86_LEVELS = {
    "base": [],
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx512f", "-mavx512dq", "-mavx512vl", "-mavx512bw", "-mavx2", "-mfma"],
}
# Where the repository and the site are, for the metadata; .github/workflows/wheels.yml says it.
HOME = os.environ.get("SKRNN_HOME_URL", "").rstrip("/")
ADDRESSES = {
    "Source": HOME,
    "Documentation": os.environ.get("SKRNN_DOCS_URL", ""),
    "Changelog": f"{HOME}/blob/main/CHANGELOG.md",
    "Issues": f"{HOME}/issues",
}
CHECKED = os.environ.get("SKRNN_BOUNDSCHECK", "0") == "1"
# The oldest CPython whose limited API has buffers, which is what memoryviews are made of. Builds of
# CPython without a global lock have no stable ABI.
OLDEST = (3, 11)
LIMITED = (
    os.environ.get("SKRNN_ABI3", "0") == "1"
    and sys.implementation.name == "cpython"
    and not sysconfig.get_config_var("Py_GIL_DISABLED")
)
API = (
    [("Py_LIMITED_API", f"0x{OLDEST[0]:02X}{OLDEST[1]:02X}0000"), ("CYTHON_LIMITED_API", "1")]
    if LIMITED
    else []
)
PRECISIONS = {"f32": [], "f64": ["-DSKRNN_F64"]}
# Neither -fno flag changes a result: they let sqrt and comparisons be vectorized, which errno and
# floating-point traps, that nobody reads here, would forbid.
FLAGS = [*(["-O1", "-g1"] if CHECKED else ["-O3", "-g0"]), "-fno-math-errno", "-fno-trapping-math"]
QUIET = [
    "-Wno-unused-function",
    "-Wno-unused-but-set-variable",
    "-Wno-discarded-qualifiers",
    "-Wno-incompatible-pointer-types-discards-qualifiers",
    "-Wno-unknown-warning-option",
]
STRIP = ["-Wl,--strip-all"] if sys.platform == "linux" and not CHECKED else []
# How to ask for OpenMP: GCC and Clang, then Apple's Clang with a libomp beside it.
OPENMP = [(["-fopenmp"], ["-fopenmp"]), (["-Xpreprocessor", "-fopenmp"], ["-lomp"])]
OPENMP_TEST = "#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n"
DIRECTIVES = {
    "boundscheck": CHECKED,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
    "freethreading_compatible": True,
}


def variants():
    """Return name and flags of every variant: three levels on x86-64, the baseline elsewhere."""
    x86 = sysconfig.get_platform().lower().endswith(("x86_64", "amd64"))
    levels = X86_LEVELS if x86 else {"base": []}
    every = {
        f"{level}_{precision}": level_flags + precision_flags
        for level, level_flags in levels.items()
        for precision, precision_flags in PRECISIONS.items()
    }
    wanted = os.environ.get("SKRNN_VARIANTS")
    wanted = list(every) if wanted is None else wanted.split(",")
    if unknown := set(wanted) - set(every):
        sys.exit(f"SKRNN_VARIANTS: no {', '.join(sorted(unknown))} among {', '.join(every)}")
    return {name: every[name] for name in wanted}


def extensions():
    """One extension for each variant, and `cpu`, which asks the processor."""
    depends = [
        "setup.py",
        *(str(p) for p in sorted(KERNELS.rglob("*")) if p.suffix in (".pyx", ".pxd", ".pxi", ".h")),
    ]
    return [
        Extension(
            f"skrnn._kernels.{name}",
            [str(GENERATED / f"{name}.c")],
            include_dirs=[str(KERNELS), str(GENERATED)],
            extra_compile_args=[*FLAGS, *QUIET, *flags],
            extra_link_args=list(STRIP),
            define_macros=list(API),
            py_limited_api=LIMITED,
            depends=depends,
        )
        for name, flags in {**variants(), "cpu": []}.items()
    ]


def write(path, text):
    """Write a file unless it says that already: its time of change decides what is compiled."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def generate():
    """Write the C files: engine.c and cpu.c by Cython, and a stub for each variant."""
    GENERATED.mkdir(parents=True, exist_ok=True)
    for name in ("engine", "cpu"):
        target = GENERATED / f"{name}.c"
        with tempfile.TemporaryDirectory() as folder:
            fresh = Path(folder) / target.name
            options = CompilationOptions(
                compiler_directives=DIRECTIVES,
                language_level=3,
                include_path=["."],  # entries/ is no package: its cimports are found from here
                output_file=str(fresh),
            )
            module = f"skrnn._kernels.{name}"
            result = cython_compile(str(KERNELS / f"{name}.pyx"), options, full_module_name=module)
            if result.num_errors:
                sys.exit(1)
            write(target, fresh.read_text())
    for name in variants():
        write(
            GENERATED / f"{name}.c",
            f'#define PyInit_engine PyInit_{name}\n#include "engine.c"\n',
        )


def clang_library(name):
    """Find a library of the LLVM whose clang-cl is on PATH; none or one file."""
    folder = Path(shutil.which("clang-cl")).parents[1] / "lib"
    return sorted(folder.rglob(name))[:1]


class BuildKernels(build_ext):
    """Generates the C files, adds OpenMP where the compiler has it, compiles side by side."""

    def finalize_options(self):
        super().finalize_options()
        if self.parallel is None and hasattr(os, "sched_getaffinity"):
            self.parallel = len(os.sched_getaffinity(0))
        self.parallel = self.parallel or os.cpu_count()

    def build_extensions(self):
        if self.compiler.compiler_type == "msvc":
            self.use_clang()
        elif not self.compiles([], [], "int main(void) { return 0; }\n"):
            sys.exit(
                f"skrnn is compiled, and no C compiler was found ({self.compiler.compiler_so[0]} "
                "does not run or does not work). Install GCC or Clang, for example with "
                "'apt install gcc python3-dev', 'dnf install gcc python3-devel' or "
                "'xcode-select --install', or install a wheel."
            )
        generate()
        compile_args, link_args = self.openmp()
        for extension in self.extensions:
            extension.extra_compile_args += compile_args
            extension.extra_link_args += link_args
        super().build_extensions()

    def use_clang(self):
        """Compile with LLVM's clang-cl, which takes MSVC's place, and let MSVC's linker link."""
        clang = shutil.which("clang-cl")
        if clang is None:
            sys.exit(
                "skrnn's kernels are written in the vector extensions of GCC and Clang, which MSVC "
                "does not have, and no clang-cl was found. Install LLVM, for example with "
                "'winget install LLVM.LLVM', and put its bin folder on PATH. (MinGW's GCC is no "
                "way out: its stack is aligned to 16 bytes only, GCC bug 54412.)"
            )
        self.compiler.initialize()
        self.compiler.cc = clang
        for extension in self.extensions:
            extension.extra_compile_args = [f"/clang:{a}" for a in extension.extra_compile_args]
            # what asks the processor for its instruction sets is in Clang's own library
            extension.extra_link_args += map(str, clang_library("clang_rt.builtins-x86_64.lib"))

    def openmp(self):
        """Return flags for compiler and linker; none, and a warning, without OpenMP."""
        if os.environ.get("SKRNN_OPENMP", "1") == "0":
            return [], []
        ways = OPENMP
        if self.compiler.compiler_type == "msvc":
            ways = [(["/openmp"], list(map(str, clang_library("libomp.lib"))))]
        for compile_args, link_args in ways:
            if self.compiles(compile_args, link_args, OPENMP_TEST):
                return compile_args, link_args
        self.warn("this compiler has no OpenMP: skrnn will run one thread")
        return [], []

    def compiles(self, compile_args, link_args, program):
        """Return whether a program compiles and links."""
        with tempfile.TemporaryDirectory() as folder:
            test = Path(folder) / "test.c"
            test.write_text(program)
            if self.compiler.compiler_type == "msvc":
                try:
                    made = self.compiler.compile([str(test)], folder, extra_postargs=compile_args)
                    self.compiler.link_executable(made, "test", folder, extra_postargs=link_args)
                except CCompilerError:
                    return False
                return True
            built = [*self.compiler.compiler_so, *compile_args, "-c", str(test), "-o", f"{test}.o"]
            linked = [*self.compiler.linker_so, f"{test}.o", *link_args, "-o", f"{test}.so"]
            try:
                return all(
                    subprocess.run(command, capture_output=True, check=False).returncode == 0
                    for command in (built, linked)
                )
            except OSError:
                return False


class Wheel(bdist_wheel):
    """Gives a wheel of the limited API, if that is wished, the tag of its oldest version."""

    def finalize_options(self):
        if LIMITED:
            self.py_limited_api = "cp{}{}".format(*OLDEST)
        super().finalize_options()


def description():
    """Return the README with links that work where its neighbors are not, on an index's page."""
    text = Path("README.md").read_text(encoding="utf-8")
    target = rf"[\1]({HOME}/blob/main/\2)" if HOME else r"\1"
    return re.sub(r"\[([^\]]+)\]\((?![a-z]+:)([^)\s]+)\)", target, text)


setup(
    ext_modules=extensions(),
    cmdclass={"build_ext": BuildKernels, "bdist_wheel": Wheel},
    long_description=description(),
    long_description_content_type="text/markdown",
    project_urls={name: address for name, address in ADDRESSES.items() if HOME and address},
)
