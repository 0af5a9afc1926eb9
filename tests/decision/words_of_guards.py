"""What the guards say: a statement and its sentence, for each kind."""

from __future__ import annotations

import math

from advisor.core.statement import Statement, say
from advisor.core.types import Interval

SHOWN = say("data.shows", n=500, detectable=0.056, margin=0.02)
SUSPECTS = say("leak.suspects", suspects=40, n=400)
WITHOUT = say("leak.without", suspects=SUSPECTS, other="rag", without=Interval(0.01, -0.02, 0.04), lead=0.2)
CONFLICTS = say("labels.conflicts", conflicting=0, share=0.0)
WRONG = say("labels.wrong", wrong=Interval(0.05, 0.03, 0.07), conflicts=CONFLICTS, rarest=None, commonest=None)
PARTS = say("skill.parts", tuned="fine_tuning", other="few_shot", rival="rag", lead=0.4,
            form=Interval(0.3, 0.2, 0.4), skill=Interval(0.1, -0.05, 0.2), n=300)  # fmt: skip
EXCLUDED = say("retention.excluded", margin=0.05, shows_from=0.021)

LOOKED_UP = say("retrieval.found", label="rag", shown=2, recall=Interval(0.9, 0.85, 0.94), n=300,
                more=(say("retrieval.text", share=0.25),))  # fmt: skip
LOOKED_UP_SAID = "rag showed 90% of the documents that 300 questions name (recall@2, 85% to 94%), 25% of their text"

SHOWN_SAID = (
    "500 test examples show differences from 5.6 points on; one as small as the margin of 2 points can go unseen"
)
SAID = "40 of 400 test questions (10%) have a near copy in train or dev"
LEFT = f"{SAID}; without them the lead over rag is 1 point (-2 to 4) and not 20 points"
WRONG_SAID = "about 5% of the training labels look wrong (3% to 7%); no training example contradicts another one"
PARTS_SAID = (
    "of the lead of 40 points over few_shot, 30 points (+20.0 to +40.0) are format and 10 points (-5.0 to +20.0) "
    "skill, against rag, on 300 test examples"
)
EXCLUDED_SAID = "a loss of 5 points is excluded, and losses from 2.1 points on show"

OF_GUARDS: list[tuple[Statement, str]] = [
    (say("guard.not_looked_at"), "not looked at"),
    (say("guard.not_asked_for"), "not looked at (--checks none)"),
    (say("guard.failed", reason="it broke"), "could not be looked at: it broke"),
    (say("guard.nothing_tuned"), "nothing was tuned"),
    (say("guard.look"), "Look at it"),
    (say("guard.look_closer"), "Look closer"),
    (say("baseline.how"),
     "Owed are few-shot and an optimised prompt with at least the budget of fine-tuning's own choice, retrieval where "
     "there are documents, function calling where there are tools, and constrained decoding where there is a schema; "
     "what is owed must have a score here."),
    (say("baseline.missing", scored=1, owed=3, missing=("rag", "few_shot"), budgets=()),
     "1 of 3 baselines that are owed have a score; missing: rag and few_shot"),
    (say("baseline.missing", scored=1, owed=2, missing=("optimised_prompt",), budgets=(
        say("baseline.small_budget", label="mine", calls=10, tuning_calls=204),)),
     "1 of 2 baselines that are owed have a score; missing: optimised_prompt; mine had only a budget of 10 calls (204 "
     "in fine-tuning's own choice)"),
    (say("baseline.held", against=("few_shot", "rag"), budgets=(
        say("baseline.budget", label="few_shot", calls=1300, tuning_calls=None),)),
     "held against few_shot, rag; few_shot had a budget of 1,300 calls"),
    (say("baseline.budget", label="rag", calls=300, tuning_calls=204),
     "rag had a budget of 300 calls (204 in fine-tuning's own choice)"),
    (say("baseline.small_budget", label="rag", calls=3, tuning_calls=None), "rag had only a budget of 3 calls"),
    (say("data.nothing_against", n=1500), "1,500 test examples, and nothing to hold against"),
    (say("data.few_clusters", clusters=4, needed=6),
     "4 test examples or groups of them can show nothing by themselves; at least 6 are needed"),
    (say("data.real", n=500, lead=0.2, other="rag"),
     "500 test examples: the 20 points over rag are more than chance"),
    (say("data.real", n=500, lead=-0.2, other="rag"),
     "500 test examples: the 20 points behind rag are more than chance"),
    (say("data.chance", lead=0.01, other="rag", shown=SHOWN), f"the 1 point over rag could be chance; {SHOWN_SAID}"),
    (SHOWN, SHOWN_SAID),
    (say("data.shows", n=500, detectable=0.01, margin=0.02),
     "500 test examples show differences from 1 point on, which is within the margin of 2 points"),
    (say("data.shows", n=500, detectable=None, margin=0.02),
     "500 test examples: the smallest difference they show is not known, the margin is 2 points"),
    (say("missing.too_many", shares=(("rag", 0.05), ("few_shot", 0.02)), allowed=0.01),
     "outcomes without a score: rag 5%, few_shot 2%; at most 1% is allowed"),
    (say("missing.few", share=0.004, allowed=0.01), "<1% of outcomes have no score; at most 1% is allowed"),
    (say("complete.too_many", shares=(("rag", 0.05), ("few_shot", 0.02)), allowed=0.01),
     "answers cut off for want of room: rag 5%, few_shot 2%; at most 1% is allowed"),
    (say("complete.few", share=0.0, allowed=0.01), "0% of answers were cut off; at most 1% is allowed"),
    (say("complete.remedy"), "Give the answers more room"),
    # --- retrieval
    (say("retrieval.how", needed=0.8),
     "Judged is the best strategy that looks up and was not tuned: at least 80% of the documents that the test "
     "questions name, and of the answers that stand in them word for word, must have been shown. What the right "
     "document would bring is bounded by a run that was given it."),
    (say("retrieval.no_documents"), "there are no documents to look anything up in"),
    (say("retrieval.nothing"), "no strategy that was not tuned says what it looked up"),
    (say("retrieval.no_gold", label="rag"),
     "whether rag found what was needed is not known: no test question names its document"),
    (say("retrieval.answers", share=0.9, n=1200), "90% of the 1,200 answers that stand in them word for word"),
    (say("retrieval.text", share=0.25), "25% of their text"),
    (say("retrieval.left_out", n=7), "for 7 questions not all that was found had room"),
    (LOOKED_UP, LOOKED_UP_SAID),
    (say("retrieval.low", found=LOOKED_UP, needed=0.8),
     f"{LOOKED_UP_SAID}; at least 80% is needed, else retrieval was not held against at its best"),
    (say("retrieval.parts", found=LOOKED_UP),
     f"{LOOKED_UP_SAID}; whether the part that was needed was among it is not known"),
    (say("retrieval.bounded", found=LOOKED_UP, margin=0.02),
     f"{LOOKED_UP_SAID}; with the right document it would gain less than the margin of 2 points"),
    (say("retrieval.right_document", label="rag", score=1.0, n=300, gain=Interval(0.6, 0.5, 0.7)),
     "given the right document rag scores 100% on 300 examples, 60 points (+50.0 to +70.0) more than with what it "
     "retrieved"),
    (say("retrieval.name_documents"),
     "Name in each test example the document its answer stands in, and in evalset.yaml gold_document_field"),
    (say("retrieval.remedy"), "Look at what was missed (`retrieved` in the JSON report), and show more"),
    # --- tune at its best
    (say("best.how"),
     "Judged is the tuned strategy, by the trials that it records: more than one recipe compared on dev, a learning "
     "rate that is not at the edge of those tried (or the search was widened there once), a loss on train that is low, "
     "and a dev score that has stopped rising."),
    (say("best.unknown"), "which recipes were tried is not known"),
    (say("best.one_recipe", label="fine_tuning"),
     "fine_tuning was trained with one recipe only, so nothing shows that it is fine-tuning at its best"),
    (say("best.tried", trials=5, epochs=12.0), "5 recipes were tried, 12 epochs in all"),
    (say("best.tried", trials=5, epochs=None), "5 recipes were tried"),
    (say("best.rate", rate=0.001, lowest=0.0003, highest=0.003, inside=True),
     "the best learning rate is 0.001, of those from 0.0003 to 0.003"),
    (say("best.rate", rate=0.003, lowest=0.0003, highest=0.003, inside=False),
     "the best learning rate is 0.003, of those from 0.0003 to 0.003: it is at the edge, and beyond it none was tried"),
    (say("best.rate_unknown"), "other learning rates were not tried"),
    (say("best.loss", first=2.0, last=0.04567, low=True), "the loss on train went from 2 to 0.0457"),
    (say("best.loss", first=2.0, last=1.9, low=False),
     "the loss on train went from 2 to 1.9: it learned too little of its own rows"),
    (say("best.loss_unknown"), "the loss on train is not known"),
    (say("best.rise", gain=0.05, epochs=6, rises=True),
     "after 6 epochs dev still rises (the last ones brought 5 points)"),
    (say("best.rise", gain=0.0, epochs=6, rises=False), "after 6 epochs dev has stopped rising"),
    (say("best.rise_unknown"), "whether dev still rises is not known"),
    (say("best.search"), "Search for its recipe"),
    (say("best.more_dev", n_dev=7, needed=20),
     "Give the eval set a dev split of at least 20 examples (it has 7), on which to choose a recipe"),
    # --- leak and labels
    (say("leak.how", checked="the same text"),
     "suspects are test questions with a neighbour in train or dev: the same text"),
    (say("leak.remedy"),
     "take the suspects, which the HTML and JSON reports list, out of train (or out of test) and compare again"),
    (say("leak.none", n=400), "none of 400 test questions has a near copy"),
    (say("leak.none_yet", reason="no embeddings"), "no suspect, but not all was looked at: no embeddings"),
    (SUSPECTS, SAID),
    (say("leak.suspects", suspects=1, n=400), "1 of 400 test questions (<1%) has a near copy in train or dev"),
    (say("leak.no_lead", suspects=SUSPECTS), f"{SAID}; there is no lead to compute again without them"),
    (say("leak.nothing_left", suspects=SUSPECTS), f"{SAID}; no example is left to compute the lead on"),
    (WITHOUT, LEFT),
    (say("leak.could_be_chance", without=WITHOUT), f"{LEFT}: that could be chance"),
    (say("leak.falls", without=WITHOUT, margin=0.02), f"{LEFT}: it falls by more than the margin of 2 points"),
    (say("leak.memory", without=WITHOUT), f"{LEFT}: only what was remembered explains it"),
    (say("leak.as_good_unsure", without=WITHOUT, chance=0.4),
     f"{LEFT}: a yes would rest on cost, and that tuning is as good has a chance of 40% only"),
    (say("leak.partly", without=WITHOUT, reason="no embeddings"), f"{LEFT}; not all was looked at: no embeddings"),
    (say("leak.within", without=WITHOUT), f"{LEFT}, which is within the margin"),
    (say("labels.how"),
     "the share of wrong labels is estimated by confident learning, from a classifier on embeddings that never saw the "
     "example; where labels overlap in meaning it is an upper figure"),
    (say("labels.read"),
     "read the suspicious labels and the conflicts that the HTML and JSON reports list, and correct what is wrong"),
    (say("labels.by_hand"),
     "have someone else answer a sample of the test questions, and see on how many the two disagree"),
    (CONFLICTS, "no training example contradicts another one"),
    (say("labels.conflicts", conflicting=6, share=0.06),
     "6 training examples (6%) ask what another one asks, with no accepted answer in common"),
    (say("labels.conflicting", conflicts=say("labels.conflicts", conflicting=6, share=0.06), allowed=0.05),
     "6 training examples (6%) ask what another one asks, with no accepted answer in common; at most 5% is allowed"),
    (say("labels.not_estimated", conflicts=CONFLICTS, reason="no closed labels"),
     "no training example contradicts another one; wrong labels are not estimated: no closed labels"),
    (WRONG, WRONG_SAID),
    (say("labels.wrong", wrong=Interval(0.05, 0.03, 0.07), conflicts=CONFLICTS, rarest=0.002, commonest=0.6),
     f"{WRONG_SAID}; the rarest label has <1% of train, the commonest 60%"),
    (say("labels.no_lead", wrong=WRONG), f"{WRONG_SAID}; there is no lead to hold them against"),
    (say("labels.below_the_margin", wrong=WRONG, margin=0.1), f"{WRONG_SAID}; fewer than the margin of 10 points"),
    (say("labels.hide_a_loss", wrong=WRONG, margin=0.02),
     f"{WRONG_SAID}; they can hide a loss as large as the margin of 2 points"),
    (say("labels.explain", wrong=WRONG, lead=0.02, other="rag"),
     f"{WRONG_SAID}; repeating them could by itself explain the lead of 2 points over rag"),
    (say("labels.may_explain", wrong=WRONG, lead=0.06, other="rag"),
     f"{WRONG_SAID}; they may be as many as the lead of 6 points over rag"),
    (say("labels.too_few", wrong=WRONG, lead=0.2, other="rag"),
     f"{WRONG_SAID}; too few to explain the lead of 20 points over rag"),
    # --- skill
    (say("skill.how", way=say("skill.any_form")),
     "every strategy was scored once more with its answers in the right form (labels or schema); the lead that is left "
     "is skill, the rest is format; paired bootstrap over test examples and seeds"),
    (say("skill.any_form"), "labels or schema"),
    (say("skill.constrained"), "held to labels or schema while they were written"),
    (say("skill.nothing_to_explain"), "there is no lead to explain"),
    (PARTS, PARTS_SAID),
    (say("skill.parts", tuned="fine_tuning", other="few_shot", rival="rag", lead=-0.05,
         form=Interval(0.0, 0.0, 0.0), skill=Interval(-0.1, -0.2, 0.01), n=300),
     "fine_tuning has no lead over few_shot that a format could explain (-5 points), and is at -10 points (-20.0 to "
     "+1.0) against rag once all answers are in form, on 300 test examples"),
    (say("skill.is_format", parts=PARTS),
     f"{PARTS_SAID}: form makes the difference, so buy structured output, not a tune"),
    (say("skill.unclear", parts=PARTS), f"{PARTS_SAID}; which of them it is cannot be told from so few"),
    (say("skill.other_way", way=say("said", text="fences stripped"), parts=PARTS),
     f"with fences stripped: {PARTS_SAID}"),
    (say("skill.free_text"),
     "the answers are free text, without labels or a schema they could be held to, so a better format cannot be told "
     "from better skill"),
    (say("skill.read"),
     "Look at where the strategies disagree; if the tuned answers are only put more briefly, it is format."),
    (say("skill.hold_to_form"), "Hold the answers to their form and compare again"),
    (say("skill.ask_in_form", rival="rag"),
     "Let rag ask with choices=task.labels or schema=task.schema, and compare again."),
    (say("skill.check_all"), "Check on all test examples"),
    # --- trainer
    (say("trainer.how"),
     "the mean loss of the last epoch against that of the first, for every seed; a training of 30 epochs on ten "
     "training rows alone, then asked for them; token ids of training prompts against those that are served; how the "
     "strategy begins a conversation against how its training rows begin"),
    (say("trainer.unknown"), "nothing is known of its training"),
    (say("trainer.loss_unknown"), "the loss of the epochs is not recorded, or there is one epoch only"),
    (say("trainer.loss", first=2.0, last=0.5, seed=1, fell=1, trainings=2),
     "the loss went from 2 to 0.5 (seed 1), and in 1 of 2 trainings it fell"),
    (say("trainer.rows_unknown", reason=""), "whether it can learn ten rows by heart is not known (not tried)"),
    (say("trainer.rows_unknown", reason="it broke"), "whether it can learn ten rows by heart is not known (it broke)"),
    (say("trainer.rows", share=0.5, needed=0.8),
     "50% of ten rows come back word for word after training on them alone (at least 80% are needed)"),
    (say("trainer.template_unknown"), "the tokens of its chat template cannot be seen from here"),
    (say("trainer.template", same=True), "the tokens of training and serving prompts are the same"),
    (say("trainer.template", same=False), "the tokens of training and serving prompts are not the same"),
    (say("trainer.asking_unknown"), "how it asks its tuned model was not seen"),
    (say("trainer.asking", same=True), "it is asked in the form it was trained on"),
    (say("trainer.asking", same=False),
     "it is asked with other turns, or another system text, than it was trained on"),
    (say("trainer.train_otherwise"),
     "Change learning_rate, epochs or rank, or serve it as it was trained, and compare again"),
    (say("trainer.train_here"),
     "Look at the training job at its provider, or tune on this machine (--model smollm2), where it can be seen."),
    # --- retention
    (say("retention.how"),
     "tuned and base model were asked the same questions, answers held to the choices where there are some; one-sided "
     "test of non-inferiority at 95% on the paired difference (Student's t, clustered standard error, an assumed "
     "spread between seeds of 1 point included; the exact bound where no answer changes); the smallest drop that is "
     "seen in 80 of 100 tries is printed"),
    (say("retention.kept", suite="retention", before=0.5, after=0.31, n=400, judged=EXCLUDED),
     f"general questions: 50% right before the tune and 31% after it, 19 points less, on 400; {EXCLUDED_SAID}"),
    (say("retention.kept", suite="refusals", before=0.5, after=0.5, n=400, judged=EXCLUDED),
     "questions that have no answer: 50% right before the tune and 50% after it, no change, on 400; " + EXCLUDED_SAID),
    (EXCLUDED, EXCLUDED_SAID),
    (say("retention.lost", margin=0.05, shows_from=0.021),
     "at most 5 points less is acceptable, and losses from 2.1 points on show"),
    (say("retention.nothing_to_lose", margin=0.05),
     "with less than 5 points right before, there is nothing to lose and nothing to learn from it"),
    (say("retention.unseen", margin=0.05, shows_from=0.08),
     "losses show from 8 points on, so one of 5 points can go unseen"),
    (say("retention.not_excluded", margin=0.05), "a loss of 5 points is not excluded"),
    (say("retention.no_questions"), "no general questions were asked"),
    (say("retention.ask"), "Ask questions that must still be answered"),
    (say("retention.bring"), "Bring questions that must still be answered"),
    (say("retention.bring_answerable"), "Bring questions that the base model can answer"),
    (say("retention.ask_more"), "Ask more questions"),
    (say("retention.train_gently"),
     "Train more gently (lower learning_rate, fewer epochs, smaller rank) or mix general rows into the training set, "
     "and compare again"),
    # --- consistency
    (say("consistency.how"),
     "an answer flips if its score goes to the other side of 0.5, or, in a task with labels, if another label is "
     "given; per test example the mean over the ways of asking again, tuned against alternative, paired bootstrap; a "
     "quantile of the waiting times has its order-statistic interval"),
    (say("consistency.alone", tuned="fine_tuning"),
     "fine_tuning was asked again, and there is nothing to hold it against"),
    (say("consistency.not_asked_again", tuned="fine_tuning"), "fine_tuning was not asked again"),
    (say("consistency.changes", tuned="fine_tuning", other="rag", gap=Interval(0.35, 0.3, 0.4), limit=0.1),
     "asked again, fine_tuning changes its answer 35 points more often than rag (+30.0 to +40.0, at most 10 points "
     "more is allowed)"),
    (say("consistency.flips", label="rag", condition="order", share=Interval(0.4, 0.3, 0.5), n=200, unchanged=""),
     "rag, demonstrations in another order: 40% of 200 answers flip (30% to 50%)"),
    (say("consistency.flips", label="rag", condition="sampling", share=Interval(0.0, -0.1, 0.1), n=200,
         unchanged="it asks no model"),
     "rag, sampled at temperature 0.7: 0% of 200 answers flip (0% to 10%), as it asks no model"),
    (say("consistency.served", label="rag", valid=Interval(0.9, 0.8, 0.95), form="is JSON",
         waits=(Interval(1.5, 1.2, math.inf), Interval(0.31, 0.2, 0.9)), load="in batches of 64"),
     "rag: 90% (80% to 95%) of its answers have the right form (each is JSON), waits p50, p95, p99 are 1.5 s (1.2 s to "
     "no limit), 310 ms (200 ms to 900 ms) in batches of 64"),
    (say("consistency.train_on_wordings"),
     "Train on several wordings of each question, or with more data, and compare again"),
    (say("consistency.ask_again"), "Ask again what was asked"),
    (say("consistency.ask_all_again"), "Ask all test examples again"),
    (say("consistency.add_test_examples"), "Add test examples: so few do not show how often it flips."),
]  # fmt: skip
