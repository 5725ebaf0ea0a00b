"""Models: `embedded` (built and pretrained here), `catalogue` (the paper's), `loading` (directories
and the hub).

`adapters` trains a model whole, through LoRA, or through LoRA on NF4; `tokenizer` trains the
embedded models' own.
"""

from llm.models.embedded import EMBEDDED, Architecture, build
from llm.models.loading import Pretrained, load, save

__all__ = ["EMBEDDED", "Architecture", "Pretrained", "build", "load", "save"]
