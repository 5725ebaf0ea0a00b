"""Every unlearning method of the language models, by name.

Local: the paper's (`protocol.spec.METHODS`). Weakly local: GradDiff and NPO-retain, which learn
retained rows with every batch. Reference methods: those that know the retrained model or the
history (`llm.training.unlearning`).
"""

from collections import ChainMap

from llm.training.unlearning import METHODS as REFERENCE
from protocol.spec import METHODS as LOCAL
from protocol.spec import Method

WEAKLY_LOCAL = {
    "GradDiff": Method("GradDiff", "gradient_ascent", retain=1.0),
    "NPO-retain": Method("NPO-retain", "npo", (("beta", 0.5),), retain=1.0),
}
# A view: a method that is added to one of the tables later is here, too.
METHODS: ChainMap[str, Method] = ChainMap({}, REFERENCE, WEAKLY_LOCAL, LOCAL)
