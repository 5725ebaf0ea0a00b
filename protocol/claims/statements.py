"""Every statement that the records are asked about, once: id, sentence, source, statistic.

In the order of protocol/claims/__init__.py, which says which module judges an id. Places in braces
are filled in by that module (`Statement.measured`).
"""

from protocol.claims.claim import Statement

_ORDERS = "beyond Section 4: all orders"
_DOSE = "control: dose-matched pairs"
_SPAN = "beyond the paper: Definition 2.2 narrowed to the span of the forget gradients"
_RETAIN = "beyond Section 3: weakly local methods"
_RECENCY = "Section 4 (recency), in the theorem's model"
_CERTIFIED = "beyond Theorem 3.1: certified unlearning"

ALL = (
    # the paper's theorem, on random instances of the linear model
    Statement(
        "T1",
        "The lower bound on the divergence of the two paths holds from t₀ on.",
        source="Theorem 3.1",
        statistic="share of instances and steps",
    ),
    Statement(
        "T2",
        "From violation_step(ε) on, at most one of the two paths is within ε of the retrained model.",
        source="Corollary 1",
        statistic="share of instances and steps",
    ),
    Statement(
        "T3",
        "Δ_t = (I + M)^t Δ₀, and Δ₀, PΔ₀ and σ_U vanish almost never.",
        source="Lemmas 3.2, C.1, C.2, C.4",
        statistic="worst relative error over 200 steps",
    ),
    # paths, utility, depth
    Statement(
        "L1",
        "The paths diverge under unlearning.",
        source="Section 4, Figures 1, 3, 5",
        statistic="F = between-path over within-path (seed) variance of the forget score, {step}",
    ),
    Statement(
        "L2",
        "Recency: what was learned last is forgotten slowest.",
        source="Section 4, Figures 1, 3",
        statistic="P(p = last slowest), {step}",
    ),
    Statement(
        "L1b",
        "Part of the order's effect is common to all bases.",
        source="Section 4, beyond one pretraining",
        statistic="share of the paths in the variance within bases, {step}",
    ),
    Statement(
        "L3",
        "The loss of utility depends on the path.",
        source="Table 1",
        statistic="max − min over paths of the change of {metric}",
    ),
    Statement(
        "L4",
        "How deep forgetting goes depends on the path.",
        source="Section 4, Figure 4",
        statistic="F = between-order over within-order (seed) variance of the depth score",
    ),
    Statement(
        "L5",
        "Path divergence and recency hold across learning rates, schedules and optimizers.",
        source="Section 4, Figures 6, 8",
        statistic="share of {settings} at which L1 (every model) and L2 hold",
    ),
    # recency against saturation
    Statement(
        "L6",
        "At equal starting likelihood the forget set learned last is still forgotten slower: "
        "recency is more than saturation.",
        source=_DOSE,
        statistic="share of seeds in which the matched model forgets less than the paths, mean over "
        "pairs, {step}",
    ),
    Statement(
        "L6d",
        "Similar starting points still diverge.",
        source=_DOSE,
        statistic="F = variance of the forget score between matched models over its variance "
        "between seeds, {step}",
    ),
    Statement(
        "L6e",
        "From an equal level on, the forget set learned last is still forgotten slower.",
        source="control: equal forget level",
        statistic="share of seeds in which p = last falls less in {steps} steps from the level "
        "another path starts at",
    ),
    Statement(
        "L6w",
        "Updates of another stage after the forget stage wash the recency out.",
        source="control: wash-out",
        statistic="share of seeds in which the forget score rises with the updates, {step}",
    ),
    # all orders of the stages
    Statement(
        "O1",
        "The nearer to the end the forget set was learned, the slower it is forgotten.",
        source=_ORDERS,
        statistic="slope of the forget score on the number of later stages, {step}",
    ),
    Statement(
        "O2",
        "Which stage follows the forget set matters beyond how many follow.",
        source=_ORDERS,
        statistic="F of the stage that follows, beside model and how many follow, means over seeds, "
        "{step}",
    ),
    # retrain equivalence
    Statement(
        "E1",
        "Unlearning misses the retrained model on most paths.",
        source="Definition 2.1, Section 4",
        statistic="share of paths that at no step are within the noise floor in every part",
    ),
    Statement(
        "N1",
        "SimNPO's paper form at β = 1 is silent where log π is low, and so favours p = last.",
        source="Section 4",
        statistic="share of seeds where p = last has ≥ {times} times the others' gradient at step 0 "
        "and forgets fastest",
    ),
    Statement(
        "S1",
        "An oracle that sees only forget prompts reaches the retrained model where the forget set "
        "was learned last.",
        source="beyond Section 4: the local oracle",
        statistic="share of seeds in which p = last is within the noise floor in every part at some "
        "step",
    ),
    Statement(
        "K1",
        "Path dependence vanishes where the stages are mixed.",
        source="control: i.i.d. mixture",
        statistic="largest median ratio over parts and steps, path distance of the mixture over "
        "that of the stages",
    ),
    # rates of divergence
    Statement(
        "G1",
        "Secant and output rate account for the growth of a divergence exactly.",
        source="definition of the rates",
        statistic="worst relative error of the identities",
    ),
    Statement(
        "G2",
        "The first step tells how fast two paths part: their divergence grows like (1 + r₀)²ᵗ for a "
        "while.",
        source="Lemma 3.2, read in outputs",
        statistic="steps within a factor 2, median over seeds",
    ),
    Statement(
        "G3",
        "On the forget rows the secant rate of gradient ascent is the theorem's ρ*.",
        source="Theorem 3.1",
        statistic="worst relative error of the projected secant rate at step 0",
    ),
    Statement(
        "G4",
        "The divergence of two paths grows exponentially.",
        source="Theorem 3.1, read in outputs",
        statistic="steps for which the rate stays within a factor 2 of the first, median over seeds",
    ),
    Statement(
        "D1",
        "The spread of the outcomes alone bounds the distance to any retrained model.",
        source="triangle inequality",
        statistic="share of seeds and steps with max √d(u_p, r) ≥ ½ max √d(u_p, u_q)",
    ),
    Statement(
        "D2",
        "The spread of the outcomes exceeds the distance of two retrained models.",
        source="noise floor",
        statistic="share of seeds with ½ max √d(u_p, u_q) above the largest √d of two retrained "
        "models, step {step}",
    ),
    # the linear model beyond the paper
    Statement(
        "W1",
        "Descent on a retained sample that spans the forget rows stops the divergence exactly from "
        "a weight λ* on.",
        source=_RETAIN,
        statistic="share of instances and numbers of rows, both sides of λ*",
    ),
    Statement(
        "W2",
        "A retained sample that does not span the forget rows stops no divergence, whatever its "
        "weight.",
        source=_RETAIN,
        statistic="smallest share of instances that grow, over weights and numbers of rows",
    ),
    Statement(
        "W3",
        "Stopping the divergence is not path-independence: above λ* the difference on ker R stays "
        "for ever.",
        source=_RETAIN,
        statistic="‖Δ_t‖/‖Δ₀‖ at 1.1 λ* after 2·10¹² steps, median",
    ),
    Statement(
        "R1",
        "A path whose residual is smaller in the forget set's eigendirections forgets slower at "
        "every step.",
        source=_RECENCY,
        statistic="share of ordered pairs of paths × steps",
    ),
    Statement(
        "R2",
        "Recency is strongest early and weakens with t.",
        source=_RECENCY,
        statistic="P(p = last slowest) at step {step}",
    ),
    Statement(
        "B1",
        "A span method can reach the retrained model if the forget set was learned last, and not "
        "otherwise.",
        source=_SPAN,
        statistic="share of instances and paths",
    ),
    Statement(
        "B2",
        "No span method ever comes nearer to the retrained model than its floor.",
        source=_SPAN,
        statistic="share of runs, at their best stopping time",
    ),
    Statement(
        "B3",
        "Two paths under span methods stay apart for ever, and one of them stays away from any "
        "common target.",
        source=_SPAN,
        statistic="share of pairs of paths and methods",
    ),
    Statement(
        "B4",
        "Adam and weight decay leave the span, so the floor does not bind them.",
        source=_SPAN,
        statistic="share of runs with p < last that go below the floor",
    ),
    Statement(
        "C1",
        "Whatever the noise, a certificate is violated after finitely many steps and stays "
        "violated.",
        source=_CERTIFIED,
        statistic="share of cells (instance × noise × ε) with a finite first violating step that "
        "two models ascended step by step confirm: no violation before it, none missing after it",
    ),
    Statement(
        "C2",
        "The noise needed to hide the order grows like (1 + λ_max(M))^t.",
        source=_CERTIFIED,
        statistic="worst relative error of the late growth of log s(t) per step against "
        "log(1 + λ_max(M))",
    ),
    Statement(
        "H1",
        "Knowing the history, unlearning reaches the retrained model, wherever the forget set was "
        "learned.",
        source="beyond Theorem 3.1",
        statistic="worst ‖θ − θ_r‖/‖θ_r‖",
    ),
    Statement(
        "H2",
        "All other methods miss the retrained model, but for stage-delta negation and the best span "
        "method where the forget set was learned last.",
        source="beyond Theorem 3.1",
        statistic="smallest share of the distance left among the misses",
    ),
)
STATEMENTS = {statement.id: statement for statement in ALL}
