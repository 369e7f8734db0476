"""Coordinate attention in an exported graph as runtimes compute it fastest, with the same answers.

As torch exports it, a block averages rows and columns by reductions, turns one of them, and
spreads both gates over the map by broadcasting: steps that onnxruntime runs number by number. On
small maps they are products with constant matrices instead, and what is between them runs over one
axis, without turning. On larger ones each axis goes its own way from an average pooling on, in the
layout of convolutions, and the gates are multiplied with each other before the map is with them.
An answer changes by rounding alone.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx

MOST_CELLS = 255
"""Of a map whose averages and gates are products with matrices; pooling is faster for larger ones.
"""


@dataclass(frozen=True, slots=True)
class _Block:
    """The nodes of one block, and the size of its map."""

    map: str
    size: tuple[int, int, int]
    squeeze: "onnx.NodeProto"
    rows: "onnx.NodeProto"
    columns: "onnx.NodeProto"
    nodes: "list[onnx.NodeProto]"

    @property
    def gated(self) -> str:
        """What it makes."""
        return self.nodes[-1].output[0]


def speed_up_attention(model: "onnx.ModelProto") -> int:
    """Rewrite every block of `mlanet.network.attention` in a graph; how many there were.

    The weights keep their names; kernels of 1x1 become kernels of 1 where the map is small.
    """
    import onnx

    graph = model.graph
    blocks = _blocks(model)
    written = _Writer(model)
    replaced = {id(node) for block in blocks for node in block.nodes}
    last = {id(block.nodes[-1]): block for block in blocks}
    for node in list(graph.node):
        if id(node) in last:
            written.block(last[id(node)])
        elif id(node) not in replaced:
            written.nodes.append(node)
    used = {name for node in written.nodes for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(written.nodes)
    graph.initializer.extend([*kept, *written.constants.values()])
    onnx.checker.check_model(model, full_check=True)
    return len(blocks)


def _blocks(model: "onnx.ModelProto") -> list[_Block]:
    import onnx

    inferred = onnx.shape_inference.infer_shapes(model).graph
    shapes = {
        value.name: [side.dim_value for side in value.type.tensor_type.shape.dim]
        for value in (*inferred.input, *inferred.value_info)
    }
    made = {name: node for node in model.graph.node for name in node.output}
    users: defaultdict[str, list[onnx.NodeProto]] = defaultdict(list)
    for node in model.graph.node:
        for name in node.input:
            users[name].append(node)

    def after(name: str, *kinds: str) -> "list[onnx.NodeProto]":
        """The chain of nodes of these kinds that begins with a value."""
        chain: list[onnx.NodeProto] = []
        for kind in kinds:
            (user,) = [node for node in users[name] if node.op_type == kind]
            chain.append(user)
            name = user.output[0]
        return chain

    found: list[_Block] = []
    for joined in (node for node in model.graph.node if node.op_type == "Concat"):
        before = [made.get(name) for name in joined.input]
        kinds = [None if node is None else node.op_type for node in before]
        if kinds != ["ReduceMean", "Transpose"]:
            continue
        by_row, turned = (node for node in before if node is not None)
        by_column = made[turned.input[0]]
        squeeze, act, split = after(joined.output[0], "Conv", "HardSwish", "Split")
        rows, row_gate, by_rows = after(split.output[0], "Conv", "Sigmoid", "Mul")
        turn, columns, gate = after(split.output[1], "Transpose", "Conv", "Sigmoid")
        (gated,) = users[gate.output[0]]
        nodes = [by_row, by_column, turned, joined, squeeze, act, split, rows, row_gate, by_rows]
        channels, height, width = shapes[by_row.input[0]][1:]
        found.append(
            _Block(
                by_row.input[0],
                (channels, height, width),
                squeeze,
                rows,
                columns,
                [*nodes, turn, columns, gate, gated],
            )
        )
    return found


class _Writer:
    """Nodes and constants of the new graph."""

    def __init__(self, model: "onnx.ModelProto") -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self._weights = {tensor.name: tensor for tensor in model.graph.initializer}
        self._place = ""

    def block(self, block: _Block) -> None:
        """A block's nodes."""
        self._place = block.squeeze.input[1].removesuffix(".squeeze.weight")
        channels, height, width = block.size
        if height * width > MOST_CELLS:
            self._pooled(block)
            return
        flat = self._add("Reshape", block.map, self._constant("flat", [0, 0, -1]), "flat")
        means = self._add("MatMul", flat, self._means(height, width), "means")
        squeezed = self._convolved(block.squeeze, means, "squeezed")
        hidden = self._add("HardSwish", squeezed, "hidden")
        parts = [f"{self._place}.of_rows", f"{self._place}.of_columns"]
        sizes = self._constant(f"sizes_{height}_{width}", [height, width])
        self._node("Split", [hidden, sizes], parts, axis=2)
        gates = [
            self._add("Sigmoid", self._convolved(conv, part, f"{name}_raw"), f"{name}_gate")
            for conv, part, name in zip(
                (block.rows, block.columns), parts, ("row", "column"), strict=True
            )
        ]
        row, column = (
            self._add("MatMul", gate, self._spread(height, width, name), f"{name}_spread")
            for gate, name in zip(gates, ("row", "column"), strict=True)
        )
        gated = self._add("Mul", self._add("Mul", flat, row, "by_rows"), column, "gated")
        shape = self._constant(f"map_{channels}_{height}_{width}", [0, channels, height, width])
        self._node("Reshape", [gated, shape], [block.gated])

    def _pooled(self, block: _Block) -> None:
        """The nodes of a block with a large map."""
        _, height, width = block.size
        gates: list[str] = []
        for name, window, conv in (
            ("row", (1, width), block.rows),
            ("column", (height, 1), block.columns),
        ):
            means = self._add("AveragePool", block.map, f"{name}_means", kernel_shape=window)
            squeezed = self._add("Conv", means, *block.squeeze.input[1:], f"{name}_squeezed")
            hidden = self._add("HardSwish", squeezed, f"{name}_hidden")
            raw = self._add("Conv", hidden, *conv.input[1:], f"{name}_raw")
            gates.append(self._add("Sigmoid", raw, f"{name}_gate"))
        self._node("Mul", [block.map, self._add("Mul", *gates, "gate")], [block.gated])

    def _convolved(self, conv: "onnx.NodeProto", given: str, name: str) -> str:
        """The same convolution along one axis."""
        weight = self._weights.get(conv.input[1]) or self._weights[f"{conv.input[1]}.half"]
        del weight.dims[3:]
        return self._add("Conv", given, *conv.input[1:], name, kernel_shape=[1])

    def _means(self, height: int, width: int) -> str:
        """The matrix (h w, h + w) from a map to the means of its rows and columns."""
        row, column = np.divmod(np.arange(height * width), width)
        matrix = np.zeros((height * width, height + width), np.float32)
        matrix[np.arange(len(row)), row] = 1.0 / width
        matrix[np.arange(len(row)), height + column] = 1.0 / height
        return self._constant(f"means_{height}_{width}", matrix)

    def _spread(self, height: int, width: int, axis: str) -> str:
        """The matrix (h or w, h w) from a number for each row or column to the map."""
        place = np.divmod(np.arange(height * width), width)[axis == "column"]
        count = height if axis == "row" else width
        matrix = (np.arange(count)[:, None] == place).astype(np.float32)
        return self._constant(f"{axis}s_{height}_{width}", matrix)

    def _constant(self, name: str, values: Any) -> str:
        import onnx

        array = np.asarray(values)
        self.constants.setdefault(name, onnx.numpy_helper.from_array(array, name))
        return name

    def _add(self, kind: str, *words: str, **attributes: Any) -> str:
        """A node of the inputs and the name that `words` are; what it makes."""
        *inputs, name = words
        self._node(kind, inputs, [f"{self._place}.{name}"], **attributes)
        return f"{self._place}.{name}"

    def _node(self, kind: str, inputs: list[str], outputs: list[str], **attributes: Any) -> None:
        import onnx

        name = f"{self._place}.{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(kind, inputs, outputs, name=name, **attributes))
