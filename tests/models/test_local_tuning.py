"""Training really trains: it overfits a few rows, equals plain peft, resumes, and leaves the base model alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from advisor.core.model import TuningConfig, TuningExample, TuningJob
from advisor.core.types import Message, ToolCall
from advisor.models.local.chat import call_text

if TYPE_CHECKING:
    from advisor.models.local.model import LocalModel
from tests.models.tuning_jobs import PAIRS, answers, job, learned, part_of

pytestmark = [
    pytest.mark.weights,
    # peft 0.21 asks transformers 5.23 for a property by its old name; ours keeps that quiet, plain peft does not
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
]


@pytest.fixture(scope="module")
def tuned(local_model: LocalModel, tmp_path_factory: pytest.TempPathFactory) -> tuple[LocalModel, Path, list[str]]:
    folder = tmp_path_factory.mktemp("tuning")
    before = answers(local_model)
    model, report = local_model.tune(job(folder))
    assert report.train_loss[-1] < 0.2 * report.train_loss[0]
    assert report.dev_exact_match[report.epoch - 1] == max(report.dev_exact_match)
    assert report.tokens > 0
    assert report.layers == "LoRA on the top 4 of 30 layers"
    return model, folder, before  # type: ignore[return-value]


def test_a_few_rows_are_overfitted(tuned: tuple[LocalModel, Path, list[str]]) -> None:
    assert answers(tuned[0]) == [answer for _, answer in PAIRS]


def test_training_until_rows_are_learned_stops_as_soon_as_they_are(local_model: LocalModel, tmp_path: Path) -> None:
    config = TuningConfig(epochs=60, batch_size=8, layers=4, learning_rate=4e-3)
    model, report = local_model.tune(TuningJob(job(tmp_path).train, (), tmp_path, config, until_learned=True))
    assert 3 < len(report.train_loss) == report.epoch < 60
    assert answers(model) == [answer for _, answer in PAIRS]  # type: ignore[arg-type]
    per_epoch = sum(len(local_model.chat.training_pair(example)[0]) for example in job(tmp_path).train)
    assert report.tokens == per_epoch * report.epoch


def test_the_base_model_is_left_alone(tuned: tuple[LocalModel, Path, list[str]], local_model: LocalModel) -> None:
    assert answers(local_model) == tuned[2]
    assert tuned[0].fingerprint != local_model.fingerprint


def test_plain_peft_loads_the_adapter(tuned: tuple[LocalModel, Path, list[str]], local_model: LocalModel) -> None:
    import copy

    import torch
    from peft import PeftModel

    (folder,) = tuned[1].glob("adapter-*")
    adapted = PeftModel.from_pretrained(copy.deepcopy(local_model.network), str(folder))
    ids = torch.tensor([local_model.chat.prompt((Message("user", PAIRS[0][0]),))])
    with torch.inference_mode():
        by_peft = adapted(input_ids=ids).logits[0, -1]
        merged = tuned[0].network(input_ids=ids).logits[0, -1]
    assert torch.allclose(by_peft, merged, atol=1e-3)


def test_the_same_job_is_not_trained_twice(tuned: tuple[LocalModel, Path, list[str]], local_model: LocalModel) -> None:
    shown: list[str] = []
    folder = tuned[1]
    again = job(folder)
    model, report = local_model.tune(
        TuningJob(again.train, again.dev, folder, again.config, lambda *a: shown.append(a[0]))
    )
    assert shown == []
    assert answers(model) == answers(tuned[0])  # type: ignore[arg-type]
    assert model.fingerprint == tuned[0].fingerprint
    assert report.train_loss


def test_a_folder_without_marker_is_trained_again(local_model: LocalModel, tmp_path: Path) -> None:
    from advisor.models.local.checkpoints import MARKER

    small = TuningJob(job(tmp_path).train, (), tmp_path, TuningConfig(epochs=1, layers=1))
    local_model.tune(small)
    (folder,) = tmp_path.glob("adapter-*")
    (folder / MARKER).unlink()
    (folder / "adapter_model.safetensors").write_bytes(b"half")
    local_model.tune(small)
    assert (folder / MARKER).exists()


def test_another_seed_is_another_model(local_model: LocalModel, tmp_path: Path) -> None:
    first, _ = local_model.tune(TuningJob(job(tmp_path).train, (), tmp_path, TuningConfig(epochs=1, layers=1, seed=1)))
    second, _ = local_model.tune(TuningJob(job(tmp_path).train, (), tmp_path, TuningConfig(epochs=1, layers=1, seed=2)))
    assert first.fingerprint != second.fingerprint


def test_all_sizes_of_a_learning_curve_share_one_reading(local_model: LocalModel, tmp_path: Path) -> None:
    """From the states of the whole an interrupted curve gets to the very same adapters."""
    steps: list[str] = []
    rows = job(tmp_path).train
    whole = TuningJob(
        rows, rows[:4], tmp_path / "whole", TuningConfig(epochs=1, layers=2), lambda what, *_: steps.append(what)
    )
    local_model.frozen.clear()
    local_model.tune(whole)
    read = sum(step.startswith("reading") for step in steps)
    steps.clear()
    adapters = []
    for size, seed in ((3, 0), (3, 1), (4, 0)):
        local_model.tune(part_of(whole, tmp_path / f"{size}-{seed}", size, seed))
        [adapter] = (tmp_path / f"{size}-{seed}").glob("adapter-*/adapter_model.safetensors")
        adapters.append(adapter.read_bytes())
    assert set(steps) == {"training"}
    local_model.frozen.clear()
    local_model.tune(part_of(whole, tmp_path / "resumed"))
    assert sum(step.startswith("reading") for step in steps) == read
    [adapter] = (tmp_path / "resumed").glob("adapter-*/adapter_model.safetensors")
    assert adapter.read_bytes() == adapters[0]
    assert len(set(adapters)) == 3


def test_a_part_takes_the_states_of_its_own_rows_from_the_pool(local_model: LocalModel, tmp_path: Path) -> None:
    from advisor.models.local import frozen

    endless = learned("word " * 2000, "never read")
    pool = (endless, *job(tmp_path).train, learned(*PAIRS[2]))
    train = (pool[4], endless, pool[9], pool[1])
    whole = frozen.frozen_states(local_model, job(tmp_path), pool, 28, "test")
    rows = frozen.training_rows(local_model, TuningJob(train, (), tmp_path, pool=pool), 28)
    same = [[at for at, each in enumerate(whole.items) if each is item] for item in rows.items]
    assert same == [[3], [2], [0]], "those with nothing to learn are left out, equal rows are the first of them"
    assert rows.examples == [4, 3, 1]
    assert [len(rows.ids) + len(item.ids) for item in rows.items] == [
        len(local_model.chat.training_pair(each)[0]) for each in (train[0], train[2], train[3])
    ]
    assert rows.weights == [whole.weights[at] for at in (3, 2, 0)]
    assert rows.prefix is whole.prefix


def test_a_pool_is_not_read_where_it_spares_nothing(local_model: LocalModel, tmp_path: Path) -> None:
    from advisor.models.local import frozen

    train = job(tmp_path).train
    twice = (*train, train[0])
    for learned_rows, pool, first in (
        (train[:3], train[1:], 28),  # it lacks a row
        (train[:3], train, 0),  # nothing is frozen
        (twice, twice, 28),  # equal rows keep states of their own, with a pool and without
        (train[:3], (), 28),
    ):
        asked = TuningJob(learned_rows, (), tmp_path, pool=pool)
        assert frozen.read_for(asked, first) is asked.train
    assert frozen.training_rows(local_model, TuningJob(twice, (), tmp_path, pool=twice), 28).examples == list(range(9))


def test_a_part_that_was_interrupted_goes_on_with_the_same_states(local_model: LocalModel, tmp_path: Path) -> None:
    """From the pool that it began with to the same bytes; beside another pool it is trained anew."""
    rows, small = job(tmp_path).train, TuningConfig(epochs=3, batch_size=2, layers=1)

    def trained(folder: str, pool: tuple[TuningExample, ...], progress: Any = lambda *_: None) -> bytes:
        local_model.frozen.clear()
        local_model.tune(TuningJob(rows[:4], rows[4:6], tmp_path / folder, small, progress, pool=pool))
        [adapter] = (tmp_path / folder).glob("adapter-*/adapter_model.safetensors")
        return adapter.read_bytes()

    def stops(what: str, done: int, total: int) -> None:
        if (what, done) == ("training", 5):
            raise KeyboardInterrupt

    for folder in ("same", "other"):
        with pytest.raises(KeyboardInterrupt):
            trained(folder, rows, stops)
        assert [path.name for path in (tmp_path / folder).glob("*.epochs/*")] == ["epoch-2"]
    steps: list[int] = []
    assert trained("same", rows, lambda what, done, _: what == "training" and steps.append(done)) == trained("k", rows)
    assert steps == [5, 6]
    steps.clear()
    changed = (*rows[:7], learned("You charged me for a tent.", "team-amber"))
    other = trained("other", changed, lambda what, done, _: what == "training" and steps.append(done))
    assert steps == [1, 2, 3, 4, 5, 6]
    assert other == trained("l", changed)


@pytest.mark.parametrize("first", [28, 0], ids=["top layers", "all layers"])
def test_gradients_equal_the_plain_peft_path(local_model: LocalModel, tmp_path: Path, first: int) -> None:
    """Keeping the frozen layers' outputs is a shortcut, not an approximation."""
    import torch
    from peft import LoraConfig, get_peft_model

    from advisor.models.local import frozen, training_loop, tuning

    examples = job(tmp_path).train[:3]
    adapted = [first, 28, 29]
    lora = LoraConfig(r=4, target_modules=["q_proj", "down_proj"], layers_to_transform=adapted, init_lora_weights=False)
    torch.manual_seed(0)
    network = get_peft_model(tuning._copy_top(local_model.network, first), lora)
    weights = {name: weight for name, weight in network.named_parameters() if weight.requires_grad}
    rows = frozen.frozen_states(local_model, job(tmp_path), examples, first, "test")
    assert len(rows.prefix) > 3  # the chat template's opening, which all rows share
    loss, _ = training_loop.TopLayers(network.get_base_model(), first).losses(rows.prefix, rows.items)
    loss.mean().backward()  # type: ignore[no-untyped-call]
    ours = {name: weight.grad.clone() for name, weight in weights.items() if weight.grad is not None}
    network.zero_grad()

    losses = []
    for example in examples:
        ids, learned_mask = local_model.chat.training_pair(example)
        logits = network(input_ids=torch.tensor([ids])).logits[0, :-1]
        wanted = torch.tensor(ids[1:])
        keep = torch.tensor(learned_mask[1:])
        losses.append(torch.nn.functional.cross_entropy(logits[keep], wanted[keep], reduction="none"))
    torch.cat(losses).mean().backward()  # type: ignore[no-untyped-call]
    assert set(ours) == set(weights)
    for name, weight in weights.items():
        assert weight.grad is not None
        assert torch.allclose(ours[name], weight.grad, atol=1e-5, rtol=1e-3), name


def test_what_all_rows_begin_with_ends_before_the_first_token_to_learn() -> None:
    from advisor.models.local import frozen

    alike = ([1, 2, 3, 4, 5], [False, False, False, True, True])
    assert frozen._shared([]) == 0
    assert frozen._shared([alike]) == frozen._shared([alike, alike]) == 2  # token 3 stays: 4 is learned behind it
    assert frozen._shared([alike, ([1, 9, 3, 4], [False, False, True, True])]) == 1
    assert frozen._shared([([1, 2], [True, True])]) == 0


def test_only_what_the_assistant_writes_is_learned(local_model: LocalModel) -> None:
    call = ToolCall("calculate", {"expression": "2 + 2"})
    example = TuningExample(
        (
            Message("user", "two and two?"),
            Message("assistant", "", (call,)),
            Message("tool", "4"),
            Message("assistant", "4"),
        )
    )
    ids, learned_mask = local_model.chat.training_pair(example)
    decode = local_model.tokenizer.decode
    text = decode([token for token, keep in zip(ids, learned_mask, strict=True) if keep])
    call_written = call_text(call)
    assert text == f"{call_written}<|im_end|>4<|im_end|>"
    prompt = local_model.chat.prompt(example.messages[:1])
    assert ids[: len(prompt)] == prompt
    assert not any(learned_mask[: len(prompt)])


def test_all_layers_can_be_adapted_and_the_report_says_so(local_model: LocalModel, tmp_path: Path) -> None:
    every = TuningConfig(epochs=2, layers=0, batch_size=4, rank=2)
    _, report = local_model.tune(TuningJob(job(tmp_path).train, (), tmp_path, every))
    assert report.layers == "LoRA on all 30 layers"
    assert report.train_loss[1] < report.train_loss[0]


def test_training_does_not_depend_on_the_number_of_threads(local_model: LocalModel, tmp_path: Path) -> None:
    """Up to rounding: docs/local-models.md promises a thousandth."""
    import torch

    before, losses = torch.get_num_threads(), list[tuple[float, ...]]()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            local_model.frozen.clear()
            small = TuningConfig(epochs=2, layers=2, batch_size=4)
            _, report = local_model.tune(TuningJob(job(tmp_path).train, (), tmp_path / str(count), small))
            losses.append(report.train_loss)
    finally:
        torch.set_num_threads(before)
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
