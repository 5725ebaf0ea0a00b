"""What can be chosen of an experiment: the options of the command line, and of a notebook.

A choice left open (None, or nothing by name) is the preset's. `llm.config.options` makes an
experiment of the choices.
"""

from dataclasses import dataclass, field

from llm.config.presets import STAGES

ByStage = dict[str, str | tuple[str, ...]]  # files by stage: one, or several


@dataclass(frozen=True)
class Options:
    """What is chosen: the data, how a model is trained and unlearned, and what is measured."""

    preset: str | None = None
    """embedded, paper or authors-code; by default the paper's for its models, else embedded."""
    revision: str | None = None
    """Revision of a hub id."""
    template: str | None = None
    """Chat template: own, plain, a .jinja file, or a directory or hub id whose tokenizer has one;
    own:NAME or SOURCE:NAME of several."""
    system: str | None = None
    """System message before every conversation."""
    stages: tuple[str, ...] = STAGES
    """Stages in the order the retained ones are trained; the forget stage is among them. One of a
    name of its own needs its file and its number of rows."""
    forget: str = "safety"
    """The stage to be unlearned."""
    data: ByStage = field(default_factory=dict)
    """Files by stage: STAGE FILE …, a stage once for each of its files. By default the public files
    of the presets paper and authors-code, else generated rows."""
    test_data: ByStage = field(default_factory=dict)
    """Files of held-out rows by stage; by default they are drawn from the files of data."""
    skip_bad_rows: bool = False
    """Leave out rows of files that cannot be used, and say how many, instead of refusing the file.
    """
    rows: dict[str, int] = field(default_factory=dict)
    """Training rows by stage."""
    held_out: dict[str, int] = field(default_factory=dict)
    """Held-out rows by stage."""
    epochs: dict[str, int] = field(default_factory=dict)
    """Epochs by stage."""
    lr: float | None = None
    """Learning rate of all stages."""
    unlearning_lr: float | None = None
    """Learning rate of unlearning."""
    batch: int | None = None
    """Rows of an update, in learning and unlearning."""
    micro_batch: int | None = None
    """Rows of one forward pass; smaller ones accumulate to the same update."""
    adaptation: str | None = None
    """full, lora, or qlora (LoRA on NF4)."""
    rank: int | None = None
    """LoRA rank."""
    alpha: int | None = None
    """LoRA alpha; by default twice the rank where a rank is chosen."""
    dropout: float | None = None
    """Dropout of the adapter in learning."""
    lora_targets: tuple[str, ...] | None = None
    """Names of the linear layers that get an adapter; none named: all of the decoder except the
    output layer.
    """
    new_adapter_each_stage: bool = False
    """Start a new adapter in every stage, on what was learned before, instead of one through all
    stages.
    """
    methods: tuple[str, ...] | None = None
    """Unlearning methods; by default the experiment's."""
    include_mixture: bool = False
    """Train the i.i.d. mixture of all stages, too: as many shuffles as there are paths."""
    seeds: int | None = None
    """Number of shuffle seeds, from 0 on; by default 3 for tiny-llama, 2 for tiny-qwen2, else 1."""
    seed_list: tuple[int, ...] | None = None
    """Shuffle seeds one by one, in place of their number."""
    base: int = 0
    """Seed of pretraining and generated corpora."""
    precision: str | None = None
    """fp32, or bf16 for models with an adapter."""
    device: str = "auto"
    """cpu, cuda, or auto: cuda where there is one."""
    attention: str = "auto"
    """Implementation of attention: eager, sdpa, flash or flex (on a GPU), or auto for transformers'
    choice.
    """
    max_length: int | None = None
    """Most tokens of a row; by default the model's context."""
    eval_batch: int | None = None
    """Rows of one forward pass without gradients."""
    probes: dict[str, float] = field(default_factory=dict)
    """Numbers of the probes by name: every, forget, tofu, distance, fixed, parameters, sums,
    samples, temperature, max_tokens."""
    math_prompt: str | None = None
    """How a sum is asked, with {question} in it."""
    label: str | None = None
    """Beginning of an answer whose likelihood is followed after questions of the forget stage; by
    default a refusal's for the stage safety, and for any other stage its own answers are
    followed."""
    paraphrases: str | None = None
    """File of other such beginnings, one a line; by default 19 refusals for the stage safety, none
    for another.
    """
    quick: bool = False
    """One seed, half the pretraining, and few probe questions."""
