"""An allocator for NumPy that fails on demand: NumPy owns every byte, so this is every place."""

import ctypes

import numpy as np

POINTER, SIZE = ctypes.c_void_p, ctypes.c_size_t
MALLOC = ctypes.PYFUNCTYPE(POINTER, POINTER, SIZE)
CALLOC = ctypes.PYFUNCTYPE(POINTER, POINTER, SIZE, SIZE)
REALLOC = ctypes.PYFUNCTYPE(POINTER, POINTER, POINTER, SIZE)
# Places of two functions in NumPy's table for C, which never change.
SET_HANDLER, GET_HANDLER = 304, 305

count, failing = 0, None  # allocations since `fail_at`, and which of them is to fail


class Handler(ctypes.Structure):
    """NumPy's PyDataMem_Handler."""

    _fields_ = [
        ("name", ctypes.c_char * 127),
        ("version", ctypes.c_uint8),
        ("context", POINTER),
        ("malloc", MALLOC),
        ("calloc", CALLOC),
        ("realloc", REALLOC),
        ("free", POINTER),  # NumPy's own: no Python runs where arrays die
    ]


def fail_at(n):
    """Let the allocation number `n` from now on fail, once; none for None."""
    global count, failing
    count, failing = 0, n


def install():
    """Make NumPy allocate here, for good."""
    api = ctypes.pythonapi
    api.PyCapsule_GetPointer.restype = POINTER
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    api.PyCapsule_New.restype = ctypes.py_object
    api.PyCapsule_New.argtypes = [POINTER, ctypes.c_char_p, POINTER]
    core = np._core if hasattr(np, "_core") else np.core  # before NumPy 2
    table = api.PyCapsule_GetPointer(core._multiarray_umath._ARRAY_API, None)
    places = ctypes.cast(table, ctypes.POINTER(POINTER))
    capsule = ctypes.PYFUNCTYPE(ctypes.py_object)(places[GET_HANDLER])()
    own = Handler.from_address(api.PyCapsule_GetPointer(capsule, b"mem_handler"))

    def unless_due(allocate):
        def call(*arguments):
            global count
            count += 1
            return None if count == failing else allocate(*arguments)

        return type(allocate)(call)

    kinds = [unless_due(getattr(own, kind)) for kind in ("malloc", "calloc", "realloc")]
    install.kept = Handler(b"failing", 1, own.context, *kinds, own.free)
    new = api.PyCapsule_New(ctypes.addressof(install.kept), b"mem_handler", None)
    ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(places[SET_HANDLER])(new)
    before = count
    np.empty(1000)
    if count == before:
        raise RuntimeError("NumPy allocates elsewhere")
