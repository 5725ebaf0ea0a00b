"""Every statement that is judged from records, declared once: id, sentence, source, statistic.

In the order of protocol/claims/__init__.py, which says which module judges an id. That module fills
in the places in braces (`Statement.measured`).
"""

from protocol.claims.claim import Statement

_SPAN = "beyond the paper: Definition 2.2 narrowed to the span of the forget gradients"
_RETAIN = "beyond Section 3: weakly local methods"
_RECENCY = "Section 4 (recency), in the theorem's model"
_CERTIFIED = "beyond Theorem 3.1: certified unlearning"

ALL = (
    # the paper's theorem, on random instances of the linear model
    Statement("T1", source="Theorem 3.1",
        sentence="From step t₀ on, the distance of the two paths is at least the theorem's lower "
                 "bound.",
        statistic="share of instances and steps at which the bound holds"),
    Statement("T2", source="Corollary 1",
        sentence="From violation_step(ε) on, at most one of the two paths is within ε of the "
                 "retrained model.",
        statistic="share of instances and steps at which the statement holds"),
    Statement("T3", source="Lemmas 3.2, C.1, C.2, C.4",
        sentence="The difference of the two paths is Δ_t = (I + M)^t Δ₀, and Δ₀, PΔ₀ and σ_U are "
                 "almost never 0.",
        statistic="largest relative error over 200 steps"),
    # what the order of the stages does: divergence, recency, utility, depth
    Statement("L1", source="Section 4, Figures 1, 3, 5",
        sentence="The paths diverge under unlearning.",
        statistic="F = variance of the forget score between paths over its variance between "
                  "seeds, {step}"),
    Statement("L2", source="Section 4, Figures 1, 3",
        sentence="The forget set is forgotten slowest if it was learned last.",
        statistic="share of seeds in which p = last is forgotten slowest, {step}"),
    Statement("L1b", source="Section 4, beyond one pretraining",
        sentence="The order has an effect that all pretrained bases share.",
        statistic="share of the variance between paths that is common to all bases, {step}"),
    Statement("L3", source="Table 1",
        sentence="The loss of utility depends on the path.",
        statistic="max − min over paths of the mean change of {metric}"),
    Statement("L4", source="Section 4, Figure 4",
        sentence="The depth of forgetting depends on the order.",
        statistic="F = variance of the depth score between orders over its variance between seeds"),
    Statement("L5", source="Section 4, Figures 6, 8",
        sentence="Path divergence (L1) and recency (L2) hold across learning rates, schedules and "
                 "optimizers.",
        statistic="share of {settings} at which L1 (every model) and L2 hold"),
    # recency against saturation
    Statement("L6", source="control: dose-matched pairs",
        sentence="Of two models with the same starting likelihood, the one that learned the "
                 "forget set last forgets more slowly.",
        statistic="share of seeds in which the matched model forgets less than the paths, mean "
                  "over pairs, {step}"),
    Statement("L6d", source="control: dose-matched pairs",
        sentence="Two models with the same starting likelihood still diverge under unlearning.",
        statistic="F = variance of the forget score between matched models over its variance "
                  "between seeds, {step}"),
    Statement("L6e", source="control: equal forget level",
        sentence="From an equal likelihood on, the model that learned the forget set last forgets "
                 "more slowly.",
        statistic="share of seeds in which p = last falls less in {steps} steps, from the level "
                  "at which another path starts"),
    Statement("L6w", source="control: wash-out",
        sentence="The more updates of another stage follow the forget stage, the more is "
                 "forgotten.",
        statistic="share of seeds in which the forget score rises with the updates, {step}"),
    # all orders of the stages
    Statement("O1", source="beyond Section 4: all orders",
        sentence="The fewer stages follow the forget stage, the more slowly the forget set is "
                 "forgotten.",
        statistic="slope of the forget score over the number of later stages, {step}"),
    Statement("O2", source="beyond Section 4: all orders",
        sentence="Forgetting depends on which stage follows the forget stage, not only on how "
                 "many stages follow.",
        statistic="F of which stage follows, given the model and how many stages follow, means "
                  "over seeds, {step}"),
    # retrain equivalence
    Statement("E1", source="Definition 2.1, Section 4",
        sentence="Unlearning does not reach the retrained model on most paths.",
        statistic="share of paths that at no step are within the noise floor in every part"),
    Statement("N1", source="Section 4",
        sentence="With β = 1, the paper's form of SimNPO has almost no gradient on answers the "
                 "model already finds unlikely, so it unlearns fastest when the forget set was "
                 "learned last.",
        statistic="share of seeds in which p = last has ≥ {times} times the others' gradient at "
                  "step 0 and forgets fastest"),
    Statement("S1", source="beyond Section 4: the local oracle",
        sentence="An oracle that is given the retrained model's predictions on forget prompts "
                 "reaches that model when the forget set was learned last.",
        statistic="share of seeds in which p = last is within the noise floor in every part at "
                  "some step"),
    Statement("K1", source="control: i.i.d. mixture",
        sentence="Path dependence vanishes if the rows of the stages are mixed.",
        statistic="largest median ratio over parts and steps, path distance of the mixture over "
                  "that of the stages"),
    # rates of divergence
    Statement("G1", source="definition of the rates",
        sentence="The rates in parameters and in outputs give the growth of a divergence exactly.",
        statistic="largest relative error of the identities"),
    Statement("G2", source="Lemma 3.2, read in outputs",
        sentence="The growth rate measured at the first step predicts the divergence of two paths "
                 "within a factor of 2 for at least 20 steps.",
        statistic="steps within a factor of 2, median over seeds"),
    Statement("G3", source="Theorem 3.1",
        sentence="On the forget rows, the rate of gradient ascent in parameters is the theorem's "
                 "ρ*.",
        statistic="largest relative error of the projected rate in parameters at step 0"),
    Statement("G4", source="Theorem 3.1, read in outputs",
        sentence="The divergence of two paths grows exponentially for at least 20 steps.",
        statistic="steps for which the rate stays within a factor of 2 of the first rate, median "
                  "over seeds"),
    Statement("D1", source="triangle inequality",
        sentence="The distances between unlearned models bound their distance to any retrained "
                 "model from below.",
        statistic="share of seeds and steps with max √d(u_p, r) ≥ ½ max √d(u_p, u_q)"),
    Statement("D2", source="noise floor",
        sentence="Models unlearned from different orders differ more from each other than two "
                 "retrained models with different seeds do.",
        statistic="share of seeds with ½ max √d(u_p, u_q) above the largest √d of two retrained "
                  "models, step {step}"),
    # the linear model beyond the paper
    Statement("W1", source=_RETAIN,
        sentence="Descent on a retained sample that spans the forget rows stops the divergence if "
                 "and only if the weight of the sample exceeds λ*.",
        statistic="share of instances and numbers of rows, both sides of λ*"),
    Statement("W2", source=_RETAIN,
        sentence="Descent on a retained sample that does not span the forget rows stops the "
                 "divergence at no weight.",
        statistic="smallest share of instances whose difference grows, over weights and numbers "
                  "of rows"),
    Statement("W3", source=_RETAIN,
        sentence="Above the weight λ*, the difference of two paths keeps its part on ker R for "
                 "ever.",
        statistic="‖Δ_t‖/‖Δ₀‖ at 1.1 λ* after 2·10¹² steps, median"),
    Statement("R1", source=_RECENCY,
        sentence="A path whose residual is smaller in the forget set's eigendirections forgets "
                 "more slowly at every step.",
        statistic="share of ordered pairs of paths × steps whose growth has the same order"),
    Statement("R2", source=_RECENCY,
        sentence="Recency is strongest at the first step and weakens with t.",
        statistic="share of instances in which p = last is forgotten slowest at step {step}"),
    Statement("B1", source=_SPAN,
        sentence="A span method can reach the retrained model if and only if the forget set was "
                 "learned last.",
        statistic="share of instances and paths whose span floor is as stated"),
    Statement("B2", source=_SPAN,
        sentence="No span method comes nearer to the retrained model than its span floor.",
        statistic="share of runs, at their best stopping time"),
    Statement("B3", source=_SPAN,
        sentence="Under span methods two paths never meet, and one of the two stays away from any "
                 "common target.",
        statistic="share of pairs of paths and methods"),
    Statement("B4", source=_SPAN,
        sentence="Adam and weight decay leave the span and can go below the span floor.",
        statistic="share of runs with p < last that go below the span floor"),
    Statement("C1", source=_CERTIFIED,
        sentence="At any noise, a certificate of unlearning is violated after finitely many steps "
                 "and stays violated.",
        statistic="share of cells (instance × noise × ε) with a finite first violating step that "
                  "two models ascended step by step confirm: no violation before it, none "
                  "missing after it"),
    Statement("C2", source=_CERTIFIED,
        sentence="The noise needed to hide the order grows like (1 + λ_max(M))^t.",
        statistic="largest relative error of the late growth of log s(t) per step against log(1 "
                  "+ λ_max(M))"),
    Statement("H1", source="beyond Theorem 3.1",
        sentence="An unlearning method that uses the training history reaches the retrained "
                 "model, whatever the position of the forget set.",
        statistic="largest ‖θ − θ_r‖/‖θ_r‖"),
    Statement("H2", source="beyond Theorem 3.1",
        sentence="All other methods miss the retrained model, except stage-delta negation and the "
                 "best span method if the forget set was learned last.",
        statistic="smallest share of the distance left among the misses"),
)  # fmt: skip
STATEMENTS = {statement.id: statement for statement in ALL}
