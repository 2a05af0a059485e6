"""Layers with arrays or windows, under Keras's names and with its defaults."""

from __future__ import annotations

from typing import Any

from beak.keras.layer import Layer


class Conv2D(Layer):
    """Filters that slide over a map."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **common: Any,
    ) -> None:
        self._begin(locals(), common)


class Convolution2D(Conv2D):
    """Conv2D under its old name; three whole numbers are filters, rows and columns."""

    def __init__(self, filters: int, kernel_size: Any, *more: Any, **fields: Any) -> None:
        super().__init__(filters, kernel_size, *more, **fields)

    @property
    def kind(self) -> str:
        """Keras's name of the class today."""
        return "Conv2D"


class Conv1D(Layer):
    """Filters that slide along a sequence."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **common: Any,
    ) -> None:
        self._begin(locals(), common)


class DepthwiseConv2D(Layer):
    """Filters that read one channel each."""

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **common: Any,
    ) -> None:
        self._begin(locals(), common)


class SeparableConv2D(Layer):
    """A depthwise convolution, then one of 1x1."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **common: Any,
    ) -> None:
        self._begin(locals(), common)

    def _start(self, name: str, shape: tuple[int, ...]) -> Any:
        key = f"{name.removesuffix('_kernel')}_initializer"
        return self.fields[key](shape)

    def _own(self, kind: type[Any], ending: str) -> list[Any]:
        named = {v.name.removesuffix("_kernel"): v for v in self.variables}
        found = [(v, self.fields.get(f"{name}_{ending}")) for name, v in named.items()]
        return [(v, value) for v, value in found if isinstance(value, kind)]


class _Pooling2D(Layer):
    def __init__(
        self,
        pool_size: Any = (2, 2),
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        **common: Any,
    ) -> None:
        self._begin(locals(), common)


class MaxPooling2D(_Pooling2D):
    """The largest number of each window."""


class AveragePooling2D(_Pooling2D):
    """The mean of each window."""


class _Pooling1D(Layer):
    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        **common: Any,
    ) -> None:
        self._begin(locals(), common)


class MaxPooling1D(_Pooling1D):
    """The largest number of each window."""


class AveragePooling1D(_Pooling1D):
    """The mean of each window."""


class ZeroPadding2D(Layer):
    """Zeros about a map."""

    def __init__(
        self, padding: Any = (1, 1), data_format: str | None = None, **common: Any
    ) -> None:
        self._begin(locals(), common)


class ZeroPadding1D(Layer):
    """Zeros before and after a sequence."""

    def __init__(self, padding: Any = 1, data_format: str | None = None, **common: Any) -> None:
        self._begin(locals(), common)


class Cropping2D(Layer):
    """The edges of a map cut off."""

    def __init__(
        self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **common: Any
    ) -> None:
        self._begin(locals(), common)


class Cropping1D(Layer):
    """The ends of a sequence cut off."""

    def __init__(self, cropping: Any = (1, 1), **common: Any) -> None:
        self._begin(locals(), common)


class UpSampling2D(Layer):
    """Each number of a map several times, or what lies between ("bilinear")."""

    def __init__(
        self,
        size: Any = (2, 2),
        data_format: str | None = None,
        interpolation: str = "nearest",
        **common: Any,
    ) -> None:
        self._begin(locals(), common)


class UpSampling1D(Layer):
    """Each number of a sequence several times."""

    def __init__(self, size: int = 2, **common: Any) -> None:
        self._begin(locals(), common)


class _GlobalPooling(Layer):
    def __init__(
        self, data_format: str | None = None, keepdims: bool = False, **common: Any
    ) -> None:
        self._begin(locals(), common)


class GlobalMaxPooling1D(_GlobalPooling):
    """The largest number of each channel."""


class GlobalMaxPooling2D(_GlobalPooling):
    """The largest number of each channel."""


class GlobalAveragePooling1D(_GlobalPooling):
    """The mean of each channel."""


class GlobalAveragePooling2D(_GlobalPooling):
    """The mean of each channel."""


class Dense(Layer):
    """Every output from every input."""

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **common: Any,
    ) -> None:
        self._begin(locals(), common)


class Embedding(Layer):
    """A vector for each word number."""

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        input_length: int | None = None,
        **common: Any,
    ) -> None:
        if input_length is not None:
            common.setdefault("input_shape", (input_length,))
        fields = {k: v for k, v in locals().items() if k not in ("weights", "input_length")}
        self._begin(fields, common)
        self.first_weights = weights

    def build_for(self, streams: Any) -> Any:
        """Its output's stream; given weights are taken when it is built."""
        stream = super().build_for(streams)
        if self.first_weights is not None:
            given = self.first_weights
            self.set_weights(given if isinstance(given, list) else [given])
            self.first_weights = None
        return stream


class BatchNormalization(Layer):
    """Each channel to mean 0 and variance 1 over the batch, then scaled and shifted."""

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        synchronized: bool = False,
        **common: Any,
    ) -> None:
        self._begin(locals(), common)


class LayerNormalization(Layer):
    """At each place, the channels to mean 0 and variance 1, then scaled and shifted."""

    def __init__(
        self,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **common: Any,
    ) -> None:
        self._begin(locals(), common)
