"""The words of a verdict: the sentence that each kind of statement makes, and no statement without one."""

from __future__ import annotations

import ast
import inspect
import math
from pathlib import Path

import pytest

from advisor.core.statement import Action, Statement, say
from advisor.core.types import Interval
from advisor.decision.words import SENTENCES, instruction, sentence
from tests.decision.words_of_guards import OF_GUARDS, SHOWN, SHOWN_SAID
from tests.decision.words_of_money import OF_MONEY

ROOT = Path(__file__).parents[2]
NEEDED = say("reason.needed", yes=0.975, no=0.9, netted=False, look=1)
PATH = say("curve.path", smallest=50, first=0.4, largest=400, last=0.5)
GAIN = Interval(240.0, 200.0, 280.0)

TABLE: list[tuple[Statement, str]] = [
    *OF_GUARDS,
    *OF_MONEY,
    (say("said", text="it broke"), "it broke"),
    # --- headlines
    (say("headline.gaps", parts=(say("gap.failed", label="fine_tuning", why="no"), say("gap.no_score", label="rag"))),
     "A contender is missing: fine_tuning failed as a whole (no); rag has no score, as none of its answers could be "
     "given one in every run. The rest is about the others only."),
    (say("gap.failed", label="rag", why=""), "rag failed as a whole"),
    (say("gap.no_score", label="rag"),
     "rag has no score, as none of its answers could be given one in every run"),
    (say("gap.broke_off", label="rag", runs=1, why="no"), "rag broke off in 1 run (no)"),
    (say("gap.broke_off", label="rag", runs=2, why=""), "rag broke off in 2 runs"),
    (say("headline.nothing_tuned"),
     "Not yet: no fine-tuned strategy has a score here, so there is nothing to decide on."),
    (say("headline.nothing_against", tuned="fine_tuning"), "Not yet: fine_tuning has nothing to be held against."),
    (say("headline.withheld", leaning="", broken=(SHOWN, say("leak.none", n=9))),
     f"Not yet: the evidence leans to fine-tuning, but {SHOWN_SAID}; none of 9 test questions has a near copy."),
    (say("headline.withheld", leaning="rag", broken=(say("guard.not_looked_at"),)),
     "Not yet: the evidence leans to rag, but not looked at."),
    (say("headline.brings_more", tuned="fine_tuning", other="rag", gain_usd=240.0, months=12.0, chance=0.995),
     "Fine-tune: fine_tuning brings $240.00 more than rag over 12 months, best in >99% of draws."),
    (say("headline.better_and_not_dearer", tuned="fine_tuning", rival="rag", lead=0.2),
     "Fine-tune: fine_tuning is 20 points better than rag and costs no more per request."),
    (say("headline.saving_pays", tuned="fine_tuning", margin=0.02, months=12.0),
     "Fine-tune: fine_tuning is not worse than the margin of 2 points and its saving pays it back within 12 months."),
    (say("headline.other_pays", instead="rag", tuned="fine_tuning", chance=0.0, gain_usd=-50.0, months=12.0),
     "Do not fine-tune: rag is the better buy; fine_tuning is the best in 0% of draws, and would lose $50.00 over 12 "
     "months."),
    (say("headline.other_pays", instead="rag", tuned="fine_tuning", chance=0.04, gain_usd=5.0, months=12.0),
     "Do not fine-tune: rag is the better buy; fine_tuning is the best in 4% of draws."),
    (say("headline.other_is_better", instead="rag", tuned="fine_tuning", lead=0.1),
     "Do not fine-tune: rag is 10 points better than fine_tuning, and not dearer."),
    (say("headline.other_is_as_good", instead="rag", tuned="fine_tuning", margin=0.02),
     "Do not fine-tune: rag is at most 2 points worse than fine_tuning (the margin), and not dearer."),
    (say("headline.toss_up", chance=0.57, needed=0.975),
     "Not yet: fine-tuning is the best buy in 57% of draws; a yes needs 97.5%."),
    (say("headline.needs_a_value", usd=0.0031, lead=None, once=True),
     "Not yet: fine-tuning is worth it if a correct answer is worth more than $0.0031, that is 31 cents per 100."),
    (say("headline.needs_a_value", usd=0.00042, lead=0.01, once=False),
     "Not yet: if the measured 1 point hold, fine-tuning is worth it if a correct answer is worth more than $0.00042, "
     "that is 4.2 cents per 100, its one-off cost not counted as no volume was given."),
    (say("headline.price_unknown", tuned="fine_tuning", other="rag"),
     "Not yet: what fine_tuning or rag costs is unknown."),
    (say("headline.not_surely", tuned="fine_tuning", volume_given=True),
     "Not yet: fine_tuning is better and its requests are not dearer, but not surely enough."),
    (say("headline.not_surely", tuned="fine_tuning", volume_given=False),
     "Not yet: fine_tuning is better and its requests are not dearer, but not surely enough; your volume would tell if "
     "it pays back."),
    (say("headline.data", shown=SHOWN), f"Not yet: {SHOWN_SAID}."),
    # --- reasons
    (say("reason.scored", scored=2, strategies=3, tuned=0), "2 of 3 strategies have a score, 0 of them fine-tuned."),
    (say("reason.best_so_far", label="rag", score=0.6, n=500), "The best so far is rag with 60% on 500 test examples."),
    (say("reason.at_hand", n_train=400, n_test=1500), "400 training and 1,500 test examples are at hand."),
    (say("reason.lost", outcomes=7), "7 outcomes have no score."),
    (say("reason.quality", tuned="fine_tuning", other="rag", ours=0.8, theirs=0.6, n=500,
         lead=Interval(0.2, 0.15, 0.25), real=True),
     "fine_tuning scores 80% and rag 60% on 500 test examples: 20 points more (+15.0 to +25.0, all strategies at "
     "once), really better."),
    (say("reason.quality", tuned="fine_tuning", other="rag", ours=0.59, theirs=0.6, n=500,
         lead=Interval(-0.01, -0.03, 0.01), real=False),
     "fine_tuning scores 59% and rag 60% on 500 test examples: 1 point less (-3.0 to +1.0, all strategies at once), a "
     "difference that could be chance."),
    (say("reason.cost", tuned="fine_tuning", other="rag", ours=0.029, theirs=None, once=640.0),
     "1,000 requests cost $0.029 with fine_tuning and an unknown sum with rag; fine_tuning costs $640.00 once."),
    (NEEDED, "a yes needs 97.5%, a no 90%"),
    (say("reason.needed", yes=0.995833, no=0.9, netted=True, look=3),
     "a yes needs 99.58%, a no at most 10%; third look at a growing test set"),
    (say("reason.gain", tuned="fine_tuning", other="rag", chance=0.94, needed=NEEDED, gain=GAIN),
     "After all costs fine_tuning is the best in 94% of draws (a yes needs 97.5%, a no 90%); its gain over rag is "
     "$240.00 ($200.00 to $280.00)."),
    (say("reason.chances", tuned="fine_tuning", instead="rag", margin=0.02, needed=NEEDED, chances=(
        ("better", 0.6), ("better_and_not_dearer", 0.5), ("cheaper_and_as_good", 0.3), ("needless", 0.0))),
     "Chances that fine_tuning beats all others by more than 2 points: 60%; does so at no higher price than the best "
     "of them: 50%; is as good and paid back by its saving: 30%; is needless beside rag: 0% (a yes needs 97.5%, a no "
     "90%)."),
    (say("reason.any_value", lead=None),
     "It is worth it at any value of a correct answer from $0 on, as it is not dearer."),
    (say("reason.any_value", lead=0.03),
     "If the measured 3 points hold, it is worth it at any value of a correct answer from $0 on, as it is not dearer."),
    (say("reason.value", usd=Interval(0.0031, 0.002, 0.005), lead=None, once=True),
     "It is worth it if a correct answer is worth more than $0.0031, that is 31 cents per 100 (between $0.0020 and "
     "$0.0050)."),
    (say("reason.value", usd=Interval(0.0031, 0.002, math.inf), lead=0.03, once=True),
     "If the measured 3 points hold, it is worth it if a correct answer is worth more than $0.0031, that is 31 cents "
     "per 100 (at least $0.0020, and no limit upwards)."),
    (say("reason.pay_back", never=1.0, volume=None, months=None, on_cost_alone=True),
     "On cost alone, no volume pays in 100% of draws."),
    (say("reason.pay_back", never=0.7, volume=1200.0, months=4.0, on_cost_alone=False),
     "No volume pays in 70% of draws; in the others it pays from 1,200 requests a month on."),
    (say("reason.pay_back", never=0.1, volume=0.5, months=None, on_cost_alone=False),
     "It pays from the first request on; no volume pays in 10% of draws."),
    (say("reason.pay_back", never=0.1, volume=1200.0, months=4.0, on_cost_alone=False),
     "It pays from 1,200 requests a month on; no volume pays in 10% of draws; at your volume it is paid back after 4 "
     "months."),
    (say("reason.pay_back", never=0.1, volume=1200.0, months=0.05, on_cost_alone=False),
     "It pays from 1,200 requests a month on; no volume pays in 10% of draws; at your volume it is paid back in less "
     "than 0.1 months."),
    (say("reason.broken", guard="no leak", found=say("guard.not_looked_at")), "Does not hold, no leak: not looked at."),
    (say("reason.data", shown=SHOWN), f"{SHOWN_SAID}."),
    (say("note.later_look", look=3, sizes=(100, 200), needed=0.995833, first=0.975, wider=True),
     "Third look at a growing test set (100 and 200 test examples before): a yes needs 99.58% instead of 97.5%, and "
     "the brackets of the leads are wider, so that looking often does not make a false yes likelier."),
    (say("note.later_look", look=2, sizes=(100,), needed=0.98, first=0.975, wider=False),
     "Second look at a growing test set (100 test examples before): a yes needs 98% instead of 97.5%, so that looking "
     "often does not make a false yes likelier."),
    # --- turning points
    (say("turn.input", name="horizon", unit="months", at=3.0, above=True, now=12.0),
     "Horizon: tuning pays above 3 months (now 12 months)."),
    (say("turn.input", name="retraining", unit="count", at=4.0, above=False, now=0.0),
     "Retraining: tuning pays below 4 times a year (now 0 times a year)."),
    (say("turn.input", name="engineering", unit="hours", at=40.0, above=False, now=0.0),
     "Engineering: tuning pays below 40 hours (now 0 hours)."),
    (say("turn.price", at=1.5, above=False),
     "Price of requests and training: tuning pays below 1.5 times what it is now."),
    (say("turn.value", at=0.00042, above=True, yours=(0.001,)),
     "Value of a correct answer: tuning pays above $0.00042 (yours: $0.0010)."),
    (say("turn.value", at=0.00042, above=True, yours=()),
     "Value of a correct answer: tuning pays above $0.00042 (yours: not given)."),
    (say("turn.volume", at=900.0, above=True, yours=(500.0, 2000.0)),
     "Volume: tuning pays above 900 requests a month (yours: 500 to 2,000 (90% range))."),
    (say("turn.value_allowed", at=0.002, yours=()),
     "Value of a correct answer: tuning, cheaper and worse, pays below $0.0020 (yours: not given)."),
    (say("turn.lead", at=0.084, now=0.2, other="rag"),
     "Quality: tuning pays from a lead of 8.4 points over rag on (measured: 20 points)."),
    (say("turn.margin", at=0.04, now=0.02), "Margin: better by more than the margin up to 4 points (yours: 2 points)."),
    (say("turn.margin_as_good", at=0.04, now=0.02, tuned="fine_tuning"),
     "Margin: fine_tuning, which costs less, counts as no worse from 4 points on (yours: 2 points)."),
    (say("turn.margin_needless", at=0.04, now=0.02, instead="rag"),
     "Margin: rag counts as no worse from 4 points on (yours: 2 points)."),
    (say("turn.more_labels", more=500.0, tuned="fine_tuning", rival="rag", size=Interval(900, 500, 1500), never=0.1),
     "Labels: 500 more examples would bring fine_tuning above rag by its learning curve (500 to 1,500 in all; not "
     "within reach in 10% of draws)."),
    (say("turn.contest"), "A fine-tuned strategy and one that is not, both with a score: 1 of each is enough."),
    (say("turn.price_missing", lead=0.2),
     "The price that is missing: without it no flip point is known; tuning is 20 points ahead."),
    (say("turn.none", lead=-0.7),
     "No flip point was found for value, volume or margin: tuning is 70 points behind."),
    # --- steps
    (say("next.run_tuned"), "Run a fine-tuned strategy"),
    (say("next.run", names=("few_shot", "rag")), "Run few_shot and rag"),
    (say("next.run_again"), "Run it again, only what failed is asked anew"),
    (say("next.confirm"), "Confirm it with more trainings before it goes live"),
    (say("next.use", label="rag"), "Use rag, and ask again when labels, volume or models change"),
    (say("next.state_prices", file=""),
     "Write what the model charges under economics: prices: and tuned_prices: in a comparison file (advisor init "
     "comparison comparison.yaml)"),
    (say("next.state_prices", file="mine.yaml"),
     "Write what the model charges under economics: prices: and tuned_prices: in a comparison file, mine.yaml"),
    (say("next.state_amounts"), "Say what a correct answer is worth and how many requests there are"),
    (say("next.best", what=say("step.seed", seeds=3), usd=1.5, worth_usd=3.0, decides=0.4,
         basis=say("basis.like_trainings")),
     "Train once more, with 3 seeds in all: worth $3.00, costs $1.50, decides in 40% of cases (a training costs what "
     "the measured ones did, and seeds differ as far as is known from them)"),
    (say("next.best", what=say("step.strategy", name="rag"), usd=1.5, worth_usd=None, decides=None,
         basis=say("said", text="ours")), "Run rag: costs $1.50 (ours)"),
    (say("next.nothing_decides", now="rag"),
     "No single step is likely to decide; rag is the choice now. Ask again when labels, volume or models change"),
    (say("next.nothing_pays", evpi_usd=41.0, ahead="rag", now="rag"),
     "No step is worth its price: to know all for sure would bring $41.00, and rag is the better expected choice now. "
     "Ask again when labels, volume or models change"),
    (say("next.nothing_pays", evpi_usd=41.0, ahead="fine_tuning", now="rag"),
     "No step is worth its price: to know all for sure would bring $41.00. fine_tuning is expected to bring more, but "
     "a check does not hold, so that rag is the choice now. Ask again when labels, volume or models change"),
    (say("step.test_examples", more=2200, to_label=2200), "2,200 more test examples (to be labelled)"),
    (say("step.test_examples", more=2200, to_label=80), "2,200 more test examples (80 of them to be labelled)"),
    (say("step.test_examples", more=50, to_label=0), "50 more test examples (at hand, left out by the limit)"),
    (say("step.seed", seeds=3), "train once more, with 3 seeds in all"),
    (say("step.labels", more=400, total=800), "400 more training examples (800 in all)"),
    (say("step.strategy", name="rag"), "run rag"),
    (say("step.find_out", name="value"), "find out more closely what a correct answer is worth"),
    (say("step.find_out", name="volume"), "find out more closely how many requests there are"),
    (say("basis.like_those", n=500, usd_per_label=None), "they are like the 500 at hand; calls as measured"),
    (say("basis.like_those", n=500, usd_per_label=0.0),
     "they are like the 500 at hand; labels counted as free, calls as measured"),
    (say("basis.curve_holds", usd_per_label=0.5), "the learning curve holds; labels at your price, calls as measured"),
    (say("basis.like_trainings"),
     "a training costs what the measured ones did, and seeds differ as far as is known from them"),
    (say("basis.assumed_lift", lift=0.03, sd=0.06, other="rag"),
     "assumed, not measured: 3 points better than rag, give or take 6 points, at its price"),
    (say("basis.known_after", hours=1.0), "it is known exactly afterwards, after 1 hour of work"),
    # --- curves
    (say("curve.few_sizes", sizes=0),
     "Only 3 training sizes or more make a curve, and no training size has a score here."),
    (say("curve.few_sizes", sizes=2), "Only 3 training sizes or more make a curve, and 2 sizes have a score here."),
    (say("curve.one_group"), "All test examples belong to one group, so nothing can be said of other ones."),
    (say("curve.all_right"),
     "Every answer was right at every size: more training examples have nothing left to bring here."),
    (say("curve.all_wrong"), "No answer was right at any size: there is no curve to see yet."),
    (PATH, "from 40% at 50 training examples to 50% at 400"),
    (say("curve.falls", path=PATH),
     "The score falls as examples are added, from 40% at 50 training examples to 50% at 400. No curve that rises fits "
     "it, so nothing is said of more: look at the newest labels and at what is chosen on dev first."),
    (say("curve.no_rise", path=PATH),
     "No rise can be told from chance, from 40% at 50 training examples to 50% at 400: what is said beyond is little "
     "more than a guess."),
    (say("curve.scatter", times=3.2),
     "The points scatter about 3 times as much as chance would have them: the band is wide."),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "words"), TABLE, ids=[statement.key for statement, _ in TABLE])
def test_a_statement_in_words(statement: Statement, words: str) -> None:
    assert sentence(statement) == words


def test_every_kind_of_statement_stands_in_the_table() -> None:
    assert {statement.key for statement, _ in TABLE} == set(SENTENCES)


def test_an_action_ends_with_the_line_to_type() -> None:
    assert instruction(Action(say("guard.look"), "advisor compare mine")) == "Look at it: advisor compare mine"
    assert instruction(Action(say("labels.by_hand"))) == sentence(say("labels.by_hand"))


def test_whatever_is_said_in_the_code_has_words_that_take_its_values() -> None:
    calls = [
        node
        for room in ("decision", "economics")
        for path in (ROOT / "advisor" / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say"
    ]
    said = set()
    for call in calls:
        assert isinstance(call.args[0], ast.Constant), ast.unparse(call)
        key = str(call.args[0].value)
        said.add(key)
        assert {keyword.arg for keyword in call.keywords} == set(inspect.signature(SENTENCES[key]).parameters), key
    assert said == set(SENTENCES), "words that nobody says"
