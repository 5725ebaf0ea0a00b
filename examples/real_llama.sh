#!/usr/bin/env bash
# The whole positions experiment on a real pretrained Llama with real data: TOFU, GSM8K, XSTest.
#
#   examples/real_llama.sh DATA [OUT]
#
# DATA holds models/stories260k-hf (a Llama of 260 thousand parameters trained on TinyStories, context 512, no chat
# template: the plain one is used; too small for sums, so there is no math panel), tofu/full.json, gsm8k/train.jsonl and
# xstest/xstest_prompts.csv. The stage inst comes from the generated corpus. OUT (default out-real) gets the safety set,
# records, figures, claims and report.html; stages and runs are kept in OUT/runs.
set -euo pipefail
data=${1:?usage: examples/real_llama.sh DATA [OUT]}
out=${2:-out-real}
retrace=$(dirname "$0")/../.venv/bin/retrace

"$retrace" data safety "$data/xstest/xstest_prompts.csv" --out "$out/safety"
"$retrace" llm positions --model "$data/models/stories260k-hf" \
    --data tofu "$data/tofu/full.json" math "$data/gsm8k/train.jsonl" safety "$out/safety/train.jsonl" \
    --test-data safety "$out/safety/test.jsonl" \
    --rows inst 320 tofu 400 math 400 safety 140 --held-out inst 32 tofu 32 math 32 safety 32 \
    --learning.batch 8 --learning.micro-batch 8 --unlearning.batch 8 --unlearning.micro-batch 8 \
    --seeds 2 --probes.sums 0 \
    --out "$out" --runs "$out/runs"
"$retrace" figures --out "$out"
