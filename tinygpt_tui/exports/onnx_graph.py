"""An ONNX graph, put together node by node: names for what flows, constants for parameters."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

OPSET = 20  # the first with Gelu
IR_VERSION = 9  # of the same release: older readers than those of opset 20 need not be kept out


class Graph:
    """A graph that grows; a value is the name of what a node gives."""

    def __init__(self) -> None:
        self._onnx: Any = importlib.import_module("onnx")
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}
        self.bytes = 0

    def add(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Append a node; return the name of its output, or a list of them where there are several."""
        number = len(self._nodes)
        names = [f"{operator.lower()}_{number}" + (f"_{place}" if place else "") for place in range(outputs)]
        self._nodes.append(self._onnx.helper.make_node(operator, inputs, names, **attributes))
        return names[0] if outputs == 1 else names

    def name(self, value: str, name: str) -> None:
        """Give a value the name under which the graph hands it out."""
        self._nodes.append(self._onnx.helper.make_node("Identity", [value], [name]))

    def weight(self, name: str, array: NDArray[Any]) -> str:
        """Add a parameter under its own name."""
        if name not in self._constants:
            self._constants[name] = self._onnx.numpy_helper.from_array(np.ascontiguousarray(array), name)
            self.bytes += array.nbytes
        return name

    def integers(self, *values: int) -> str:
        """A constant of some int64 numbers, (N,)."""
        return self.weight("i_" + "_".join(map(str, values)), np.array(values, dtype=np.int64))

    def integer(self, value: int) -> str:
        """A single int64 number, ()."""
        return self.weight(f"i0_{value}", np.array(value, dtype=np.int64))

    def number(self, value: float, dtype: Any = np.float32) -> str:
        """A single float, ()."""
        return self.weight(f"f0_{value}_{np.dtype(dtype).name}", np.array(value, dtype=dtype))

    def model(self, inputs: dict[str, list[str]], outputs: dict[str, list[str]], facts: dict[str, str]) -> Any:
        """Return the whole as a checked ModelProto: int64 inputs and float outputs, each with the names of its axes."""
        onnx = self._onnx
        kinds = onnx.TensorProto
        graph = onnx.helper.make_graph(
            self._nodes,
            "net",
            [onnx.helper.make_tensor_value_info(name, kinds.INT64, axes) for name, axes in inputs.items()],
            [onnx.helper.make_tensor_value_info(name, kinds.FLOAT, axes) for name, axes in outputs.items()],
            initializer=list(self._constants.values()),
        )
        imports = [onnx.helper.make_opsetid("", OPSET)]
        model = onnx.helper.make_model(graph, opset_imports=imports, ir_version=IR_VERSION, producer_name="tinygpt-tui")
        onnx.helper.set_model_props(model, facts)
        return model
