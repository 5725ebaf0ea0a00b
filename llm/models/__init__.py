"""Models and their adapters: `embedded` models, pretrained here, and models of a folder or the hub.

`catalogue` names the paper's models, and `loading` reads a folder or a hub id. `adapters` trains a
model as a whole, through LoRA, or through LoRA on NF4. `tokenizer` trains the embedded models' own
tokenizer, and `randomness` derives every random number from a seed and a purpose.
"""

from llm.models.embedded import EMBEDDED, Architecture, build
from llm.models.loading import Pretrained, load, save

__all__ = ["EMBEDDED", "Architecture", "Pretrained", "build", "load", "save"]
