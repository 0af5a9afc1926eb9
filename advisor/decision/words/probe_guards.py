"""What the guards found that rest on asking again, and on the training: skill, trainer, retention, consistency."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from advisor._util import formats
from advisor.core.types import Interval

# --- skill or format -------------------------------------------------------------------------------------------------


def _skill_how(*, way: str) -> str:
    return (
        f"every strategy was scored once more with its answers in the right form ({way}); the lead that is left is "
        "skill, the rest is format; paired bootstrap over test examples and seeds"
    )


def _any_form() -> str:
    return "labels or schema"


def _constrained() -> str:
    return "held to labels or schema while they were written"


def _nothing_to_explain() -> str:
    return "there is no lead to explain"


def _skill_parts(*, tuned: str, other: str, rival: str, lead: float, form: Interval, skill: Interval, n: int) -> str:
    """`form` and `skill`: the two parts of the lead; `skill` is against `rival`, the best of the others in form."""
    if lead <= 0.0:
        return (
            f"{tuned} has no lead over {other} that a format could explain ({formats.points(lead)}), and is at "
            f"{_points(skill)} against {rival} once all answers are in form, on {formats.count(n)} test examples"
        )
    return (
        f"of the lead of {formats.points(lead)} over {other}, {_points(form)} are format and {_points(skill)} skill, "
        f"against {rival}, on {formats.count(n)} test examples"
    )


def _points(one: Interval) -> str:
    return f"{formats.points(one.estimate)} ({formats.signed_ends(one.low, one.high)})"


def _is_format(*, parts: str) -> str:
    return f"{parts}: form makes the difference, so buy structured output, not a tune"


def _unclear(*, parts: str) -> str:
    return f"{parts}; which of them it is cannot be told from so few"


def _other_way(*, way: str, parts: str) -> str:
    return f"with {way}: {parts}"


def _free_text() -> str:
    return (
        "the answers are free text, without labels or a schema they could be held to, so a better format cannot be "
        "told from better skill"
    )


def _read() -> str:
    return "Look at where the strategies disagree; if the tuned answers are only put more briefly, it is format."


def _hold_to_form() -> str:
    return "Hold the answers to their form and compare again"


def _ask_in_form(*, rival: str) -> str:
    return f"Let {rival} ask with choices=task.labels or schema=task.schema, and compare again."


def _check_all() -> str:
    return "Check on all test examples"


# --- trainer worked --------------------------------------------------------------------------------------------------


def _trainer_how() -> str:
    return (
        "the mean loss of the last epoch against that of the first, for every seed; a training of 30 epochs on ten "
        "training rows alone, then asked for them; token ids of training prompts against those that are served; how "
        "the strategy begins a conversation against how its training rows begin"
    )


def _training_unknown() -> str:
    return "nothing is known of its training"


def _loss_unknown() -> str:
    return "the loss of the epochs is not recorded, or there is one epoch only"


def _loss(*, first: float, last: float, seed: int, fell: int, trainings: int) -> str:
    """`first` and `last`: the loss of those epochs in the training with this seed, the worst one."""
    seeds = f"in {formats.count(fell)} of {formats.count(trainings)} trainings it fell"
    return f"the loss went from {first:.3g} to {last:.3g} (seed {seed}), and {seeds}"


def _rows_unknown(*, reason: str) -> str:
    return f"whether it can learn ten rows by heart is not known ({reason or 'not tried'})"


def _rows(*, share: float, needed: float) -> str:
    return (
        f"{formats.percent(share)} of ten rows come back word for word after training on them alone (at least "
        f"{formats.percent(needed)} are needed)"
    )


def _template_unknown() -> str:
    return "the tokens of its chat template cannot be seen from here"


def _template(*, same: bool) -> str:
    return f"the tokens of training and serving prompts are {'the same' if same else 'not the same'}"


def _asking_unknown() -> str:
    return "how it asks its tuned model was not seen"


def _asking(*, same: bool) -> str:
    if same:
        return "it is asked in the form it was trained on"
    return "it is asked with other turns, or another system text, than it was trained on"


def _train_otherwise() -> str:
    return "Change learning_rate, epochs or rank, or serve it as it was trained, and compare again"


def _train_here() -> str:
    return "Look at the training job at its provider, or tune on this machine (--model smollm2), where it can be seen."


# --- retention -------------------------------------------------------------------------------------------------------


def _retention_how() -> str:
    return (
        "tuned and base model were asked the same questions, answers held to the choices where there are some; "
        "one-sided test of non-inferiority at 95% on the paired difference (Student's t, clustered standard error, an "
        "assumed spread between seeds of 1 point included; the exact bound where no answer changes); the smallest drop "
        "that is seen in 80 of 100 tries is printed"
    )


def _kept(*, suite: str, before: float, after: float, n: int, judged: str) -> str:
    words = {"retention": "general questions", "refusals": "questions that have no answer"}
    change = after - before
    way = "no change" if change == 0.0 else f"{formats.points(abs(change))} {'more' if change > 0 else 'less'}"
    shares = f"{formats.percent(before)} right before the tune and {formats.percent(after)} after it"
    return f"{words[suite]}: {shares}, {way}, on {formats.count(n)}; {judged}"


def _loss_excluded(*, margin: float, shows_from: float) -> str:
    return f"a loss of {formats.points(margin)} is excluded, and losses from {formats.points(shows_from)} on show"


def _too_much_lost(*, margin: float, shows_from: float) -> str:
    allowed = f"at most {formats.points(margin)} less is acceptable"
    return f"{allowed}, and losses from {formats.points(shows_from)} on show"


def _nothing_to_lose(*, margin: float) -> str:
    few = f"with less than {formats.points(margin)} right before"
    return f"{few}, there is nothing to lose and nothing to learn from it"


def _loss_unseen(*, margin: float, shows_from: float) -> str:
    return f"losses show from {formats.points(shows_from)} on, so one of {formats.points(margin)} can go unseen"


def _not_excluded(*, margin: float) -> str:
    return f"a loss of {formats.points(margin)} is not excluded"


def _no_questions() -> str:
    return "no general questions were asked"


def _ask_questions() -> str:
    return "Ask questions that must still be answered"


def _bring_questions() -> str:
    return "Bring questions that must still be answered"


def _bring_answerable() -> str:
    return "Bring questions that the base model can answer"


def _ask_more() -> str:
    return "Ask more questions"


def _train_gently() -> str:
    return (
        "Train more gently (lower learning_rate, fewer epochs, smaller rank) or mix general rows into the training "
        "set, and compare again"
    )


# --- consistency -----------------------------------------------------------------------------------------------------


def _consistency_how() -> str:
    return (
        "an answer flips if its score goes to the other side of 0.5, or, in a task with labels, if another label is "
        "given; per test example the mean over the ways of asking again, tuned against alternative, paired bootstrap; "
        "a quantile of the waiting times has its order-statistic interval"
    )


def _alone(*, tuned: str) -> str:
    return f"{tuned} was asked again, and there is nothing to hold it against"


def _not_asked_again(*, tuned: str) -> str:
    return f"{tuned} was not asked again"


def _changes(*, tuned: str, other: str, gap: Interval, limit: float) -> str:
    """`gap`: how much more often (share of repeated answers) it flips than the other."""
    more = f"{formats.points(abs(gap.estimate))} {'more' if gap.estimate >= 0 else 'less'} often than {other}"
    ends = f"{formats.signed_ends(gap.low, gap.high)}, at most {formats.points(limit)} more is allowed"
    return f"asked again, {tuned} changes its answer {more} ({ends})"


def _flips(*, label: str, condition: str, share: Interval, n: int, unchanged: str) -> str:
    """`unchanged`: why nothing could change, where that is so."""
    words = {
        "reworded": "reworded",
        "order": "demonstrations in another order",
        "sampling": "sampled at temperature 0.7",
        "seeds": "trained with another seed",
    }
    ends = formats.shares(max(0.0, share.low), share.high)
    told = f"{label}, {words[condition]}: {formats.percent(share.estimate)} of {formats.count(n)} answers flip ({ends})"
    return f"{told}, as {unchanged}" if unchanged else told


def _served(*, label: str, valid: Interval | None, form: str, waits: tuple[Interval, ...], load: str) -> str:
    """`form`: what the right form is; `waits`: the quantiles 0.5, 0.95 and 0.99, seconds; `load`: under which load."""
    parts = []
    if valid is not None:
        share, ends = formats.percent(valid.estimate), formats.shares(valid.low, valid.high)
        parts.append(f"{share} ({ends}) of its answers have the right form (each {form})")
    if waits:
        shown = [f"{_seconds(wait.estimate)} ({_seconds(wait.low)} to {_seconds(wait.high)})" for wait in waits]
        parts.append(f"waits p50, p95, p99 are {', '.join(shown)} {load}".strip())
    return f"{label}: {', '.join(parts)}"


def _seconds(value: float) -> str:
    if math.isinf(value):
        return formats.NO_LIMIT
    return f"{value:.1f} s" if value >= 0.95 else f"{value * 1000:.0f} ms"


def _train_on_wordings() -> str:
    return "Train on several wordings of each question, or with more data, and compare again"


def _ask_again() -> str:
    return "Ask again what was asked"


def _ask_all_again() -> str:
    return "Ask all test examples again"


def _add_test_examples() -> str:
    return "Add test examples: so few do not show how often it flips."


SENTENCES: Mapping[str, Callable[..., str]] = {
    "skill.how": _skill_how,
    "skill.any_form": _any_form,
    "skill.constrained": _constrained,
    "skill.nothing_to_explain": _nothing_to_explain,
    "skill.parts": _skill_parts,
    "skill.is_format": _is_format,
    "skill.unclear": _unclear,
    "skill.other_way": _other_way,
    "skill.free_text": _free_text,
    "skill.read": _read,
    "skill.hold_to_form": _hold_to_form,
    "skill.ask_in_form": _ask_in_form,
    "skill.check_all": _check_all,
    "trainer.how": _trainer_how,
    "trainer.unknown": _training_unknown,
    "trainer.loss_unknown": _loss_unknown,
    "trainer.loss": _loss,
    "trainer.rows_unknown": _rows_unknown,
    "trainer.rows": _rows,
    "trainer.template_unknown": _template_unknown,
    "trainer.template": _template,
    "trainer.asking_unknown": _asking_unknown,
    "trainer.asking": _asking,
    "trainer.train_otherwise": _train_otherwise,
    "trainer.train_here": _train_here,
    "retention.how": _retention_how,
    "retention.kept": _kept,
    "retention.excluded": _loss_excluded,
    "retention.lost": _too_much_lost,
    "retention.nothing_to_lose": _nothing_to_lose,
    "retention.unseen": _loss_unseen,
    "retention.not_excluded": _not_excluded,
    "retention.no_questions": _no_questions,
    "retention.ask": _ask_questions,
    "retention.bring": _bring_questions,
    "retention.bring_answerable": _bring_answerable,
    "retention.ask_more": _ask_more,
    "retention.train_gently": _train_gently,
    "consistency.how": _consistency_how,
    "consistency.alone": _alone,
    "consistency.not_asked_again": _not_asked_again,
    "consistency.changes": _changes,
    "consistency.flips": _flips,
    "consistency.served": _served,
    "consistency.train_on_wordings": _train_on_wordings,
    "consistency.ask_again": _ask_again,
    "consistency.ask_all_again": _ask_all_again,
    "consistency.add_test_examples": _add_test_examples,
}
