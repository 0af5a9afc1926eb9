"""Do answers give themselves away, are documents and tools there that the questions need, and is the metric sane?"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import fmean

from advisor._util import formats
from advisor.core import metrics
from advisor.core.brought_code import BroughtCode
from advisor.core.errors import AdvisorError
from advisor.core.normalisation import normalise
from advisor.core.registry import is_registered
from advisor.core.tools import parse_calls
from advisor.core.types import Chat, Example

from ..phrases import first_holders
from ..sameness import answers_of, text_of
from .data_profile import SHOWN, DataProfile, Found, NotAsked, cut, row, rows_found, several, several_shown

QUOTED_WORDS = 4
BY_DESIGN = 0.5
"""From this share on the answers are spans of their inputs because the task is so (extraction, reading)."""


def quoted_in_input(profile: DataProfile) -> Found:
    """Find inputs that hold their own answer: a label with its mark beside it, or a longer answer word for word."""
    if profile.draft.output == "json":
        raise NotAsked("targets are JSON; their values are often copied from the input")
    labels = bool(profile.draft.labels)
    hits = []
    for example in profile.examples:
        asked = text_of(example.input)
        if _gives_label_away(asked, example.target) if labels else _holds(asked, example.target):
            hits.append((example, f"{cut(example.target, 50)!r} stands in: {asked}"))
    share = len(hits) / max(1, len(profile.examples))
    if share >= BY_DESIGN:
        return Found("ok", f"{formats.percent(share)} of the answers stand word for word in their input: by design, "
                     "it seems; the strategy copy_input shows what that is worth")  # fmt: skip
    todo = "take the answer out of the input: copying it is no skill"
    return rows_found(profile, hits, (1e-12, 0.02), ("hold their own answer", todo))


def _gives_label_away(asked: str, label: str) -> bool:
    """Say whether a label stands in a text with a mark beside it, or, if it is no plain word, as it is spelled."""
    if "_" in label and any(_alone(asked, at, at + len(label)) for at in _places(asked, label)):
        return True
    text, name = asked.lower(), label.lower()
    for at in _places(text, name):
        end = at + len(name)
        before, after = text[at - 1 : at], text[end : end + 1]
        if before in ("[", "(", "#") and after in ("]", ")"):
            return True
        ends = not (_is_word(name[-1]) and _is_word(after))
        if ends and _MARKED.search(text, max(0, at - MARK_CHARACTERS), at):
            return True
    return False


_MARKED = re.compile(
    r"\b(?:label|category|categories|intent|class|topic|target|answer|tag|queue)\s*[:=\]-]+\s*[\"']?\Z"
)
MARK_CHARACTERS = 60
"""How far before a label its mark is looked for."""


def _places(text: str, part: str) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + 1)


def _alone(text: str, start: int, end: int) -> bool:
    return not (_is_word(text[start - 1 : start]) or _is_word(text[end : end + 1]))


def _is_word(mark: str) -> bool:
    return mark.isalnum() or mark == "_"


def _holds(asked: str, target: str) -> bool:
    words = target.split()
    if len(words) < QUOTED_WORDS or len(target) > len(asked):
        return False
    if words[0].strip("\"'(").lower() not in asked.lower():  # spares the normalisation for most
        return False
    return f" {normalise(target)} " in f" {normalise(asked)} "


def quoted_in_documents(profile: DataProfile) -> Found:
    """Find documents that hold a test question word for word: retrieval then finds the key to the test."""
    if not profile.draft.docs:
        raise NotAsked("there are no documents")
    docs = profile.draft.docs
    asked = [(example, normalise(text_of(example.input)).split()) for example in profile.test]
    asked = [(example, words) for example, words in asked if len(words) >= QUOTED_WORDS]
    texts = (normalise(f"{document.title} {document.text}").split() for document in docs)
    holders = first_holders([words for _, words in asked], texts)
    hits = [
        (asked[at][0], f"in document {docs[place].id}: {text_of(asked[at][0].input)}")
        for at, place in sorted(holders.items())
    ]
    todo = "word these questions as a customer would, or take them out of the documents"
    found = rows_found(profile, hits, (1e-12, 2.0), ("are test questions that stand word for word in a document", todo))
    gate = "fail" if len(hits) / max(1, len(profile.test)) >= 0.02 else found.gate
    return Found(gate, found.figure, found.todo, found.shown, found.rows)


def gold_documents(profile: DataProfile) -> Found:
    """Find questions whose gold document is not there."""
    field = profile.draft.gold_document_field
    if not field:
        raise NotAsked("evalset.yaml names no gold_document_field")
    known = {document.id for document in profile.draft.docs}
    named = [(example, str(example.metadata[field])) for example in profile.examples
             if example.metadata.get(field) is not None]  # fmt: skip
    if not named:
        return Found("fail", f"no example has metadata.{field}, which evalset.yaml names",
                     "write it into the examples, or delete gold_document_field")  # fmt: skip
    hits = [(example, f"metadata.{field} is {name!r}: {text_of(example.input)}") for example, name in named
            if name not in known]  # fmt: skip
    used = len({name for _, name in named} & known)
    todo = "write these documents into docs.jsonl, or correct the names"
    found = rows_found(profile, hits, (1e-12, 1e-12), ("name a document that is not in docs.jsonl", todo))
    figure = f"{found.figure}; {len(named):,} name one, and {used:,} of {several(len(known), 'document')} are named"
    return Found(found.gate, figure, found.todo, found.shown, found.rows)


# --- tools -----------------------------------------------------------------------------------------------------------


def tools_needed(profile: DataProfile) -> Found:
    """Find tools that no question needs."""
    names, called = _tools(profile)
    idle = [name for name in names if not called[name]]
    figure = f"{len(names) - len(idle):,} of {several(len(names), 'tool')} are needed by some question"
    if not idle:
        return Found("ok", figure, "", tuple(f"{name}: {several(called[name], 'call')}" for name in names[:SHOWN]))
    todo = "write questions that need these tools, or take them out of the tool file"
    return Found("warn", f"{figure}; never needed: {', '.join(idle[:SHOWN])}", todo, several_shown(idle))


def tools_there(profile: DataProfile) -> Found:
    """Find gold calls of tools that are not there."""
    names, _ = _tools(profile)
    all_names, hits = set(names), []
    for example in profile.examples:
        offered = {tool.name for tool in example.input.tools} if isinstance(example.input, Chat) else set()
        missing = [name for name in _called(example, profile) if name not in (offered or all_names)]
        if missing:
            hits.append((example, f"calls {missing[0]!r}: {text_of(example.input)}"))
    todo = "correct the name, or write the tool"
    return rows_found(profile, hits, (1e-12, 1e-12), ("call a tool that is not there", todo))


def _tools(profile: DataProfile) -> tuple[list[str], Counter[str]]:
    """Return the names of all tools, and how often each is called in an answer or in `metadata.calls`."""
    own = [tool.spec.name for tool in profile.draft.tools]
    offered = [tool.name for e in profile.examples if isinstance(e.input, Chat) for tool in e.input.tools]
    names = list(dict.fromkeys(own or offered))
    if not names:
        raise NotAsked("there are no tools")
    called = Counter(name for example in profile.examples for name in _called(example, profile))
    if not called:
        raise NotAsked("no example says which tools it needs (metadata.calls)")
    if not own:  # every example brings its own, and distractors among them are meant
        names = [name for name in names if called[name]]
    return names, called


def _called(example: Example, profile: DataProfile) -> list[str]:
    calls = example.metadata.get("calls")
    if isinstance(calls, list):
        return [str(call["name"]) for call in calls if isinstance(call, dict) and "name" in call]
    if profile.draft.metric.startswith("tool_call_match"):
        return [call.name for call in parse_calls(example.target)]
    return []


# --- metric ----------------------------------------------------------------------------------------------------------

SCORED = 1_000
GOLD, FLOOR, BLIND = 0.999, 0.5, 0.9


def gold_scores(profile: DataProfile) -> Found:
    """Is the right answer right? The target of each test example, scored by the metric."""
    examples, scores = _scored(profile, [example.target for example in _scorable(profile)])
    hits = [(example, f"scores {formats.percent(score)}: {example.target}") if score is not None
            else (example, f"cannot be scored: {example.target}")
            for example, score in zip(examples, scores, strict=True) if score is None or score < GOLD]  # fmt: skip
    known = [score for score in scores if score is not None]
    mean = formats.percent(fmean(known)) if known else formats.MISSING
    figure = f"{profile.draft.metric_name} gives the right answers of {several(len(examples), 'test example')} {mean}"
    if not hits:
        return Found("ok", figure)
    shown = tuple(f"{example.id}: {cut(text)}" for example, text in hits[:SHOWN])
    todo = "take another metric, or correct the targets: what scores the truth below 100% cannot rank anything"
    return Found("fail", f"{figure}; {len(hits):,} do not score 100%", todo, shown, tuple(e.id for e, _ in hits))


def shuffled_gold(profile: DataProfile) -> Found:
    """Is a wrong answer wrong? Each test example gets the right answer of another one that accepts another answer."""
    examples = _scorable(profile)
    order = list(range(len(examples)))
    random.Random(profile.settings.seed).shuffle(order)
    others = _others(examples, order)
    pairs = [(example, other) for example, other in zip(examples, others, strict=True) if other is not None]
    if not pairs:
        raise NotAsked("all test examples accept the same answer")
    _, scores = _scored(profile, [other for _, other in pairs], [example for example, _ in pairs])
    known = [score for score in scores if score is not None]
    if not known:
        return Found("unknown", "no answer of another example can be scored")
    mean = fmean(known)
    name = profile.draft.metric_name
    figure = f"{name} gives answers of other test examples {formats.percent(mean)}, where 0% to 50% is plausible"
    if mean <= FLOOR:
        return Found("ok", figure)
    shown = tuple(f"{row(example)} ← {cut(other, 60)}" for example, other in pairs[:SHOWN])
    todo = "the metric hardly looks at the question: take one that compares with its answer"
    return Found("fail" if mean >= BLIND else "warn", figure, todo, shown)


def _others(examples: Sequence[Example], order: Sequence[int]) -> list[str | None]:
    """Return for each example the target of the next one in `order` that shares no accepted answer with it."""
    targets = [normalise(example.target) for example in examples]
    truths = [example.metadata.get("ground_truth") for example in examples]
    found: list[str | None] = [None] * len(examples)
    for start, at in enumerate(order):
        own = answers_of(examples[at])
        for step in range(1, min(len(order), 200)):
            other = order[(start + step) % len(order)]
            if targets[other] not in own and (truths[at] is None or truths[other] != truths[at]):
                found[at] = examples[other].target
                break
    return found


def _scorable(profile: DataProfile) -> list[Example]:
    return list(profile.test[:SCORED])


def _scored(
    profile: DataProfile, outputs: Sequence[str], examples: Sequence[Example] = ()
) -> tuple[Sequence[Example], list[float | None]]:
    examples = examples or _scorable(profile)
    origin = profile.draft.origin
    if isinstance(origin, BroughtCode) and not origin.may_run and not is_registered("metrics", profile.draft.metric):
        raise NotAsked(f"{profile.draft.metric_name} is code of the eval set, which only advisor compare runs")
    metric = metrics.for_task(profile.draft.metric, profile.draft.as_task(), origin)
    try:
        return examples, [metric.score(output, one) for output, one in zip(outputs, examples, strict=True)]
    except AdvisorError:
        raise
    except Exception as error:
        raise AdvisorError(f"the metric broke: {type(error).__name__}: {error}") from error
