"""The texts of the report and the model card.

The vocabulary is that of the US banking agencies' guidance on model risk management of April 2026 (SR 26-2, which
replaced SR 11-7). No text claims compliance with a law or a guidance: people judge that.
"""

from __future__ import annotations

from training.evidence.gathering import Evidence

PURPOSE = (
    "For a loan that is being repaid, the probability that its holder will be late on a payment in the next quarter, "
    "so that the servicing team knows whom to call first."
)

INTENDED_USE = (
    "Ordering current loan holders for a call or a letter from the servicing team, a quarter ahead.",
    "Estimating how many loans of a portfolio will be late in the next quarter.",
)

OTHER_USE = (
    "Granting, refusing or pricing a loan: grade and interest rate are inputs, and both are the lender's own pricing "
    "decision, made before. The model would find its own decision confirmed.",
    "Anything that is to a borrower's disadvantage without a person looking at it. Effects on groups that the law "
    "protects have not been examined: the data hold none of the attributes that it would take.",
    "Loans of another lender, another country, or another kind than those of the training data.",
)

MATERIALITY = (
    "Exposure: how much of the portfolio's servicing follows the model's order. Purpose: servicing, not credit "
    "decisions. Both are for the model's owner to state and to assign a materiality to; this report gives what is "
    "needed to judge the inherent risk: complexity, assumptions, and data quality."
)

CALIBRATED_ASSUMPTION = (
    "The next quarter's late rate is that of the newest loans of the training file, on which the intercept is set. "
    "Loans become late as they age, so that older ones, further down the file, are no guide to it. The slope is left "
    "as fitted."
)

UNCALIBRATED_ASSUMPTION = (
    "The next quarter's late rate is that of the training file as a whole: the probabilities are as the model was "
    "fitted, and were not set on the newest loans."
)

ASSUMPTIONS = (
    "Grade and interest rate go on meaning what they meant. The model reads the rate's level, which moves with each "
    "new rate card, whether or not the borrowers change.",
    "Income is as the borrower stated it; nobody has checked it.",
    "A missing length of employment or card utilisation says something by itself, and goes on saying it.",
)

LIMITS = (
    "Grade and interest rate are the lender's own pricing. As far as the model rests on them (see permutation "
    "importance) it hands back, sharpened, what the lender thought when the loan was priced. How well it orders loans "
    "of one grade is in the results by grade.",
    "The late loans of the test quarter are few. Differences that are smaller than their intervals have not been "
    "shown; segments with few late loans are not judged at all.",
    "One training file and one quarter after it: nothing is known of a recession, nor of two quarters ahead.",
    "Permutation importance and partial dependence change one column and leave the others, which gives loans that "
    "nobody has where columns go together, as rate and grade do. They describe the model, not what causes lateness.",
)

MONITORING = (
    "Score stability: PSI of each month's scores against the bins in the manifest, judged by the sampling limit for "
    "that month's number of loans, not by .1 and .25 alone.",
    "Outcomes: observed over expected, as soon as a quarter is known. Outside .8 to 1.25 with its whole interval: set "
    "the intercept anew on the newest loans. Calibration slope outside .9 to 1.2 with its whole interval: train anew.",
    "Triggers for a review before that: a new rate card, a new grade or purpose, a new source of income data, another "
    "use of the scores.",
)

REASONS = (
    "Asked to explain, the API names at most four reasons: what raises a loan's probability above that of a reference, "
    "the weightiest first. What lowers it is not named.",
    "The reference is a typical loan that is paid on time: each number's median and each category's most frequent "
    "label among the training loans. It is kept in the manifest, and the same for every loan.",
    "Rate and grade are one reason, flagged as the lender's own pricing: it is no fact about the borrower.",
    "They explain the model, not why a borrower pays late, and are not by themselves a notice that any law asks for.",
)

NOT_COMPLIANCE = (
    "Vocabulary after SR 26-2, the guidance on model risk management that replaced SR 11-7 in April 2026. This "
    "document is evidence for an independent validation and for effective challenge, not their result, and claims no "
    "compliance with any law or guidance."
)

SAMPLE = (
    "These are generated sample loans. The figures show what the report looks like and how the models rank; they say "
    "nothing of PeerLoan's own loans."
)

OTHER_DATA = (
    "The loans that this was measured on are not the files that the version was trained and tested on, as far as its "
    "manifest says. If its training saw some of them, the figures flatter it."
)


def assumptions(evidence: Evidence) -> tuple[str, ...]:
    """Return the version's assumptions."""
    is_calibrated = "calibration" in evidence.manifest.metrics
    return (CALIBRATED_ASSUMPTION if is_calibrated else UNCALIBRATED_ASSUMPTION, *ASSUMPTIONS)


def warnings(evidence: Evidence) -> tuple[str, ...]:
    """Return what a reader must know first."""
    texts = []
    if evidence.is_sample:
        texts.append(SAMPLE)
    if not evidence.is_own_data:
        texts.append(OTHER_DATA)
    if evidence.is_reproduced is False:
        texts.append(
            "The ROC-AUC that was recorded at its training could not be reproduced from the pickle and the data."
        )
    forced = evidence.manifest.metrics.get("gates", {}).get("forced")
    if forced:
        texts.append(f"This version was published against its gates. Reason given: {forced['reason']}")
    return tuple(texts)
