"""Networks for speech against the papers' own counts, and the layer that makes spectrograms."""

from __future__ import annotations

import pytest

from beak.errors import NetworkError, ShapeError, UsageError
from beak.network.catalogue import make_network
from beak.network.layers import Conv1D, Conv2D, GlobalAvgPool, LogMel
from beak.network.network import Network
from beak.network.summary import summarise


def weights(network):
    return [p.shape for name, p in network.parameters.items() if name.endswith(".weight")]


def count(shapes):
    total = 0
    for shape in shapes:
        product = 1
        for size in shape:
            product *= size
        total += product
    return total


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("cnn-trad-fpool3", [10_240, 163_840, 65_536, 4_096, 512]),
        ("cnn-one-fpool3", [13_824, 19_008, 4_096, 16_384, 512]),
        ("cnn-one-fstride4", [47_616, 53_568, 4_096, 16_384, 512]),
    ],
)
def test_sainath_and_paradas_networks_have_the_papers_weights(name, layers):
    network = make_network(name, (1, 32, 40), 4)
    assert [count([shape]) for shape in weights(network)] == layers
    total = {"cnn-trad-fpool3": 244_224, "cnn-one-fpool3": 53_824, "cnn-one-fstride4": 122_176}
    assert count(weights(network)) == total[name]


def test_cnn_trad_fpool3_has_the_papers_multiplies():
    network = make_network("cnn-trad-fpool3", (1, 32, 40), 4)
    assert network.multiply_adds == 9_705_984
    steps = [node.multiply_adds for node in network.nodes if node.multiply_adds]
    assert steps == [4_392_960, 5_242_880, 65_536, 4_096, 512]


def test_cnn_one_fstride4_has_the_papers_convolution():
    network = make_network("cnn-one-fstride4", (1, 32, 40), 4)
    assert network.nodes[0].output == (186, 1, 9)
    assert network.nodes[0].multiply_adds == 428_544


def test_keyword_stays_within_250000_parameters():
    assert make_network("keyword", (1, 98, 40), 35).parameter_count <= 250_000
    assert make_network("keyword", (1, 98, 40), 10).parameter_count >= 100_000


def test_the_lectures_filters_see_all_time_and_move_along_frequency():
    network = make_network("spectrogram-frequency", (1, 64, 40), 10)
    assert network.nodes[0].layer.kernel == (64, 8)
    assert network.nodes[0].output[1:] == (1, 33)
    assert all(row.output[1] == 1 for row in summarise(network).rows if len(row.output) == 3)


@pytest.mark.parametrize("shape", [(1, 64, 40), (1, 97, 64), (1, 30, 20)])
def test_the_directions_have_as_many_parameters_within_a_twentieth(shape):
    made = {
        axis: make_network("spectrogram-frequency", shape, 10, axis=axis)
        for axis in ("frequency", "time", "both")
    }
    assert made["time"].nodes[0].output[2] == 1
    assert min(made["both"].nodes[0].output[1:]) > 1
    for network in made.values():
        assert 142_500 <= network.parameter_count <= 150_000


def test_an_unknown_direction_is_told():
    with pytest.raises(UsageError, match="did you mean 'time'"):
        make_network("spectrogram-frequency", (1, 64, 40), 10, axis="tim")


def test_log_mel_makes_frames_and_bands_without_parameters():
    for shape in ((8000,), (1, 8000)):
        network = Network(shape, [LogMel(8000, 256, 80), Conv2D(4, 3, name="c"), GlobalAvgPool()])
        assert network.nodes[0].output == (1, 97, 40)
        assert network.nodes[0].parameter_count == 0
        assert network.nodes[0].multiply_adds == 97 * (2 * 129 * 256 + 2 * 129 + 129 * 40)
        rows = {row.name: row for row in summarise(network).rows}
        assert rows["c"].receptive_field == (3, 3)
        assert Network.from_json(network.to_json()) == network


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"window": 551}, "a Fourier transform of 551; .* fft=540 or fft=576"),
        ({"fft": 128}, "window=200 is longer than fft=128"),
        ({"scale": "mel"}, "scale='mel'"),
        ({"hop": 0}, "hop=0; a whole number"),
        ({"fmax": 4001.0}, "fmax=4001"),
        ({"fmin": 300.0, "fmax": 300.0}, "fmax=300.0 must be above fmin=300.0"),
        ({"rate": 0}, "rate=0"),
        ({"hops": 80}, "unknown field 'hops'; did you mean 'hop'"),
    ],
)
def test_log_mels_fields_are_checked_where_they_are_written(fields, says):
    with pytest.raises(NetworkError, match=says):
        LogMel(**{"rate": 8000, "window": 200, "hop": 80, **fields})


def test_log_mel_says_what_fits():
    with pytest.raises(ShapeError, match="199 samples came in, one frame has 200"):
        Network((199,), [LogMel(8000, 200, 80)])
    with pytest.raises(ShapeError, match="samples of one channel"):
        Network((2, 900), [LogMel(8000, 200, 80)])
    with pytest.raises(NetworkError, match="samples that only a LogMel can read"):
        Network((1, 900), [Conv1D(1, 3), LogMel(8000, 200, 80)])
