"""Guard 10: what was looked up holds what was needed, so that retrieval is held against at its best."""

from __future__ import annotations

from advisor.core.statement import Action, Statement, say
from advisor.core.types import Interval
from advisor.decision.evidence import Evidence, Guard
from advisor.decision.retrieval import Retrieval, told

from .paired import difference, groups_of, run_scores, scores_of

RETRIEVAL = "retrieval worked"
FOUND_NEEDED = 0.8
"""Of what the answers need, so much must have been shown."""
WHOLE = 0.999


def retrieval_worked(evidence: Evidence) -> Guard:
    """Of the documents that the questions name, and of the answers that stand in them, at least 80 % were shown.

    Judged is the best strategy that looks up and was not tuned. What better retrieval could bring is bounded by the run
    that was given the right documents: where that gains less than the margin, nothing found or missed can matter.
    Where answers do not stand in the documents word for word, and only parts of these were shown, nobody can tell.
    """
    how, gains = say("retrieval.how", needed=FOUND_NEEDED), _gains(evidence)
    figures = tuple(gains[label][0] for label in gains)
    by_label = {one.label: one for one in evidence.retrieval}
    best = next((by_label[one.label] for one in evidence.others if one.label in by_label), None)
    if best is None and not evidence.has_docs:
        return Guard(RETRIEVAL, "pass", say("retrieval.no_documents"), how, figures=figures)
    if best is None:
        run = Action(say("next.run", names=("rag",)), evidence.line(["rag", *_here(evidence)]))
        return Guard(RETRIEVAL, "unknown", say("retrieval.nothing"), how, run, figures)
    if best.recall is None:
        name_them = Action(say("retrieval.name_documents"))
        return Guard(RETRIEVAL, "unknown", told(best), how, name_them, figures)
    found, remedy = told(best), _remedy(evidence, best)
    margin = evidence.economics.margin
    if best.label in gains and gains[best.label][1].high < margin:
        return Guard(RETRIEVAL, "pass", say("retrieval.bounded", found=found, margin=margin), how, figures=figures)
    if best.recall.estimate < FOUND_NEEDED or (best.answers and best.answers.estimate < FOUND_NEEDED):
        return Guard(RETRIEVAL, "fail", say("retrieval.low", found=found, needed=FOUND_NEEDED), how, remedy, figures)
    if best.answers is None and (best.text is None or best.text < WHOLE):
        return Guard(RETRIEVAL, "unknown", say("retrieval.parts", found=found), how, remedy, figures)
    return Guard(RETRIEVAL, "pass", found, how, figures=figures)


def _remedy(evidence: Evidence, one: Retrieval) -> Action:
    strategy = evidence.summary(one.label).strategy
    named = [f"rag(k={2 * max(1, one.shown)})"] if strategy == "rag" else [one.label]
    return Action(say("retrieval.remedy"), evidence.line([*named, *_here(evidence)]))


def _here(evidence: Evidence) -> list[str]:
    return [one.label for one in evidence.strategies]


def _gains(evidence: Evidence) -> dict[str, tuple[Statement, Interval]]:
    """Return what the right document alone would bring each strategy: what is lost before the model has a say."""
    found = {}
    for one in evidence.scored:
        for probe in evidence.findings.probes_of("oracle_context", one.label)[:1]:
            given, plain = scores_of(probe), run_scores(evidence, one.label)[:1]
            gap = difference([given], plain, groups_of(evidence))
            if gap is not None:
                mean, n = sum(given.values()) / len(given), gap[1].values.size
                said = say("retrieval.right_document", label=one.label, score=mean, n=n, gain=gap[0])
                found[one.label] = said, gap[0]
    return found
