"""The parts of a causal language model, whatever its architecture calls them.

A model of text and images keeps the configuration of its language part inside its own; a
state-space model has no longest context; the decoder is the model without its output layer.
"""

import sys

from torch import nn
from transformers import PretrainedConfig, PreTrainedModel


def text_config(model: PreTrainedModel) -> PretrainedConfig:
    """The configuration of the language part: the model's own where it has one part only."""
    return model.config.get_text_config()


def context_of(config: PretrainedConfig) -> int:
    """The most tokens a model takes; sys.maxsize if its configuration names no limit."""
    text = config.get_text_config()
    named = (getattr(text, name, None) for name in ("max_position_embeddings", "max_seq_len"))
    return min((limit for limit in named if limit and limit > 0), default=sys.maxsize)


def language_part(model: PreTrainedModel) -> nn.Module:
    """The module that holds the decoder: the whole model, or what stands beside the parts for
    images and sound.
    """
    if text_config(model) is model.config:
        return model
    part = model.get_decoder()
    return model if part is None else part
