"""Figure 4: depth of forgetting in the language models over the six orders of C, U, R; see
depth.py.
"""

from paper_figs.drawing.entry import FigureEntry, main
from paper_figs.figures.depth import draw_llm

FIGURE = FigureEntry(
    name="figure4",
    title="Figure 4: depth of forgetting by order",
    caption=(
        "A tiny language model learns three answers to the same 40 prompts in six orders: C and "
        "U say alike how a "
        "thing is made, R refuses; then U is unlearned. Above: mean log-probability of the "
        "answers under gradient "
        "ascent, the depth score and its class in the titles. Below: depth score (C₀ − C_T)/(U₀ "
        "− U_T), the share of "
        "U's fall that C took part in, by order; bars: published scores of Llama-3.2-3B, "
        "computed from its curves. "
        "The rate of unlearning was chosen so that U falls by some nats and the model still "
        "answers; at higher rates "
        "all three answers are lost and the score says nothing."
    ),
    alt=(
        "Six line charts of the log-probabilities of answers C, U and R over unlearning steps, "
        "one per order, and a "
        "dot chart of depth scores by order against the threshold and the published scores."
    ),
    worlds=("llm",),
    claims=("L4",),
    commands=("retrace llm depth",),
    draw=draw_llm,
)

if __name__ == "__main__":
    main(FIGURE)
