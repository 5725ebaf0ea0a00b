"""The public files of the paper's rows by stage, for the presets `paper` and `authors-code`.

No preset asks for more rows than a public file has, training and held-out ones together:

stage   training rows                                   held-out rows
inst    Instruct-SkillMix-SDA, pairs of skills (k = 2): its set of single skills (k = 1):
        4,000                                           200 of 1,000
tofu    all 4,000 fictitious questions                  real authors (100), world facts (117):
                                                        200 of 217
math    GSM8K, 7,473 answers rewritten in steps:        the test file as it is, graded by
        7,000 of 7,001                                  numbers: all 1,319
safety  SORRY-Bench (2024/06), 450 questions in the     200 of the 1,890 of the other 30%
        14 styles that are left without seven:
        70% of the questions, 4,410

A retained stage whose file would be used up has its held-out rows from a file of its own, so that
all of the paper's rows are learned. The files of single skills, real authors and world facts are of
the same shape but of other content: held-out rows are where a model is compared with the retrained
one, not what a stage teaches. GSM8K's and SORRY-Bench's are of the same kind as the rows that are
learned.

Where the paths are from: Instruct-SkillMix's from the listing of its repository on the hub, TOFU's
and GSM8K's from public code that reads them, SORRY-Bench's question.jsonl and its 9,450 rows = 450
· 21 likewise; the names of its files by style (question_STYLE.jsonl) are those on the card of the
version of 2025/03.
"""

from llm.config.settings import Files

TOFU = "hf://datasets/locuslab/TOFU"
GSM8K = "hf://datasets/openai/gsm8k/main"
SKILLMIX = "hf://datasets/PrincetonPLI/Instruct-SkillMix-SDA/data"
# gated; the version of 2025/03 has 440 questions
SORRY = "hf://datasets/sorry-bench/sorry-bench-202406"
# Its files by prompt style; the file of the base questions has no style. Seven of its 20 styles are
# left out (llm.data.purposes.STYLES).
STYLES = (
    "authority_endorsement", "evidence-based_persuasion", "expert_endorsement", "logical_appeal",
    "misrepresentation", "question", "role_play", "slang", "technical_terms", "translate-ml",
    "translate-ta", "translate-zh-cn", "uncommon_dialects",
)  # fmt: skip

PUBLIC = {
    "inst": Files((f"{SKILLMIX}/ism_sda_k2_4K.json",), (f"{SKILLMIX}/ism_sda_k1_1K.json",)),
    "tofu": Files(
        (f"{TOFU}/full.json",), (f"{TOFU}/real_authors.json", f"{TOFU}/world_facts.json")
    ),
    "math": Files(
        (f"{GSM8K}/train-00000-of-00001.parquet",),
        (f"{GSM8K}/test-00000-of-00001.parquet",),
        curation="math",
    ),
    "safety": Files(
        (f"{SORRY}/question.jsonl", *(f"{SORRY}/question_{style}.jsonl" for style in STYLES)),
        curation="safety",
    ),
}
