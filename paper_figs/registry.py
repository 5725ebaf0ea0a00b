"""Every figure there is: its file name, title, caption, alternative text and drawing function."""

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.figure import Figure

from paper_figs import (
    certified,
    depth,
    distance,
    figure1,
    figure3,
    linear,
    mixture,
    networks,
    rates,
    recency,
    retain,
    span,
    theorem,
    triangle,
)
from protocol.records import Tables


@dataclass(frozen=True)
class FigureEntry:
    """A figure of the report; `draw` returns None where the tables hold no records for it."""

    name: str  # of the files, without ending
    title: str
    caption: str
    alt: str
    draw: Callable[[Tables], Figure | None]


FIGURES = (
    FigureEntry(
        "figure1",
        "Figure 1: label log-likelihood under gradient ascent, by path",
        "Mean token log-likelihood of the refusal that was trained on the forget set, after each forget question, "
        "along unlearning by gradient ascent. Above: the paper's curves, read from its vector graphics (one run per"
        " model). Below: ours, mean over seeds with the band named above the panels. Each panel has a scale of its "
        "own.",
        "Line charts of the label log-likelihood over unlearning steps, one line per position of the forget set: "
        "four published models above, our models below.",
        figure1.draw,
    ),
    FigureEntry(
        "figure3",
        "Figure 3: label and TOFU log-likelihood under NPO and SimNPO, by path",
        "Log-likelihood of the unlearn label (should fall) and of the TOFU answers, a retained stage (should stay)."
        " Above: as published for Llama8B and Qwen14B. Below: the same quantities on our models, mean over seeds "
        "with the band named above the panels. SimNPO here uses the β that acts on our models (see the settings).",
        "Line charts over unlearning steps for NPO and SimNPO, label and TOFU log-likelihood side by side: "
        "published models above, ours below.",
        figure3.draw,
    ),
    FigureEntry(
        "figure4",
        "Figure 4: depth of forgetting by order",
        "A tiny language model learns three answers to the same 40 prompts in six orders: C and U say alike how a "
        "thing is made, R refuses; then U is unlearned. Above: mean log-probability of the answers under gradient "
        "ascent, the depth score and its class in the titles. Below: depth score (C₀ − C_T)/(U₀ − U_T), the share of "
        "U's fall that C took part in, by order; bars: published scores of Llama-3.2-3B, computed from its curves. "
        "The rate of unlearning was chosen so that U falls by some nats and the model still answers; at higher rates "
        "all three answers are lost and the score says nothing.",
        "Six line charts of the log-probabilities of answers C, U and R over unlearning steps, one per order, and a "
        "dot chart of depth scores by order against the threshold and the published scores.",
        depth.draw_llm,
    ),
    FigureEntry(
        "distance-forget",
        "Distance to the retrained model, forget prompts",
        "RE distance (Definition 2.1) of next-token probabilities between the unlearned model and the model "
        "retrained without the forget set, on held-out forget prompts; geometric mean over seeds with its 95% "
        "interval (of two seeds their range), log scale. "
        "Grey: within the noise floor, the largest distance between two retrained models that "
        "differ only in the shuffle seed. Dotted: the distance before unlearning. A method helps where its curve "
        "falls below its dotted line; it reaches retrain equivalence where it enters the grey area on every kind of"
        " prompt at the same step.",
        "Line charts on a log scale of the distance to the retrained model on forget prompts, rows models, columns "
        "methods, with the noise floor shaded and the distance at step 0 dotted.",
        distance.draw_forget,
    ),
    FigureEntry(
        "distance-retained",
        "Distance to the retrained model, retained prompts",
        "As above on held-out prompts of each retained stage, a row per model and stage: here unlearning can only "
        "keep or lose what was there.",
        "Line charts on a log scale of the distance to the retrained model on retained prompts, a row per model and"
        " retained stage, columns methods, with the noise floor shaded and the distance at step 0 dotted.",
        distance.draw_retained,
    ),
    FigureEntry(
        "theorem",
        "Theorem 3.1: divergence of two paths and its lower bound",
        "Gradient ascent on the linear model after training in two orders. Each panel: the logarithm of the "
        "measured divergence of the two models, and of the theorem's lower bound, which is claimed from step t₀ on."
        " Last panel: how far the measured divergence lies above the bound over the whole ensemble of random "
        "instances and checks; a slack below 0 would refute the theorem.",
        "Line charts of the log divergence above its log lower bound over steps for several instances, and the "
        "cumulative distribution of the slack over the ensemble.",
        theorem.draw,
    ),
    FigureEntry(
        "linear",
        "Linear model: label log-likelihood and distance to the retrained model",
        "The positions experiment of the linear model. Above: label log-likelihood −(xθ − y)² on the forget rows, "
        "mean over instances with the 95% t interval. Below: RE distance to the retrained model on test inputs, "
        "geometric mean, log scale; dotted: before unlearning. "
        "Where ascent ran beyond −100 the upper axis is logarithmic, too.",
        "Line charts of label log-likelihood and of the distance to the retrained model over unlearning steps, a "
        "line per position of the forget set, a column per method.",
        linear.draw,
    ),
    FigureEntry(
        "rates",
        "Rates of divergence, how far ahead they tell, and the half-diameter bound",
        "Two runs that start from the two orders of a pair and unlearn alike; e is the difference of their outputs on "
        "the test inputs, d = ‖e‖²/m, rₜ = ⟨eₜ, eₜ₊₁ − eₜ⟩/‖eₜ‖². Each seed (in the linear model: each instance) "
        "counts by the median over its pairs of paths; bands and bars are quartiles over seeds. Top left: slope of "
        "log d over the first steps against 2 log(1 + r₀), a point per seed. Top right: rₜ, and in grey the same "
        "quotient ρₜ in parameters where they were measured. Bottom left: for how many steps an extrapolation from "
        "step 0 stays within a factor 2 of the measured d, at most the length of the run. Bottom right: "
        "½ max √d(u_p, u_q) over pairs of paths, divided by the largest √d(u_p, θᵣ) to the retrained model; the bound "
        "says at most 1.",
        "Four panels: promised against measured growth of the divergence, its rate over unlearning steps, horizons of "
        "three extrapolations as dots with bars, and the half-diameter bound as a share of the distance to the "
        "retrained model over steps.",
        rates.draw,
    ),
    FigureEntry(
        "recency",
        "Recency in the linear model: how often the forget set learned last is forgotten slowest",
        "Gradient ascent after training in every position of the forget set; random instances, a path forgets as much "
        "as its forget loss has grown. Heat maps: share of instances in which p = last has grown least, by unlearning "
        "step and one setting of the problem, the others at the values marked ◂; an instance in which two paths are "
        "equal does not count. Bottom left: the same by ridge weight, bands between the exact one-sided 95% bounds. "
        "Bottom right: mean over instances of the squared components of the residual before unlearning, in the "
        "eigendirections of the forget set's Gram matrix; ascent grows the largest fastest.",
        "Four heat maps of the probability that the path with the forget set last is slowest, over unlearning steps "
        "and ridge weight, shared features, shared targets and number of stages; its curves by ridge weight; and the "
        "residual's spectrum, a line per position.",
        recency.draw,
    ),
    FigureEntry(
        "span",
        "The span barrier: how near gradients on the forget set come to the retrained model",
        "Linear model. Four panels, one per optimizer: RE distance on test inputs to the model retrained without the "
        "forget set, by position of the forget set: before unlearning, at the best stopping time of each method, and "
        "the floor that no span method can pass; geometric mean over instances with its 95% t interval. The informed "
        "method follows a gradient on the forget set that knows the retrained model. For p = last the floor is 0 up to "
        "rounding; points below the axis are not drawn. Top right: share of the squared displacement at the end of a "
        "run outside the span of the forget gradients. Bottom right, span methods: smallest divergence of two paths "
        "at equal steps as a multiple of the floor of that pair; GA, NPO and SimNPO lie on one another.",
        "Four panels of distances to the retrained model on a log scale by position, one per optimizer, with the floor "
        "dashed; the share of displacement outside the span by optimizer; cumulative distributions of the smallest "
        "divergence of two paths over its floor.",
        span.draw,
    ),
    FigureEntry(
        "retain",
        "Weakly local methods: how much retained data stops two paths from parting",
        "Linear model, forget set learned first and last; both models ascend on the forget set and descend with weight "
        "λ on n_R fresh rows of the retained stages. Left and middle: share of instances in which the difference of "
        "the two models still grows after 10¹² steps; red: λ* = (n_R/k) σ_max(X_U R⁺)², median and quartiles over "
        "instances, where the sample spans the forget rows; dotted: n_R = dimension of the features. Right: the "
        "difference by step, median over instances, at 0.9 λ* and 1.1 λ*; in the subspace the part outside the "
        "sample's rows stays for ever.",
        "Two phase diagrams of number of retained rows against weight, grey where the difference of two paths grows, "
        "with the threshold weight on the edge of the grey; line charts of the difference on both sides of the weight.",
        retain.draw,
    ),
    FigureEntry(
        "certified",
        "Certified unlearning: two orders seen through noise",
        "Linear model, forget set learned first and last, gradient ascent on both models; N(0, s²I) added to both "
        "outcomes, s in units of the distance ‖Δ₀‖ of the two models before unlearning. If both outcomes were "
        "(ε, δ)-close to one distribution, their hockey-stick divergence at 2ε would be at most (1 + e^ε)δ. Left: that "
        "divergence by step. Middle: the least noise that keeps it below the bound up to step t; the black line has "
        "the slope log(1 + λ_max(M)) that it comes to in the end, M = (2η/k)X_UᵀX_U, median over instances. Right: the "
        "first step that violates it.",
        "Three panels: divergence over unlearning steps for several amounts of noise against the allowed level; the "
        "noise needed over steps on a log scale, a line per ε beside a line of the promised slope; the first violating "
        "step against the noise.",
        certified.draw,
    ),
    FigureEntry(
        "triangle",
        "The triangle, corner by corner: what each way of removing a stage leaves of the distance",
        "Linear model, forget set learned at each position. RE distance to the retrained model over test and forget "
        "inputs together, after as a share of before, geometric mean over instances. Methods that take steps stop at "
        "the step nearest to the retrained model, which no rule that does not know that model could choose; the span "
        "optimum is computed with it. “Exact”: below 10⁻²⁰. Right: what each method uses, by its definition, and "
        "whether it reached the retrained model, as measured.",
        "Table of nine methods by four positions: share of the distance to the retrained model left, shaded grey; "
        "beside it whether the method is local, path-oblivious and retrain-equivalent.",
        triangle.draw,
    ),
    FigureEntry(
        "networks",
        "Small networks: label log-likelihood and distance to the retrained model",
        "The positions experiment of small networks: an MLP on clusters and a two-layer transformer on key-value "
        "prompts, trained in stages and unlearned by gradient steps; seeds shuffle the rows. For each model: mean "
        "log-likelihood of the forget set's answers; RE distance of probabilities to the retrained model on held-out "
        "prompts of the forget stage and of the retained stages, with the noise floor (grey: the largest distance "
        "between two retrained models of different seeds) and the distance before unlearning (dotted).",
        "Line charts over unlearning steps for each model, a line per position of the forget set and a column per "
        "method: label log-likelihood, and distances on forget and retained prompts on log scales.",
        networks.draw,
    ),
    FigureEntry(
        "mixture",
        "Control: the same rows mixed instead of learned in stages",
        "Small networks. RE distance of probabilities between the models of one seed on held-out prompts, mean over "
        "pairs, by unlearning step: four orders of the stages, and four shuffles of the i.i.d. mixture of all rows, "
        "of equal length. Log scale. Before unlearning shuffles of the mixture are nearly one model; unlearning "
        "drives them apart, too.",
        "Line charts on log scales of the distance between paths over unlearning steps, learned in stages against "
        "mixed, a row per model and kind of prompts, a column per method.",
        mixture.draw,
    ),
    FigureEntry(
        "depth",
        "Depth of forgetting by order (as Figure 4)",
        "Softmax regression: three answers to the same prompts, C with features like those of U, R without, learned in "
        "six orders; then U is unlearned. Above: mean log-likelihood of the answers under gradient ascent, the depth "
        "score and its class in the titles. Below: depth score (C₀ − C_T)/(U₀ − U_T), the share of U's fall that C "
        "took part in, by order and method; bars: published scores of Llama-3.2-3B, computed from its curves.",
        "Six line charts of the log-likelihoods of answers C, U and R over unlearning steps, one per order, and a dot "
        "chart of depth scores by order and method against the threshold and the published scores.",
        depth.draw,
    ),
)
