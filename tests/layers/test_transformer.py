import numpy as np
import pytest
import torch
from torch import nn

from ocrdeploy.layers.transformer import (
    Activation,
    DecoderLayer,
    EncoderLayer,
    FeedForward,
    MultiHeadAttention,
    sine_table,
)

ROUNDING = 1e-5
"""Of sums over some 16 channels in float32, in another order."""
HEADS, CHANNELS = 4, 16


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@torch.inference_mode()
@pytest.mark.parametrize("bias", [False, True])
def test_attention_is_that_of_pytorch(bias: bool) -> None:
    own, reference = MultiHeadAttention(HEADS, CHANNELS, bias=bias), nn.MultiheadAttention(CHANNELS, HEADS, bias=bias)
    layers = (own.linear_q, own.linear_k, own.linear_v)
    reference.in_proj_weight.copy_(torch.cat([layer.weight for layer in layers]))
    reference.out_proj.load_state_dict(own.fc.state_dict())
    if bias:
        reference.in_proj_bias.copy_(torch.cat([layer.bias for layer in layers]))
    query, source = torch.randn(2, 3, CHANNELS), torch.randn(2, 5, CHANNELS)
    seen = torch.tensor([[True] * 5, [True, True, False, True, False]])
    expected, _ = reference(*(each.transpose(0, 1) for each in (query, source, source)), key_padding_mask=~seen)
    actual = own(query, own.memory(source), seen[:, None, None])
    np.testing.assert_allclose(actual, expected.transpose(0, 1), atol=ROUNDING)


@torch.inference_mode()
def test_a_word_without_a_place_gives_no_nan() -> None:
    attention = MultiHeadAttention(HEADS, CHANNELS)
    source = torch.randn(1, 5, CHANNELS)
    assert attention(source, attention.memory(source), torch.zeros(1, 1, 1, 5, dtype=torch.bool)).isfinite().all()


@torch.inference_mode()
@pytest.mark.parametrize("activation", ["gelu", "relu"])
@pytest.mark.parametrize("norm_first", [False, True])
def test_an_encoder_layer_is_that_of_pytorch(activation: Activation, norm_first: bool) -> None:
    own = EncoderLayer(HEADS, CHANNELS, 32, bias=True, activation=activation, norm_first=norm_first).eval()
    reference = nn.TransformerEncoderLayer(
        CHANNELS, HEADS, 32, activation=activation, batch_first=True, norm_first=norm_first
    ).eval()
    layers = (own.attn.linear_q, own.attn.linear_k, own.attn.linear_v)
    reference.self_attn.in_proj_weight.copy_(torch.cat([layer.weight for layer in layers]))
    reference.self_attn.in_proj_bias.copy_(torch.cat([layer.bias for layer in layers]))
    for target, source in (
        (reference.self_attn.out_proj, own.attn.fc),
        (reference.linear1, own.mlp.w_1),
        (reference.linear2, own.mlp.w_2),
    ):
        target.load_state_dict(source.state_dict())
    positions = torch.randn(2, 7, CHANNELS)
    np.testing.assert_allclose(own(positions), reference(positions), atol=ROUNDING)


@torch.inference_mode()
def test_steps_of_a_decoder_layer_are_those_of_all_steps_together() -> None:
    layer, steps = DecoderLayer(HEADS, CHANNELS, 32), 6
    features, sequence = torch.randn(2, 9, CHANNELS), torch.randn(2, steps, CHANNELS)
    valid = torch.arange(9) < torch.tensor([[9], [4]])
    image = layer.enc_attn.memory(features)
    kept = torch.zeros(2, HEADS, steps, CHANNELS // HEADS)
    before = kept, kept
    found = []
    for number in range(steps):
        seen = (torch.arange(steps) <= number)[None, None, None]
        one, before = layer(
            sequence[:, number : number + 1], torch.tensor(number), before, seen, image, valid[:, None, None]
        )
        found.append(one)
    given = layer.norm1(sequence)
    causal = torch.ones(steps, steps, dtype=torch.bool).tril()
    expected = sequence + layer.self_attn(given, layer.self_attn.memory(given), causal)
    expected = expected + layer.enc_attn(layer.norm2(expected), image, valid[:, None, None])
    expected = expected + layer.mlp(layer.norm3(expected))
    np.testing.assert_allclose(torch.cat(found, dim=1), expected, atol=ROUNDING)


def test_a_feed_forward_layer_has_the_hidden_channels() -> None:
    assert FeedForward(CHANNELS, 3).w_1.out_features == 3


def test_positions_have_sines_and_cosines() -> None:
    table = sine_table(30, 6).numpy()
    for channel in range(6):
        angle = np.arange(30) / 10000 ** (2 * (channel // 2) / 6)
        np.testing.assert_allclose(table[:, channel], np.cos(angle) if channel % 2 else np.sin(angle), atol=ROUNDING)
    assert sine_table(0, 4).shape == (0, 4)
