"""The data checks behind ``advisor check``, one file a family; the table here is the only place that knows them all.

One is a function ``(DataProfile) -> Found``. To add one: write it in the file of its family and its row in
`DATA_CHECKS`. It raises `NotAsked` where the set has nothing for it to look at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from advisor.core.data_check import DataCheckResult, DataCheckSettings, DataReport
from advisor.core.errors import AdvisorError, EvalSetError
from advisor.core.progress import Progress, silent
from advisor.core.types import Embed

from ..draft import SPLITS, Draft
from ..loading import read
from . import answers, duplicates, privacy, sizes, texts, wrong_labels
from .data_profile import DataProfile, Found, NotAsked, cut


@dataclass(frozen=True, slots=True)
class DataCheck:
    """One check: what it is called, what it is about, and the function."""

    name: str
    family: str
    check: Callable[[DataProfile], Found]


DATA_CHECKS: tuple[DataCheck, ...] = (
    DataCheck("readable rows", "rows", texts.readable),
    DataCheck("ids", "rows", texts.same_ids),
    DataCheck("test size", "sizes", sizes.test_size),
    DataCheck("training size", "sizes", sizes.train_size),
    DataCheck("development size", "sizes", sizes.dev_size),
    DataCheck("near copies across splits", "duplicates", duplicates.across),
    DataCheck("repeats within a split", "duplicates", duplicates.repeats),
    DataCheck("near repeats within a split", "duplicates", duplicates.nearly_repeats),
    DataCheck("groups on both sides", "duplicates", duplicates.groups),
    DataCheck("conflicting answers", "labels", duplicates.contradictions),
    DataCheck("same wording, other label", "labels", duplicates.same_wording_other_label),
    DataCheck("likely wrong labels", "labels", wrong_labels.likely_wrong),
    DataCheck("class balance", "labels", sizes.balance),
    DataCheck("labels in test", "labels", sizes.labels_tested),
    DataCheck("label shift", "labels", sizes.label_shift),
    DataCheck("more than one answer", "labels", sizes.one_answer),
    DataCheck("answers cut off", "texts", texts.cut_answers),
    DataCheck("JSON answers", "texts", texts.json_answers),
    DataCheck("length", "texts", texts.lengths),
    DataCheck("context", "texts", texts.context),
    DataCheck("characters", "texts", texts.encoding),
    DataCheck("language", "texts", texts.language),
    DataCheck("unfinished writing", "texts", texts.leftovers),
    *(DataCheck(f"privacy: {kind.name}", "privacy", privacy.check_for(kind)) for kind in privacy.KINDS),
    DataCheck("answer in the input", "answers", answers.quoted_in_input),
    DataCheck("question in a document", "answers", answers.quoted_in_documents),
    DataCheck("gold documents", "answers", answers.gold_documents),
    DataCheck("tools needed", "answers", answers.tools_needed),
    DataCheck("tools there", "answers", answers.tools_there),
    DataCheck("metric: right answers", "metric", answers.gold_scores),
    DataCheck("metric: wrong answers", "metric", answers.shuffled_gold),
)


def check_data(
    source: str,
    *,
    columns: Mapping[str, str] | None,
    embed: Embed | None,
    settings: DataCheckSettings,
    progress: Progress,
) -> DataReport:
    """Look at an eval set with every check; see `advisor.core.shipped.check_data`."""
    draft = read(source, columns=columns, seed=settings.seed)
    if not any(draft.splits.values()):
        first = draft.refused[0] if draft.refused else "none"
        raise EvalSetError(f"no example of {source!r} can be read; the first row: {first}")
    return check_draft(draft, embed, settings, asked_as=source, progress=progress)


def check_draft(
    draft: Draft, embed: Embed | None, settings: DataCheckSettings, *, asked_as: str = "", progress: Progress = silent
) -> DataReport:
    """Look at a draft with every check; see `check_data`."""
    profile = DataProfile(draft, embed, settings, progress)
    findings, not_asked = [], {}
    for one in DATA_CHECKS:
        try:
            found = one.check(profile)
        except NotAsked as reason:
            not_asked[one.name] = str(reason)
            continue
        except AdvisorError as error:
            found = Found("unknown", f"could not be looked at: {cut(str(error), 300)}")
        findings.append(
            DataCheckResult(one.name, one.family, found.gate, found.figure, found.todo, found.shown, found.rows)
        )
    notes = [*draft.notes, *profile.notes]
    counts = {split: len(draft.splits[split]) for split in SPLITS} | {"documents": len(draft.docs)}
    return DataReport(draft.name, asked_as, counts, tuple(findings), tuple(notes), not_asked)
