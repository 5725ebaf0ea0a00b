"""Every unlearning method of the language models: the paper's, and what uses more than the forget
set.

Weakly local: GradDiff and NPO-retain learn retained rows beside. Knowing the aim: oracle-local
distils the retrained model into the leaf on the forget rows alone, the best a local method could be
told. Knowing the history: negation takes back what the forget stage changed, θ − (T_U φ − φ) with φ
the node before it; rewind restores φ and trains the later stages again, which is the retrained
model.
"""

from collections import ChainMap

from protocol.spec import METHODS as LOCAL
from protocol.spec import Method

HISTORY = ("negation", "rewind")  # objectives that take no gradient step
METHODS: ChainMap[str, Method] = ChainMap(
    {
        "GradDiff": Method("GradDiff", "gradient_ascent", retain=1.0),
        "NPO-retain": Method("NPO-retain", "npo", (("beta", 0.5),), retain=1.0),
        "oracle-local": Method("oracle-local", "distillation"),
        "negation": Method("negation", "negation"),
        "rewind": Method("rewind", "rewind"),
    },
    LOCAL,  # a view: what joins it later is here, too
)
