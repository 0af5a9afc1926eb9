"""Training where something gives: a loss that explodes, too little memory, a full disk, rows that are too long."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from advisor.core.errors import ModelError
from advisor.core.model import TuningConfig, TuningJob
from tests.models.tuning_jobs import job, learned

if TYPE_CHECKING:
    from advisor.models.local.model import LocalModel

pytestmark = [
    pytest.mark.weights,
    # peft 0.21 asks transformers 5.23 for a property by its old name; ours keeps that quiet, plain peft does not
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
]


def test_a_loss_that_explodes_is_a_sentence(local_model: LocalModel, tmp_path: Path) -> None:
    wild = TuningJob(
        job(tmp_path).train, (), tmp_path, TuningConfig(epochs=3, layers=1, learning_rate=1e30, batch_size=2)
    )
    with pytest.raises(ModelError, match=r"loss became .*\n.*learning_rate"):
        local_model.tune(wild)
    assert list(tmp_path.glob("adapter-*")) == []


def test_a_loss_that_explodes_later_leaves_the_epoch_before(
    local_model: LocalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from advisor.models.local import training_loop

    once, backward = [0], training_loop.TrainingLoop._backward

    def breaks(self: Any, *given: Any) -> tuple[float, int]:
        once[0] += 1
        return (float("nan"), 1) if once[0] > 2 else backward(self, *given)

    monkeypatch.setattr(training_loop.TrainingLoop, "_backward", breaks)
    eight = TuningJob(job(tmp_path).train, (), tmp_path, TuningConfig(epochs=3, layers=1, batch_size=4))
    with pytest.raises(ModelError, match=r"became nan in epoch 2; the state after epoch 1 is kept in .*epochs"):
        local_model.tune(eight)
    assert len(list(tmp_path.glob("adapter-*.epochs/epoch-1"))) == 1


@pytest.mark.parametrize("broken", [2, 4], ids=["at the end of epoch 1", "at the end of epoch 2"])
def test_gradients_that_break_in_the_last_step_of_an_epoch_are_kept_nowhere(
    local_model: LocalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: int
) -> None:
    from advisor.models.local import training_loop

    steps, backward = [0], training_loop.TrainingLoop._backward

    def breaks(self: Any, *given: Any) -> tuple[float, int]:
        found = backward(self, *given)
        steps[0] += 1
        if steps[0] == broken:
            self.weights[0].grad[0, 0] = float("nan")
        return found

    monkeypatch.setattr(training_loop.TrainingLoop, "_backward", breaks)
    eight = TuningJob(job(tmp_path).train, (), tmp_path, TuningConfig(epochs=2, layers=1, batch_size=4))
    kept = "nothing was saved" if broken == 2 else "the state after epoch 1 is kept"
    with pytest.raises(ModelError, match=rf"gradient became nan in epoch {broken // 2}; {kept}"):
        local_model.tune(eight)
    assert [path.name for path in tmp_path.glob("adapter-*/*")] == (["epoch-1"] if broken == 4 else [])


@pytest.mark.parametrize("broken", ["inf", "nan"])
def test_weights_that_became_infinite_are_not_saved(
    local_model: LocalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    import torch

    step = torch.optim.AdamW.step

    def breaks(self: Any, *given: Any, **options: Any) -> Any:
        found = step(self, *given, **options)
        self.param_groups[0]["params"][-1].data[0, 0] = float(broken)
        return found

    monkeypatch.setattr(torch.optim.AdamW, "step", breaks)
    once = TuningConfig(epochs=1, layers=1, batch_size=8)
    with pytest.raises(ModelError, match=rf"largest weight became {broken} in epoch 1; nothing was saved"):
        local_model.tune(TuningJob(job(tmp_path).train, (), tmp_path, once))
    assert list(tmp_path.glob("adapter-*")) == []


def test_too_little_memory_makes_smaller_steps_then_a_sentence(
    local_model: LocalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from advisor.models.local import training_loop

    backward, seen = training_loop.TrainingLoop._backward, list[int]()

    def short(self: Any, *given: Any) -> tuple[float, int]:
        seen.append(self.tokens)
        if self.tokens > room:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 123 bytes")
        return backward(self, *given)

    monkeypatch.setattr(training_loop.TrainingLoop, "_backward", short)
    room, small = 300, TuningConfig(epochs=1, layers=1)
    _, report = local_model.tune(TuningJob(job(tmp_path).train, (), tmp_path, small))
    assert seen == [1024, 512, 256]
    assert len(report.train_loss) == 1
    room = 0
    with pytest.raises(ModelError, match=r"the training does not fit into memory\n.*layers=4"):
        local_model.tune(TuningJob(job(tmp_path).train[:4], (), tmp_path, small))


def test_a_training_that_had_to_take_smaller_steps_goes_on_with_them(
    local_model: LocalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from advisor.models.local import training_loop

    backward, seen = training_loop.TrainingLoop._backward, list[int]()

    def short(self: Any, *given: Any) -> tuple[float, int]:
        seen.append(self.tokens)
        if len(seen) == 1:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        if len(seen) == stop:
            raise KeyboardInterrupt
        return backward(self, *given)

    monkeypatch.setattr(training_loop.TrainingLoop, "_backward", short)
    stop, small = 5, TuningConfig(epochs=3, layers=1, batch_size=4)
    asked = TuningJob(job(tmp_path).train, (), tmp_path, small)
    with pytest.raises(KeyboardInterrupt):
        local_model.tune(asked)
    stop = 0
    local_model.tune(asked)
    assert seen == [1024, *[512] * 8]


def test_long_rows_go_through_in_parts_with_the_same_gradients(
    local_model: LocalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from advisor.models.local import training_loop

    def losses(tokens: int) -> tuple[float, ...]:
        monkeypatch.setattr(training_loop, "STEP_TOKENS", tokens)
        config = TuningConfig(epochs=2, layers=1, batch_size=8)
        _, report = local_model.tune(TuningJob(job(tmp_path).train, (), tmp_path / str(tokens), config))
        return report.train_loss

    assert losses(40) == pytest.approx(losses(10_000), rel=1e-4)


def test_states_in_a_mapped_file_make_the_same_adapter_and_leave_no_file(
    local_model: LocalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from advisor.models.local import frozen
    from advisor.models.local.tuning import ADAPTER

    written = []
    for held in (frozen.HELD_BYTES, 0):
        monkeypatch.setattr(frozen, "HELD_BYTES", held)
        local_model.frozen.clear()
        folder = tmp_path / str(held)
        local_model.tune(TuningJob(job(tmp_path).train, job(tmp_path).dev, folder, TuningConfig(epochs=2, layers=1)))
        assert len(list(folder.iterdir())) == 1
        written.append(next(folder.glob(f"adapter-*/{ADAPTER}")).read_bytes())
    assert written[0] == written[1]
    local_model.frozen.clear()


def test_a_disk_without_room_for_the_states_is_a_sentence(
    local_model: LocalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from advisor.models.local import frozen

    def full(*given: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(frozen, "HELD_BYTES", 0)
    monkeypatch.setattr(frozen, "_claim", full)
    local_model.frozen.clear()
    with pytest.raises(ModelError, match=r"has no room for them\n.*--train-limit"):
        local_model.tune(TuningJob(job(tmp_path).train, (), tmp_path, TuningConfig(epochs=1, layers=1)))
    assert list(tmp_path.iterdir()) == []


def test_where_no_file_can_be_mapped_the_states_are_in_memory_and_leftovers_are_removed(
    local_model: LocalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from advisor.models.local import frozen

    def cannot(*given: object, **options: object) -> None:
        raise RuntimeError("unable to mmap 1024 bytes from file: No such device (19)")

    monkeypatch.setattr(frozen, "HELD_BYTES", 0)
    monkeypatch.setattr(torch, "from_file", cannot)
    monkeypatch.delattr("os.posix_fallocate", raising=False)
    (tmp_path / "states-killed.part").write_bytes(b"half")
    local_model.frozen.clear()
    local_model.tune(TuningJob(job(tmp_path).train, (), tmp_path, TuningConfig(epochs=1, layers=1)))
    assert list(tmp_path.glob("states-*")) == []
    local_model.frozen.clear()


def test_rows_that_are_too_long_are_counted(local_model: LocalModel, tmp_path: Path) -> None:
    cut = learned("Say it.", "word " * 1200)
    lost = learned("word " * 1200, "never reached")
    rows = (*job(tmp_path).train[:2], cut, lost)
    _, report = local_model.tune(TuningJob(rows, (), tmp_path, TuningConfig(epochs=1, layers=1)))
    assert report.unread == 2
    _, again = local_model.tune(TuningJob(rows, (), tmp_path, TuningConfig(epochs=1, layers=1)))
    assert again.unread == 2
    _, report = local_model.tune(TuningJob(rows[:2], (), tmp_path, TuningConfig(epochs=1, layers=1)))
    assert report.unread == 0


def test_an_answer_beyond_the_longest_row_cannot_be_learned(local_model: LocalModel, tmp_path: Path) -> None:
    endless = learned("word " * 1200, "never reached")
    with pytest.raises(ModelError, match="1,024 tokens"):
        local_model.tune(TuningJob((endless,), (), tmp_path))


def test_nothing_to_learn_is_a_sentence(local_model: LocalModel, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no training examples"):
        local_model.tune(TuningJob((), (), tmp_path))
