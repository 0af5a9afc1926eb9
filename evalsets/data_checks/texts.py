"""Are the texts whole: readable rows, undamaged characters, one language, no cut answers, no length out of line?"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from statistics import median

from advisor._util.batches import batches
from advisor.core.schemas import problem
from advisor.core.tokens import usual_tokens
from advisor.core.types import Chat, Example

from ..draft import SPLITS
from ..sameness import text_of
from .data_profile import SHOWN, DataProfile, Found, NotAsked, cut, rows_found, several

ANY = (1e-12, 2.0)
"""Gates of a check where one row is a warning and none is too many to go on."""
LONG, MANY_TIMES = 400, 10
"""A text is out of line where it has more than 400 characters and 10 times as many as the typical one."""


def readable(profile: DataProfile) -> Found:
    """Name the rows that cannot be read: empty targets, ids twice, unknown labels."""
    refused = profile.draft.refused
    if not refused:
        return Found("ok", "every row can be read")
    todo = "correct these rows, advisor compare stops at the first of them; --fix leaves out those that cannot be read"
    return Found("fail", f"{several(len(refused), 'row')} cannot be used", todo, tuple(refused[: 2 * SHOWN]))


def same_ids(profile: DataProfile) -> Found:
    """Find ids that stand in two splits."""
    counts = Counter(example.id for example in profile.examples)
    twice = [identity for identity, count in counts.items() if count > 1]
    figure = f"{several(len(twice), 'id')} {'stands' if len(twice) == 1 else 'stand'} in more than one split"
    if not twice:
        return Found("ok", figure)
    return Found(
        "fail", figure, "give every example an id of its own (--fix renames)", tuple(twice[:SHOWN]), tuple(twice)
    )


# --- answers ---------------------------------------------------------------------------------------------------------

_END = re.compile(r"[.!?:;)\]}\"'`*_>|\u2026\u3002\uff01\uff1f\u201d\u2019\u00bb-]\s*$")
_BARE_END = re.compile(
    r"\b(?:and|or|the|a|an|of|to|with|for|in|on|at|but|because|which|that|is|are|your|our)\s*$|,\s*$", re.I
)
SENTENCE_WORDS, ENDED = 6, 0.90
PILED, PILED_CHARACTERS = 4, 60


def cut_answers(profile: DataProfile) -> Found:
    """Find targets that stop in the middle: no full stop where nearly all have one, open brackets, one length."""
    if profile.draft.output == "json":
        raise NotAsked("targets are JSON; whether they are whole is checked as such")
    ends = [bool(_END.search(e.target)) for e in profile.examples if len(e.target.split()) >= SENTENCE_WORDS]
    convention = len(ends) >= 20 and sum(ends) / len(ends) >= ENDED
    lengths = Counter(len(example.target) for example in profile.examples)
    longest = max(lengths, default=0)
    piled = lengths[longest] >= PILED and longest >= PILED_CHARACTERS
    distinct = {example.target for example in profile.examples if len(example.target) == longest}
    hits = []
    for example in profile.examples:
        why = _cut(example.target, convention, longest if piled and len(distinct) >= PILED else 0)
        if why:
            hits.append((example, f"{why}: …{example.target[-60:]}"))
    todo = "write these answers out: a model learns to stop where they do"
    return rows_found(profile, hits, (1e-12, 0.05), ("have an answer that looks cut off", todo))


def _cut(target: str, convention: bool, longest: int) -> str:
    words = len(target.split())
    if target.count("```") % 2:
        return "a code fence is not closed"
    if words >= SENTENCE_WORDS and any(target.count(a) > target.count(b) for a, b in ("()", "[]", "{}", "“”")):
        return "a bracket is not closed"
    ended = bool(_END.search(target))
    if words >= SENTENCE_WORDS and not ended and (convention or _BARE_END.search(target)):
        return "no end of a sentence"
    if longest and len(target) == longest and not ended:
        return f"one of many with exactly {longest} characters"
    return ""


def json_answers(profile: DataProfile) -> Found:
    """Find targets that are not JSON, or do not follow the schema."""
    if profile.draft.output != "json":
        raise NotAsked("targets are texts")
    hits = []
    for example in profile.examples:
        try:
            value = json.loads(example.target)
        except (ValueError, RecursionError) as error:
            hits.append((example, f"not JSON: {error}: {example.target}"))
            continue
        if profile.draft.schema is not None and (wrong := problem(value, profile.draft.schema)):
            hits.append((example, f"does not follow the schema: {wrong}"))
    schema = " or do not follow the schema" if profile.draft.schema is not None else ""
    return rows_found(
        profile, hits, (1e-12, 1e-12), (f"have a target that is no JSON{schema}", "correct these targets")
    )


# --- lengths ---------------------------------------------------------------------------------------------------------


def lengths(profile: DataProfile) -> Found:
    """Find inputs and targets that are far longer than the typical one, and inputs of no words."""
    asked = [len(text_of(example.input)) for example in profile.examples]
    told = [len(example.target) for example in profile.examples]
    typical = median(asked or [0]), median(told or [0])
    hits = []
    for example, first, second in zip(profile.examples, asked, told, strict=True):
        if first > max(LONG, MANY_TIMES * typical[0]):
            hits.append(
                (example, f"input of {first:,} characters, typical are {typical[0]:,.0f}: {text_of(example.input)}")
            )
        elif second > max(LONG, MANY_TIMES * typical[1]):
            hits.append((example, f"target of {second:,} characters, typical are {typical[1]:,.0f}: {example.target}"))
        elif not any(mark.isalnum() for mark in text_of(example.input)):
            hits.append((example, f"input without a word: {text_of(example.input)!r}"))
    todo = "read them: pasted logs, whole threads and empty questions are seldom meant"
    return rows_found(profile, hits, ANY, ("are out of line in length", todo))


def context(profile: DataProfile) -> Found:
    """Find examples that do not fit into what a model reads at once, together with the instruction."""
    room, count = profile.settings.context_tokens, profile.settings.count_tokens
    hits, longest = [], 0
    for some in batches(profile.examples):
        texts = [f"{profile.draft.instruction}\n{_read(example)}" for example in some]
        for example, tokens in zip(some, (count or usual_tokens)(texts), strict=True):
            longest = max(longest, tokens)
            if tokens > room:
                hits.append((example, f"{'' if count else 'about '}{tokens:,} tokens"))
    found = rows_found(
        profile, hits, (1e-12, 1e-12),
        (f"are longer than {room:,} tokens with instruction and answer",
         "shorten them, or take a model that reads more (--context-tokens says how much it reads)"),
    )  # fmt: skip
    told = f"{longest:,}" if count else f"about {longest:,} (4 bytes a token)"
    return Found(found.gate, f"{found.figure}; the longest has {told}", found.todo, found.shown, found.rows)


def _read(example: Example) -> str:
    """All that a model reads and writes of an example."""
    tools = example.input.tools if isinstance(example.input, Chat) else ()
    described = [f"{one.description} {json.dumps(dict(one.parameters))}" for one in tools]
    return "\n".join([*described, str(example.input), example.target])


# --- characters and languages ----------------------------------------------------------------------------------------

_ESCAPES = re.compile(
    r"&(?:amp|lt|gt|quot|nbsp|#\d{2,5}|#x[0-9a-fA-F]{2,5});|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|%[CE][0-9A-F]%"
)
_INVISIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd\ufffe\uffff\ue000-\uf8ff]")
_MOJIBAKE = re.compile("[\u00c2-\u00f4][^\x00-\x7f]")
"""How two bytes of UTF-8 look in Windows-1252: an accented letter, and another mark that is not ASCII."""


def encoding(profile: DataProfile) -> Found:
    """Find damaged characters: UTF-8 read as Windows-1252, replacement and control characters, HTML entities."""
    hits = []
    for example in profile.examples:
        for text in (text_of(example.input), example.target):
            if why := damage(text):
                hits.append((example, f"{why}: {text}"))
                break
    hits += [(Example(document.id, document.text, ""), f"document, {why}") for document in profile.draft.docs
             if (why := damage(document.text))]  # fmt: skip
    todo = "read the source again as UTF-8 and unescape it; --fix repairs what can be told without doubt"
    return rows_found(profile, hits, (1e-12, 0.05), ("hold damaged characters", todo))


def damage(text: str) -> str:
    """Say what is wrong with the characters of a text, or nothing."""
    if not text.isascii():
        if bad := _INVISIBLE.search(text):
            return f"the character U+{ord(bad[0]):04X}"
        if _MOJIBAKE.search(text) and repaired(text) != text:
            return "UTF-8 read as Windows-1252"
    elif bad := _INVISIBLE.search(text):
        return f"the control character U+{ord(bad[0]):04X}"
    if ("&" in text or "\\" in text or "%" in text) and (found := _ESCAPES.search(text)):
        return f"escaped as {found[0]}"
    return ""


def repaired(text: str) -> str:
    """Return a text with what is surely damaged mended: one layer of UTF-8 read as Windows-1252, and HTML entities."""
    import html

    if _MOJIBAKE.search(text):
        for codec in ("cp1252", "latin-1"):
            try:
                text = text.encode(codec).decode("utf-8")
                break
            except (UnicodeEncodeError, UnicodeDecodeError):
                continue
    return html.unescape(text) if _ESCAPES.search(text) else text


WORDS = {
    "English": "the and is to of you my it i for have not with that this can are was what do",
    "German": "der die das und ist nicht ich sie mit ein eine zu den auf für von wie bitte mein haben",
    "French": "le la les et est je vous une pas pour que dans des mon avec sur il au ce qui",
    "Spanish": "el los las y es por una que no con para mi se del como está lo yo su al",
    "Italian": "il gli e è non che una mi con del come sono la ho di questo nel da più",
    "Portuguese": "o os as e é não que para uma com do da em meu como por eu um está você",
    "Dutch": "de het een en is niet ik van op met dat mijn voor zijn aan heb kan wat hoe je",
    "Polish": "i w nie na z do się jest że jak to mój po za czy od mam dla nas co",
}
_OWN = {
    word: name for name, words in WORDS.items() for word in words.split()
    if sum(word in other.split() for other in WORDS.values()) == 1
}  # fmt: skip
_WORD = re.compile(r"[^\W\d_]+")
LEAST_WORDS, STRAY, SPOKEN = 5, 0.20, 0.12


def language(profile: DataProfile) -> Found:
    """Find inputs in another language or script than most, told by their commonest words and their letters."""
    told = {split: Counter[str]() for split in SPLITS}
    spoken: list[tuple[Example, str]] = []
    for example, split in zip(profile.examples, profile.split_of, strict=True):
        if name := language_of(text_of(example.input)):
            told[split][name] += 1
            spoken.append((example, name))
    if len(spoken) < 20:
        raise NotAsked("too few inputs are long enough to tell their language")
    counts = Counter(name for _, name in spoken)
    main = counts.most_common(1)[0][0]
    large = {name for name, count in counts.items() if count / len(spoken) >= STRAY}
    strays = [(example, f"{name}: {text_of(example.input)}") for example, name in spoken if name not in large]
    untrained = sorted(name for name in told["test"] if told["test"][name] >= 3 and not told["train"][name])
    figure = f"{counts[main]:,} of {len(spoken):,} inputs whose language can be told are {main}"
    if untrained:
        todo = "write training examples in these languages, or take them out of test"
        return Found("fail", f"{figure}; test has {', '.join(untrained)}, train has none", todo)
    if not strays:
        return Found("ok", figure)
    shown = tuple(f"{example.id}: {cut(text)}" for example, text in strays[:SHOWN])
    todo = "leave them out, or have enough of each language in every split"
    return Found("warn", f"{figure}; {len(strays):,} are in another one", todo, shown, tuple(e.id for e, _ in strays))


def language_of(text: str) -> str:
    """Return the language of a text, or its script where that is not Latin; empty where it cannot be told."""
    if not text.isascii():
        script = _script(text)
        if script != "Latin":
            return f"{script} script" if script else ""
    words = _WORD.findall(text.lower())
    hits = Counter(_OWN[word] for word in set(words) if word in _OWN)
    if len(words) < LEAST_WORDS or not hits:
        return ""
    (name, most), *others = hits.most_common(2)
    clear = most >= 2 * (others[0][1] if others else 0) and most >= SPOKEN * len(set(words))
    return name if most >= 2 and clear else ""


def _script(text: str) -> str:
    """Return the script that most letters of a text are in; empty without letters."""
    letters = [mark for mark in text[:400] if mark.isalpha()]
    counts = Counter(unicodedata.name(mark, "?").partition(" ")[0].partition("-")[0].capitalize() for mark in letters)
    return counts.most_common(1)[0][0] if counts else ""


# --- leftovers -------------------------------------------------------------------------------------------------------

_LEFTOVERS = re.compile(
    r"\b(?:TODO|FIXME|TBD|XXX|lorem ipsum|asdf+)\b|\{\{[^}]{0,60}\}\}|<(?:insert|placeholder|your)[ _-][^>]{0,40}>"
    r"|\bas an ai(?: language)? model\b|\[(?:insert|placeholder|your)[ _-][^\]]{0,40}\]", re.I,
)  # fmt: skip


def leftovers(profile: DataProfile) -> Found:
    """Find marks of unfinished writing: TODO, template fields, a model talking about itself."""
    hits: Iterator[tuple[Example, str]] = (
        (example, f"{found[0]}: {text}")
        for example in profile.examples
        for text in (f"{text_of(example.input)} → {example.target}",)
        if (found := _LEFTOVERS.search(text))
    )
    return rows_found(profile, list(hits), ANY, ("hold marks of unfinished writing", "finish these rows"))
