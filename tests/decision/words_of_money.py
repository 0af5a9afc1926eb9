"""What is said of the money: a statement and its sentence, for each kind."""

from __future__ import annotations

from advisor.core.statement import Statement, say

OF_MONEY: list[tuple[Statement, str]] = [
    (say("assumption.amount", unit="usd", ends=(), yours=False), "not given"),
    (say("assumption.amount", unit="count", ends=(500.0, 2000.0), yours=True), "500 to 2,000 (90% range) (yours)"),
    (say("assumption.amount", unit="points", ends=(0.03,), yours=True), "3 points (yours)"),
    (say("assumption.amount", unit="months", ends=(12.0,), yours=False), "12 months (default)"),
    (say("assumption.amount", unit="hours", ends=(40.0,), yours=True), "40 (yours)"),
    (say("assumption.amount", unit="factor", ends=(1.7,), yours=False), "1.7 times (default)"),
    (say("assumption.amount", unit="share", ends=(0.5,), yours=False), "50% (default)"),
    (say("assumption.amount", unit="usd", ends=(0.1, 0.5), yours=True), "$0.10 to $0.50 (90% range) (yours)"),
    (say("assumption.prices", source="genai-prices 1.0", yours=False), "genai-prices 1.0 (default)"),
    (say("assumption.prices", source="", yours=True), "given (yours)"),
    (say("assumption.trainings", sd_of_one=0.02, sd_of_more=0.01),
     "the score of a tuned strategy is taken to vary by 2 points (standard deviation) from one training to the next "
     "where one ran; where several did, 1 point weighs as one more training beside what was measured; both are "
     "guesses"),
    (say("assumption.unseen_examples"),
     "a share of about 1 in 1 + the number of test examples (or groups) may be of a kind that the test set did not "
     "show; each strategy may get these all right or all wrong"),
    (say("assumption.labels"), "paid by tuned strategies and trained classifiers only"),
    (say("assumption.retraining"), "repeats the measured fit; no new labels and no engineering hours"),
    (say("note.free_reaches_target", target=0.25, label="majority", score=0.3),
     "The quality that is needed, 25%, is below what costs nothing: majority scores 30% and its requests are free, so "
     "the target decides nothing."),
    (say("shutdown.own_weights"), "none: it runs on weights of your own (default)"),
    (say("shutdown.not_known"), "not known, so none is counted (default)"),
    (say("shutdown.passed", until="2026-10-23", source="a page, 2026-11-24"),
     "2026-10-23 has passed (a page, 2026-11-24); it answers, so it is not counted"),
    (say("shutdown.counted", until="2027-05-25", source="", only_months=5.98),
     "2027-05-25 (yours), so only 6.0 months count"),
    (say("shutdown.counted", until="2029-05-25", source="a page, 2026-11-24", only_months=None),
     "2029-05-25 (a page, 2026-11-24)"),
    (say("scenario.as_measured"), "as measured"),
    (say("scenario.by_batch"), "by batch"),
    (say("scenario.nothing_cached"), "nothing cached"),
    (say("scenario.unmerged_adapter"), "unmerged adapter"),
    (say("scenario.own_machine"), "a machine of its own"),
    (say("pricing.as_measured", merged=False), "priced as in the table above"),
    (say("pricing.as_measured", merged=True), "priced as in the table above; the adapter is merged into the weights"),
    (say("pricing.batch_discount", off=0.5), "50% off (yours); answers come within a day"),
    (say("pricing.batch_prices", source="genai-prices 1.0"),
     "batch prices of genai-prices 1.0; answers come within a day"),
    (say("pricing.all_input_fresh"), "all input is charged as if sent anew"),
    (say("pricing.slowdown", times=1.7, yours=False), "answers take 1.7 times as long, a default"),
    (say("pricing.slowdown", times=2.5, yours=True), "answers take 2.5 times as long, yours"),
    (say("pricing.around_the_clock", usd_per_hour=2.0, usd_per_month=1461.0),
     "$2.00 an hour around the clock, $1,461 a month, and nothing for each request"),
]  # fmt: skip
