"""``advisor check``: every check of an eval set, one file a family, and this table is the only place that knows them.

A check is a function ``(Subject) -> Found``. To add one: write it in the file of its family and add its row to `RULES`.
It raises `NotAsked` where the set has nothing for it to look at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from advisor.core.data_check import Checkup, Finding
from advisor.core.errors import AdvisorError, EvalSetError
from advisor.core.progress import Progress, silent

from ..draft import SPLITS, Draft
from ..loading import read
from . import answers, duplicates, privacy, sizes, texts, wrong_labels
from .subject import Embed, Found, NotAsked, Settings, Subject, cut


@dataclass(frozen=True, slots=True)
class Rule:
    """One check: what it is called, what it is about, and the function."""

    name: str
    family: str
    check: Callable[[Subject], Found]


RULES: tuple[Rule, ...] = (
    Rule("readable rows", "rows", texts.readable),
    Rule("ids", "rows", texts.same_ids),
    Rule("test size", "sizes", sizes.test_size),
    Rule("training size", "sizes", sizes.train_size),
    Rule("development size", "sizes", sizes.dev_size),
    Rule("near copies across splits", "duplicates", duplicates.across),
    Rule("repeats within a split", "duplicates", duplicates.repeats),
    Rule("near repeats within a split", "duplicates", duplicates.nearly_repeats),
    Rule("groups on both sides", "duplicates", duplicates.groups),
    Rule("conflicting answers", "labels", duplicates.contradictions),
    Rule("same wording, other label", "labels", duplicates.same_wording_other_label),
    Rule("likely wrong labels", "labels", wrong_labels.likely_wrong),
    Rule("class balance", "labels", sizes.balance),
    Rule("labels in test", "labels", sizes.labels_tested),
    Rule("label shift", "labels", sizes.label_shift),
    Rule("more than one answer", "labels", sizes.one_answer),
    Rule("answers cut off", "texts", texts.cut_answers),
    Rule("JSON answers", "texts", texts.json_answers),
    Rule("length", "texts", texts.lengths),
    Rule("context", "texts", texts.context),
    Rule("characters", "texts", texts.encoding),
    Rule("language", "texts", texts.language),
    Rule("unfinished writing", "texts", texts.leftovers),
    *(Rule(f"privacy: {kind.name}", "privacy", privacy.check_for(kind)) for kind in privacy.KINDS),
    Rule("answer in the input", "answers", answers.quoted_in_input),
    Rule("question in a document", "answers", answers.quoted_in_documents),
    Rule("gold documents", "answers", answers.gold_documents),
    Rule("tools needed", "answers", answers.tools_needed),
    Rule("tools there", "answers", answers.tools_there),
    Rule("metric: right answers", "metric", answers.gold_scores),
    Rule("metric: wrong answers", "metric", answers.shuffled_gold),
)


def check(
    source: str,
    embed: Embed | None,
    settings: Settings | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    progress: Progress = silent,
) -> tuple[Checkup, Draft]:
    """Look at an eval set with every check; nothing is changed.

    Args:
        source: see `advisor.evalsets.loading.load`.
        embed: texts to vectors of unit length; `None` leaves out what needs them.
        settings: see `Settings`.
        columns: see `advisor.evalsets.loading.load`.
        progress: where to say how far it is.

    Returns:
        The findings, and what was looked at, as `advisor.evalsets.fixing` needs it.

    Raises:
        EvalSetError: it does not exist, or is malformed as a whole.
    """
    settings = settings or Settings()
    draft = read(source, columns=columns, seed=settings.seed)
    if not any(draft.splits.values()):
        raise EvalSetError(f"no example of {source!r} can be read; the first row: {(*draft.refused, 'none')[0]}")
    return check_draft(draft, embed, settings, asked_as=source, progress=progress), draft


def check_draft(
    draft: Draft, embed: Embed | None, settings: Settings, *, asked_as: str = "", progress: Progress = silent
) -> Checkup:
    """Look at a draft with every check; see `check`."""
    subject = Subject(draft, embed, settings, progress)
    findings, not_asked = [], {}
    for rule in RULES:
        try:
            found = rule.check(subject)
        except NotAsked as reason:
            not_asked[rule.name] = str(reason)
            continue
        except AdvisorError as error:
            found = Found("unknown", f"could not be looked at: {cut(str(error), 300)}")
        findings.append(Finding(rule.name, rule.family, found.gate, found.figure, found.todo, found.shown, found.rows))
    notes = [*draft.notes, *subject.notes]
    counts = {split: len(draft.splits[split]) for split in SPLITS} | {"documents": len(draft.docs)}
    return Checkup(draft.name, asked_as, counts, tuple(findings), tuple(notes), not_asked)
