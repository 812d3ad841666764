"""A decoder of transformer layers, which NRTR and SATRN share.

Sheng et al., "NRTR: A No-Recurrence Sequence-to-Sequence Model For Scene Text Recognition", ICDAR 2019; MMOCR v0.6.3
and v1.0.1 `mmocr.models.textrecog.decoders.nrtr_decoder.NRTRDecoder`.
"""

import torch
from torch import Tensor, nn

from .greedy import States, decode_greedily
from .recogniser_settings import ClassSettings, TransformerDecoderSettings
from .transformer import DecoderLayer, PositionTable
from .words import greedy_rule

EPSILON = 1e-6
"""Of the last normalisation; the others have PyTorch's."""


class TransformerDecoder(nn.Module):
    """Features of a word to the probabilities of its characters.

    Args:
        settings: Layers and channels.
        classes: What is decoded.
    """

    def __init__(self, settings: TransformerDecoderSettings, classes: ClassSettings) -> None:
        super().__init__()
        self.heads, self.channels = settings.n_head, settings.d_model
        self.rule = greedy_rule(classes)
        # A class that is not scored is given to no step, so nothing has to be hidden from later ones.
        self.hidden_class = classes.padding_idx if classes.scores_padding else None
        self.trg_word_emb = nn.Embedding(classes.num_classes, settings.d_embedding)
        self.position_enc = PositionTable(settings.n_position, settings.d_embedding)
        self.layer_stack = nn.ModuleList(
            DecoderLayer(settings.n_head, settings.d_model, settings.d_inner) for _ in range(settings.n_layers)
        )
        self.layer_norm = nn.LayerNorm(settings.d_model, eps=EPSILON)
        self.classifier = nn.Linear(settings.d_model, classes.scored_classes)

    def forward(self, features: Tensor, valid: Tensor) -> Tensor:
        """Return the probabilities of the classes at each step.

        Args:
            features: The word, N×K×C, float.
            valid: Which of its features belong to it and not to padding, N×K, bool.

        Returns:
            Probabilities N×T×classes.
        """
        layers: list[DecoderLayer] = [layer for layer in self.layer_stack if isinstance(layer, DecoderLayer)]
        image = [layer.enc_attn.memory(features) for layer in layers]
        valid = valid[:, None, None]
        batch, steps = features.shape[0], self.rule.steps
        shape = (batch, self.heads, steps, self.channels // self.heads)

        def step(number: Tensor, previous: Tensor, states: States) -> tuple[Tensor, States]:
            shown, *kept = states
            here = torch.arange(steps, device=previous.device) == number
            if self.hidden_class is not None:
                shown = shown & ~(here & (previous == self.hidden_class)[:, None])
            seen = (shown & (torch.arange(steps, device=previous.device) <= number))[:, None, None]
            position = self.trg_word_emb(previous)[:, None] + self.position_enc.at(number)
            left: list[Tensor] = []
            for index, layer in enumerate(layers):
                before = kept[2 * index], kept[2 * index + 1]
                position, after = layer(position, number, before, seen, image[index], valid)
                left += after
            return self.classifier(self.layer_norm(position))[:, 0], (shown, *left)

        shown = torch.ones((batch, steps), dtype=torch.bool, device=features.device)
        empty = torch.zeros(shape, device=features.device)
        return decode_greedily(step, (shown, *[empty] * (2 * len(layers))), features, self.rule)
