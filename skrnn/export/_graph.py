"""A graph of ONNX under construction: nodes are added one by one, names are made here."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import numpy as np

OPSET = 18  # of onnx 1.13 and onnxruntime 1.14: reductions take their axes as inputs from it on
IR_VERSION = 8


def import_onnx():
    """Return the package onnx, or say that it is missing."""
    try:
        import onnx
    except ImportError as error:
        raise ImportError(
            "to_onnx needs the package onnx, which is not installed: pip install onnx."
        ) from error
    return onnx


class Graph:
    """Nodes, constants, inputs and outputs.

    Names of values are strings, as in ONNX; a method that adds something returns its name.
    """

    def __init__(self):
        self.onnx = import_onnx()
        self.nodes, self.constants, self.inputs, self.outputs = [], [], [], []
        self.opsets = {"": OPSET}
        self._n = 0

    def name(self, stem):
        """Return a new name."""
        self._n += 1
        return f"{stem}_{self._n}"

    def input(self, name, dtype, shape):
        """Declare an input; strings in `shape` are axes of any length."""
        self.inputs.append(self._value(name, dtype, shape))
        return name

    def output(self, name, value, dtype, shape):
        """Declare that a value is an output."""
        self.nodes.append(self.onnx.helper.make_node("Identity", [value], [name]))
        self.outputs.append(self._value(name, dtype, shape))

    def constant(self, array):
        """Add an array, of strings too."""
        array, name = np.asarray(array), self.name("constant")
        if array.dtype.kind in "UO":
            make, kind = self.onnx.helper.make_tensor, self.onnx.TensorProto.STRING
            words = [word.encode() for word in array.ravel().tolist()]
            self.constants.append(make(name, kind, array.shape, words))
        else:
            array = np.ascontiguousarray(array).reshape(array.shape)
            self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def ints(self, *numbers):
        """Add integers along one axis: a shape, or axes."""
        return self.constant(np.array(numbers, dtype=np.int64))

    def add(self, operator, *inputs, n_outputs=1, **attributes):
        """Add a node.

        Parameters
        ----------
        operator : str
        *inputs : str or ndarray or number
            Names, '' for none; arrays become constants.
        n_outputs : int
        **attributes

        Returns
        -------
        str, or list of str
            Names of its outputs; a list where there is not one.
        """
        names = [x if isinstance(x, str) else self.constant(x) for x in inputs]
        made = [self.name(operator.lower()) for _ in range(n_outputs)]
        self.nodes.append(self.onnx.helper.make_node(operator, names, made, **attributes))
        return made[0] if n_outputs == 1 else made

    def cast(self, value, dtype):
        """Convert a value."""
        return self.add("Cast", value, to=self._type(dtype))

    def dimension(self, value, axis):
        """Return the length of an axis, of shape (1,)."""
        return self.add("Shape", value, start=axis, end=axis + 1)

    def steps(self, value, axis=1):
        """Return 0, 1, ... along an axis, of shape (length,)."""
        zero = self.constant(np.int64(0))
        length = self.add("Squeeze", self.dimension(value, axis))
        return self.add("Range", zero, length, np.int64(1))

    def mask(self, value, lengths):
        """Return which steps of a value (batch, time, ...) are those of a sequence: (batch, time).

        Parameters
        ----------
        value : str
        lengths : str
            int64, of shape (batch,).
        """
        return self.add("Less", self.steps(value), self.add("Unsqueeze", lengths, self.ints(1)))

    def model(self, doc, metadata):
        """Return the finished model, checked.

        Parameters
        ----------
        doc : str
        metadata : dict of str to str
        """
        helper = self.onnx.helper
        graph = helper.make_graph(
            self.nodes, "skrnn", self.inputs, self.outputs, self.constants, doc_string=doc
        )
        opsets = [helper.make_opsetid(domain, version) for domain, version in self.opsets.items()]
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="skrnn"
        )
        helper.set_model_props(model, metadata)
        self.onnx.checker.check_model(model, full_check=True)
        return model

    def _type(self, dtype):
        if dtype is str:
            return self.onnx.TensorProto.STRING
        return self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))

    def _value(self, name, dtype, shape):
        return self.onnx.helper.make_tensor_value_info(name, self._type(dtype), shape)
