"""ONNX files as other tools write them, with random weights: for tests of reading them."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Elsewhere:
    """A graph that is written operator by operator; each gives its value's name."""

    def __init__(self, shape, seed=0, batch="N", dtype=TensorProto.FLOAT) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes, self.weights, self.count = [], [], 0
        self.info = [helper.make_tensor_value_info("input", dtype, [batch, *shape])]

    def weight(self, *shape, name="", scale=None):
        """A random constant, small enough that deep networks keep their size."""
        fan = int(np.prod(shape[1:])) if len(shape) > 1 else 4
        values = self.random.normal(0, scale or np.sqrt(2 / fan), shape)
        return self.constant(values.astype(np.float32), name)

    def constant(self, values, name=""):
        self.count += 1
        name = name or f"const_{self.count}"
        self.weights.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def __call__(self, kind, *inputs, outputs=1, name="", **fields):
        self.count += 1
        outs = [f"{kind}_{self.count}_{k}" for k in range(outputs)]
        domain = fields.pop("domain", "")
        node = helper.make_node(kind, list(inputs), outs, name or outs[0], domain=domain, **fields)
        self.nodes.append(node)
        return outs[0] if outputs == 1 else outs

    def conv(self, x, ins, outs, kernel=1, groups=1, bias=True, name="", **fields):
        k = (kernel, kernel) if isinstance(kernel, int) else kernel
        weights = [self.weight(outs, ins // groups, *k, name=name and f"{name}.weight")]
        if bias:
            weights.append(self.weight(outs, name=name and f"{name}.bias"))
        return self("Conv", x, *weights, kernel_shape=k, group=groups, **fields)

    def norm(self, x, size, name="", **fields):
        parts = [self.random.uniform(0.5, 1.5, size), self.random.normal(0, 0.2, size),
                 self.random.normal(0, 0.2, size), self.random.uniform(0.5, 1.5, size)]  # fmt: skip
        names = ("weight", "bias", "running_mean", "running_var")
        given = [self.constant(p.astype(np.float32), name and f"{name}.{n}")
                 for p, n in zip(parts, names, strict=True)]  # fmt: skip
        return self("BatchNormalization", x, *given, **fields)

    def gemm(self, x, ins, outs, name=""):
        w = self.weight(outs, ins, name=name and f"{name}.weight")
        return self("Gemm", x, w, self.weight(outs, name=name and f"{name}.bias"), transB=1)

    def model(self, *outputs, opset=17, metadata=None):
        """The finished file's bytes."""
        outs = [helper.make_empty_tensor_value_info(name) for name in outputs]
        graph = helper.make_graph(self.nodes, "elsewhere", self.info, outs, self.weights)
        made = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8
        )
        helper.set_model_props(made, metadata or {})
        return made.SerializeToString()


def resnet18(g, width=8, classes=10):
    """As torchvision's resnet18 comes out of torch.onnx: norms kept, biases at the end only."""
    x = g.conv("input", 3, width, 7, bias=False, name="conv1", strides=[2, 2], pads=[3] * 4)
    x = g("Relu", g.norm(x, width, "bn1"))
    x = g("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    ins = width
    for stage in range(1, 5):
        for block in range(2):
            outs, stride = width << (stage - 1), 2 if stage > 1 and block == 0 else 1
            name = f"layer{stage}.{block}"
            s, p = [stride] * 2, [1] * 4
            y = g.conv(x, ins, outs, 3, bias=False, name=f"{name}.conv1", strides=s, pads=p)
            y = g("Relu", g.norm(y, outs, f"{name}.bn1"))
            y = g.conv(y, outs, outs, 3, bias=False, name=f"{name}.conv2", pads=p)
            y = g.norm(y, outs, f"{name}.bn2")
            if stride > 1:
                x = g.conv(x, ins, outs, 1, bias=False, name=f"{name}.downsample.0", strides=s)
                x = g.norm(x, outs, f"{name}.downsample.1")
            x, ins = g("Relu", g("Add", y, x)), outs
    x = g("Flatten", g("GlobalAveragePool", x), axis=1)
    return g.gemm(x, ins, classes, "fc")


def vgg11(g, width=4, classes=10):
    """As torchvision's vgg11: seven pools down to 2x2, dropouts kept, Reshape by a shape."""
    ins, x = 3, "input"
    for number, step in enumerate([1, "M", 2, "M", 4, 4, "M", 8, 8, "M"]):
        if step == "M":
            x = g("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
            continue
        outs = width * step
        x = g("Relu", g.conv(x, ins, outs, 3, name=f"features.{number}", pads=[1] * 4))
        ins = outs
    x = g("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    size = g("Gather", g("Shape", x), g.constant(np.int64(0)), axis=0)
    size = g("Unsqueeze", size, g.constant(np.int64([0])))
    x = g("Reshape", x, g("Concat", size, g.constant(np.int64([-1])), axis=0))
    for number, (ins_, outs) in enumerate([(ins * 4, 32), (32, classes)]):
        x = g.gemm(x, ins_, outs, f"classifier.{number * 3}")
        if number == 0:
            x = g("Dropout", g("Relu", x))
    return x


def mobilenet_v2(g, classes=10):
    """Inverted residuals with ReLU6 as Clip, depthwise convolutions, ReduceMean at the end."""
    low, high = g.constant(np.float32(0)), g.constant(np.float32(6))

    def relu6(x):
        return g("Clip", x, low, high)

    x = relu6(g.norm(g.conv("input", 3, 8, 3, bias=False, strides=[2, 2], pads=[1] * 4), 8))
    ins = 8
    for expand, outs, stride in ((1, 6, 1), (6, 8, 2), (6, 8, 1), (6, 12, 2), (6, 12, 1)):
        y, hidden = x, ins * expand
        if expand > 1:
            y = relu6(g.norm(g.conv(y, ins, hidden, bias=False), hidden))
        y = g.conv(y, hidden, hidden, 3, hidden, False, strides=[stride] * 2, pads=[1] * 4)
        y = g.norm(g.conv(relu6(g.norm(y, hidden)), hidden, outs, bias=False), outs)
        x = g("Add", x, y) if stride == 1 and ins == outs else y
        ins = outs
    x = relu6(g.norm(g.conv(x, ins, 40, bias=False), 40))
    return g.gemm(g("ReduceMean", x, axes=[2, 3], keepdims=0), 40, classes, "classifier.1")


def mobilenet_v3(g, classes=10):
    """Squeeze and excitation with HardSigmoid, HardSwish whole and in its parts."""
    x = g.norm(g.conv("input", 3, 8, 3, bias=False, strides=[2, 2], pads=[1] * 4), 8)
    x = g("HardSwish", x)
    ins = 8
    for hidden, outs, kernel, stride in ((16, 8, 3, 2), (24, 8, 5, 1), (32, 12, 5, 2)):
        y = g("HardSwish", g.norm(g.conv(x, ins, hidden, bias=False), hidden))
        pads = [kernel // 2] * 4
        y = g.conv(y, hidden, hidden, kernel, hidden, strides=[stride] * 2, pads=pads)
        s = g("GlobalAveragePool", y)
        s = g("Relu", g.conv(s, hidden, 8, 1))
        s = g("HardSigmoid", g.conv(s, 8, hidden, 1), alpha=1 / 6, beta=0.5)
        y = g.conv(g("Mul", s, y), hidden, outs, bias=False)
        x = g("Add", x, y) if (ins, stride) == (outs, 1) else y
        ins = outs
    three, six = g.constant(np.float32(3)), g.constant(np.float32(6))
    gate = g("Clip", g("Add", x, three), g.constant(np.float32(0)), six)
    x = g("Div", g("Mul", x, gate), six)
    x = g("Flatten", g("GlobalAveragePool", x))
    return g("Softmax", g.gemm(g("HardSwish", g.gemm(x, ins, 20)), 20, classes), axis=-1)


def densenet(g, classes=10):
    """Norm before convolution, everything concatenated, average pooling between blocks."""
    x = g("Relu", g.norm(g.conv("input", 3, 8, 7, strides=[2, 2], pads=[3] * 4), 8))
    x, size = g("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4), 8
    for block in range(2):
        parts = [x]
        for layer in range(3):
            name = f"features.denseblock{block + 1}.denselayer{layer + 1}"
            y = g("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]
            y = g.conv(g("Relu", g.norm(y, size, f"{name}.norm1")), size, 16, name=f"{name}.conv1")
            y = g("Relu", g.norm(y, 16, f"{name}.norm2"))
            parts.append(g.conv(y, 16, 4, 3, bias=False, name=f"{name}.conv2", pads=[1] * 4))
            size += 4
        x = g("Relu", g.norm(g("Concat", *parts, axis=1), size))
        if block == 0:
            x = g.conv(x, size, size // 2, bias=False)
            x, size = g("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2]), size // 2
    return g.gemm(g("Flatten", g("GlobalAveragePool", x)), size, classes, "classifier")


def squeezenet(g, classes=10):
    """Fire modules, pooling with ceil_mode that hangs over the end, answers from a convolution."""
    x = g("Relu", g.conv("input", 3, 16, 3, strides=[2, 2]))
    ins = 16
    for number in range(3):
        pool = {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}
        x = g("MaxPool", x, **pool) if number < 2 else x
        s = g("Relu", g.conv(x, ins, 8, name=f"features.{number}.squeeze"))
        both = [g("Relu", g.conv(s, 8, 12, k, pads=[k // 2] * 4)) for k in (1, 3)]
        x, ins = g("Concat", *both, axis=1), 24
    x = g("Relu", g.conv(g("Dropout", x), ins, classes, name="classifier.1"))
    return g("Flatten", g("GlobalAveragePool", x))


def lenet(g, classes=10):
    """Grey 28x28, tanh and means, log of a softmax at the end."""
    x = g("Tanh", g.conv("input", 1, 6, 5, pads=[2] * 4))
    x = g("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = g("AveragePool", g("Tanh", g.conv(x, 6, 16, 5)), kernel_shape=[2, 2], strides=[2, 2])
    x = g("Reshape", x, g.constant(np.int64([-1, 400])))
    x = g("Tanh", g.gemm(x, 400, 40, "fc1"))
    return g("LogSoftmax", g.gemm(x, 40, classes, "fc2"), axis=1)


def keras(g, classes=10):
    """As tf2onnx writes a Keras model: channels last outside, Transposes, sums as Add, SAME."""
    scaled = g("Mul", "input", g.constant(np.float32(1 / 4)))
    shifted = g("Sub", scaled, g.constant(np.float32([0.5, 0.4, 0.3])))
    x = g("Transpose", shifted, perm=[0, 3, 1, 2])
    name = "model/conv2d/Conv2D/ReadVariableOp:0"
    x = g("Conv", x, g.weight(8, 3, 3, 3, name=name), auto_pad="SAME_UPPER", strides=[2, 2])
    x = g("Transpose", g("Add", x, g.weight(1, 8, 1, 1)), perm=[0, 2, 3, 1])
    x = g("Relu", x)
    x = g("Transpose", x, perm=[0, 3, 1, 2])
    w = g.weight(8, 1, 3, 3)
    x = g("Conv", x, w, g.weight(8), auto_pad="SAME_LOWER", group=8, strides=[2, 2])
    s = g("ReduceMean", g("Transpose", x, perm=[0, 2, 3, 1]), axes=[1, 2], keepdims=1)
    s = g("Sigmoid", g("Add", g("MatMul", s, g.weight(8, 8)), g.weight(8)))
    x = g("Mul", g("Transpose", x, perm=[0, 2, 3, 1]), s)
    x = g("Pad", x, g.constant(np.int64([0, 1, 1, 0, 0, 0, 0, 0])))
    x = g("Transpose", g("LeakyRelu", x, alpha=0.3), perm=[0, 3, 1, 2])
    x = g("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2], auto_pad="SAME_UPPER")
    x = g("Reshape", g("Transpose", x, perm=[0, 2, 3, 1]), g.constant(np.int64([-1, 200])))
    x = g("Add", g("MatMul", x, g.weight(200, classes)), g.weight(classes))
    return g("Softmax", x)


def shufflenet(g, classes=10):
    """Channels split, shuffled by Reshape and Transpose, and put together."""
    x, size = g("Relu", g.conv("input", 3, 12, 3, strides=[2, 2], pads=[1] * 4)), 12
    for _ in range(2):
        left, right = g("Split", x, g.constant(np.int64([6, 6])), outputs=2, axis=1)
        right = g("Relu", g.conv(right, 6, 6))
        right = g.conv(right, 6, 6, 3, 6, pads=[1] * 4)
        x = g("Concat", left, g("Relu", g.conv(right, 6, 6)), axis=1)
        x = g("Reshape", x, g.constant(np.int64([0, 2, 6, 32, 32])))
        x = g("Transpose", x, perm=[0, 2, 1, 3, 4])
        x = g("Reshape", x, g.constant(np.int64([-1, 12, 32, 32])))
    return g.gemm(g("ReduceMean", x, axes=[-1, -2], keepdims=0), size, classes)


def convnext(g, classes=10):
    """Depthwise 7x7, layer norm and dense layers over channels last, GELU from its parts."""
    x = g.conv("input", 3, 12, 4, strides=[4, 4])
    for _ in range(2):
        y = g.conv(x, 12, 12, 7, 12, pads=[3] * 4)
        y = g("Transpose", y, perm=[0, 2, 3, 1])
        y = g("LayerNormalization", y, g.weight(12), g.weight(12), axis=-1, epsilon=1e-6)
        y = g("Add", g("MatMul", y, g.weight(12, 24)), g.weight(24))
        u = g("Erf", g("Div", y, g.constant(np.float32(np.sqrt(2)))))
        u = g("Mul", y, g("Add", u, g.constant(np.float32(1))))
        y = g("Mul", u, g.constant(np.float32(0.5)))
        y = g("Add", g.weight(12), g("MatMul", y, g.weight(24, 12)))
        y = g("Transpose", g("Mul", y, g.weight(12)), perm=[0, 3, 1, 2])
        x = g("Add", x, y)
    x = g("ReduceMean", x, axes=[2, 3], keepdims=0)
    x = g("LayerNormalization", x, g.weight(12), g.weight(12), axis=-1)
    return g.gemm(x, 12, classes)


def quantised(g, classes=10):
    """Quantised as QuantizeLinear and DequantizeLinear; the ReLU hides in the first byte's 0."""

    def through_bytes(x, scale, zero):
        kept = g.constant(np.float32(scale)), g.constant(np.uint8(zero))
        return g("DequantizeLinear", g("QuantizeLinear", x, *kept), *kept)

    def whole(*shape):
        steps = g.random.uniform(0.01, 0.02, shape[0]).astype(np.float32)
        numbers = g.constant(g.random.integers(-64, 64, shape).astype(np.int8))
        zeros = g.constant(np.zeros(shape[0], np.int8))
        return g("DequantizeLinear", numbers, g.constant(steps), zeros, axis=0)

    x = through_bytes("input", 0.05, 128)
    x = g("Conv", x, whole(8, 3, 3, 3), g.weight(8), pads=[1] * 4, strides=[2, 2])
    x = through_bytes(x, 0.05, 0)
    x = g("GlobalAveragePool", g("Conv", x, whole(8, 8, 3, 3), strides=[2, 2]))
    return g("Gemm", g("Flatten", x), whole(classes, 8), g.weight(classes), transB=1)


def sequence(g, classes=10):
    """Convolutions along one axis, PReLU, dilation, the largest of each channel."""
    x = g("Conv", "input", g.weight(8, 2, 5), g.weight(8), strides=[2], pads=[2, 2])
    x = g("PRelu", x, g.constant(g.random.uniform(0, 0.5, (8, 1)).astype(np.float32)))
    x = g("MaxPool", x, kernel_shape=[2], strides=[2])
    x = g("Unsqueeze", x, g.constant(np.int64([2])))  # as Keras writes Conv1D
    x = g("Conv", x, g.weight(8, 8, 1, 3), dilations=[1, 2], pads=[0, 3, 0, 1])
    x = g("Relu", g("Squeeze", x, g.constant(np.int64([2]))))
    return g.gemm(g("ReduceMax", x, axes=[2], keepdims=0), 8, classes)


def logistic(g, classes=2):
    """One answer, a sigmoid, from pixels in one row."""
    x = g("Reshape", "input", g.constant(np.int64([-1, 1, 12, 12])))
    x = g("Relu", g.conv(x, 1, 4, 3))
    x = g("Relu", g.gemm(g("Flatten", x), 400, 8))
    return g("Sigmoid", g.gemm(x, 8, 1))


NETWORKS = {
    resnet18: (3, 64, 64),
    vgg11: (3, 64, 64),
    mobilenet_v2: (3, 48, 48),
    mobilenet_v3: (3, 48, 48),
    densenet: (3, 64, 64),
    squeezenet: (3, 60, 60),
    lenet: (1, 28, 28),
    keras: (32, 32, 3),
    shufflenet: (3, 64, 64),
    convnext: (3, 32, 32),
    quantised: (3, 32, 32),
    sequence: (2, 50),
    logistic: (144,),
}
"""Who writes it -> the shape of its input."""


def written(make, seed=0, batch="N", opset=17):
    """A network's file."""
    g = Elsewhere(NETWORKS[make], seed, batch)
    return g.model(make(g), opset=opset)


__all__ = ["NETWORKS", "Elsewhere", "onnx", "written"]
