from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from advisor.core import registry
from advisor.core.errors import ConfigurationError, EvalSetError
from advisor.core.metrics import for_task
from advisor.core.shipped import shipped
from advisor.core.tool_files import with_code
from advisor.core.types import Chat, EvalSet, Example

shipped("evalsets")
from advisor.evalsets.loading import load  # noqa: E402

DATASETS = Path(os.environ.get("ADVISOR_DATA_MIRROR", Path(__file__).parents[3] / "shared" / "datasets"))
Write = Callable[..., Path]
HEAD = "instruction: x\nmetric: chrf\n"


def shared(name: str) -> EvalSet:
    if not (DATASETS / name).exists():
        pytest.skip(f"{name} is not at hand; ADVISOR_DATA_MIRROR says where it is")
    evalset: EvalSet = load(str(DATASETS / name))
    return evalset


# --- the real sets ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "train_and_dev", "test"),
    [
        ("banking77", 10003 - 6 - 4, 3080),
        ("sms_spam", 4103, 1026),
        ("snips_slots", 4900 - 3 - 27, 700),
        ("covidqa", 590, 538),
        ("svamp", 504, 496),
        ("bfcl_single", 428, 430),
        ("bible_plain", 4000 - 21 + 500, 1000),
    ],
)
def test_every_shared_set_loads_whole(name: str, train_and_dev: int, test: int) -> None:
    evalset = shared(name)
    assert evalset.name == name
    assert (len(evalset.train) + len(evalset.dev), len(evalset.test)) == (train_and_dev, test)
    assert evalset.licence
    assert evalset.source
    assert evalset.family
    assert 20 <= len(evalset.dev) <= 200 or name == "bible_plain"


@pytest.mark.parametrize(
    "name", ["banking77", "sms_spam", "snips_slots", "covidqa", "svamp", "bfcl_single", "bible_plain"]
)
def test_the_gold_answer_scores_one_under_the_sets_own_metric(name: str) -> None:
    from advisor.core.metrics import for_task

    evalset = shared(name)
    metric = for_task(evalset.metric, evalset)
    for example in (*evalset.train[:100], *evalset.test[:100]):
        assert metric.score(example.target, example) == pytest.approx(1.0), example.id


def test_banking77_notes_say_what_was_left_out() -> None:
    evalset = shared("banking77")
    assert len(evalset.labels) == 77
    assert any("6 train rows" in note and "also stands in test" in note for note in evalset.notes)
    assert any("4 training rows that repeat" in note for note in evalset.notes)
    assert any("200 of 9993 training examples were set aside as dev" in note for note in evalset.notes)


def test_bfcl_inputs_carry_schemas_in_the_words_of_json_schema() -> None:
    evalset = shared("bfcl_single")
    types: set[str] = set()
    for example in (*evalset.train, *evalset.test):
        assert isinstance(example.input, Chat)
        assert example.input.messages[0].role == "user"
        for tool in example.input.tools:
            assert tool.parameters["type"] == "object"
            types |= {str(inner.get("type")) for inner in tool.parameters["properties"].values()}
    assert types <= {"object", "number", "integer", "string", "array", "boolean", "None"}


def test_covidqa_dev_shares_no_paper_with_train() -> None:
    evalset = shared("covidqa")
    assert not {e.group for e in evalset.dev} & {e.group for e in evalset.train}
    assert len(evalset.docs) == 964
    assert {str(e.metadata["doc_id"]) for e in evalset.test} <= {doc.id for doc in evalset.docs}


def test_svamp_tool_can_be_called() -> None:
    (tool,) = with_code(shared("svamp"), trust_code=True).tools
    assert tool.call({"expression": "5 * 24.4"}) == "122"


def test_shipped_sets_load_by_name_and_from_the_registry() -> None:
    for entry in registry.names("evalsets"):
        if entry.distribution == registry.OURS and not entry.name.startswith("public:"):
            evalset = load(entry.name)
            assert evalset.fingerprint == registry.make("evalsets", entry.name).fingerprint
            assert len(evalset.train) >= 400
            assert len(evalset.test) >= 200


# --- what loading does -----------------------------------------------------------------------------------------------


def test_loading_is_the_same_whatever_the_order_of_rows(write: Write) -> None:
    rows = [{"input": f"question {n}", "target": "a", "metadata": {"group": f"g{n % 30}"}} for n in range(120)]
    first = load(str(write(train__jsonl=rows)))
    second = load(str(write(train__jsonl=rows[::-1])))
    assert {str(e.input) for e in first.dev} == {str(e.input) for e in second.dev}
    assert load(str(write(train__jsonl=rows)), seed=1).dev != first.dev


def test_dev_file_is_used_as_it_is(write: Write) -> None:
    evalset = load(str(write(dev__jsonl=[{"id": "d", "input": "dev question", "target": "a"}])))
    assert [e.id for e in evalset.dev] == ["d"]
    assert len(evalset.train) == 30
    assert evalset.notes == ()


def test_rows_of_train_and_dev_that_stand_in_test_are_left_out(write: Write) -> None:
    leak = {"input": "test question 3", "target": "a"}
    evalset = load(
        str(
            write(
                dev__jsonl=[leak, {"input": "own", "target": "a"}],
                train__jsonl=[leak, leak, {"input": "x", "target": "y"}],
            )
        )
    )
    assert [str(e.input) for e in evalset.train] == ["x"]
    assert [str(e.input) for e in evalset.dev] == ["own"]
    assert "left out 2 train rows (train-1, train-2) whose input also stands in test" in evalset.notes


def test_rows_with_the_same_input_and_another_target_are_kept(write: Write) -> None:
    rows = [
        {"input": "x", "target": "a"},
        {"input": "x", "target": "b"},
        {"input": "x", "target": "a"},
        {"input": "y", "target": "a"},
    ]
    evalset = load(str(write(train__jsonl=rows)))
    assert sorted(e.target for e in (*evalset.train, *evalset.dev) if str(e.input) == "x") == ["a", "b"]
    assert any(note.startswith("left out 1 training row that repeats (train-3)") for note in evalset.notes)


def test_label_in_test_that_train_lacks(write: Write) -> None:
    yaml = "instruction: Classify.\nmetric: label_accuracy\nlabels: {}\n"
    test = [{"id": "t1", "input": "q", "target": "c"}]
    learned = load(str(write(evalset__yaml=yaml.format("from_train"), test__jsonl=test)))
    assert learned.labels == ("a", "b")
    assert any("1 of the labels in test never occur in train" in note and "'c'" in note for note in learned.notes)
    with pytest.raises(EvalSetError, match=r"test.jsonl: example 't1': field 'target' is 'c'.*Allowed: a, b"):
        load(str(write(evalset__yaml=yaml.format("[a, b]"), test__jsonl=test)))


def test_schema_inline_or_in_a_file(write: Write) -> None:
    head = "instruction: Extract.\nmetric: json_field_f1\noutput: json\n"
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    inline = load(str(write(evalset__yaml=head + "schema: {type: object, properties: {a: {type: integer}}}\n")))
    in_file = load(str(write(evalset__yaml=head + "schema: schema.json\n", schema__json=json.dumps(schema))))
    assert inline.schema == in_file.schema == schema
    assert inline.output == "json"


def test_targets_that_are_json_values_are_written_as_text(write: Write) -> None:
    yaml = "instruction: Extract.\nmetric: json_field_f1\noutput: json\n"
    evalset = load(str(write(evalset__yaml=yaml, test__jsonl=[{"input": "q", "target": {"a": "é"}}])))
    assert evalset.test[0].target == '{"a": "é"}'


# --- one file --------------------------------------------------------------------------------------------------------


def test_csv_and_jsonl_and_parquet_give_the_same_splits(tmp_path: Path) -> None:
    import pandas as pd

    table = pd.DataFrame(
        {"question": [f"What is {n}?" for n in range(100)], "answer": [f"{n},5 €" for n in range(100)]}
    )
    table["user"] = [f"u{n % 25}" for n in range(100)]
    table.to_csv(tmp_path / "data.csv", index=False)
    table.to_json(tmp_path / "data.jsonl", orient="records", lines=True)
    table.to_parquet(tmp_path / "data.parquet")
    columns = {"input": "question", "target": "answer", "group": "user"}
    sets = [load(str(tmp_path / f"data.{kind}"), columns=columns) for kind in ("csv", "jsonl", "parquet")]
    for split in ("train", "dev", "test"):
        asked = [[str(e.input) for e in getattr(one, split)] for one in sets]
        assert asked[0] == asked[1] == asked[2]
    assert [len(sets[0].train), len(sets[0].dev), len(sets[0].test)] == [64, 12, 24]
    assert any("split 60/15/25" in note for note in sets[0].notes)


@pytest.mark.parametrize(
    ("targets", "metric"),
    [
        (["ham", "spam"] * 50, "label_accuracy"),
        ([str(n) for n in range(100)], "numeric_match"),
        (['{"a": 1}'] * 100, "json_field_f1"),
        ([f"word {n} x" for n in range(100)], "token_f1"),
    ],
)
def test_metric_of_a_file_is_chosen_by_its_targets(tmp_path: Path, targets: list[str], metric: str) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps({"text": f"t{n}", "label": target}) + "\n" for n, target in enumerate(targets)))
    evalset = load(str(path))
    assert evalset.metric == metric
    assert any(metric in note for note in evalset.notes)
    assert any("'text' and 'label'" in note for note in evalset.notes)


# --- bad input: one sentence with file, line and field, and what to type ---------------------------------------------


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {"train__jsonl": '{"input": "a", "target": "b"}\n\n{"input": "c"}\n'},
            "train.jsonl line 3: field 'target' is miss",
        ),
        ({"train__jsonl": '{"input": "", "target": "b"}\n'}, "train.jsonl line 1: field 'input' is empty"),
        ({"train__jsonl": '{"input": "a", "target": " "}\n'}, "train.jsonl line 1: field 'target' is empty"),
        ({"train__jsonl": '{"input": "a", "target": {"b": 1}}\n'}, "line 1: field 'target' is a list or an object"),
        ({"train__jsonl": '{"input": 5, "target": "b", "metadata": 3}\n'}, "line 1: field 'metadata' is '3'"),
        ({"train__jsonl": '{"input": "a", "target": "b", "metadata": {"answers": 3}}\n'}, "field 'answers' must be"),
        (
            {"train__jsonl": '{"input": [{"role": "usr"}], "target": "b"}\n'},
            "role 'usr' is unknown; did you mean 'user'",
        ),
        ({"train__jsonl": '{"id": 1, "input": "a", "target": "b"}\n' * 2}, "line 2: field 'id' is '1', which already"),
        ({"train__jsonl": ""}, "train.jsonl holds no example"),
        ({"test__jsonl": "\n\n"}, "test.jsonl holds no example"),
        ({"train__jsonl": None, "trian__jsonl": "x"}, "has no 'train.jsonl'; did you mean 'trian.jsonl'?"),
        ({"docs__jsonl": ""}, "docs.jsonl holds no document"),
        ({"docs__jsonl": '{"id": "1", "txt": "a"}\n'}, "docs.jsonl line 1: field 'text' is missing"),
        (
            {"docs__jsonl": '{"id": "1", "text": "a"}\n{"id": "1", "text": "b"}\n'},
            "docs.jsonl: the document id '1' stands there twice",
        ),
        ({"evalset__yaml": HEAD + "tools: tools.py\n"}, "has no 'tools.py'"),
        ({"evalset__yaml": HEAD + "tools: ../../tools.py\n"}, "leads out of the folder"),
        ({"evalset__yaml": HEAD + "schema: {type: nothing}\n"}, "evalset.yaml: schema cannot be used"),
        ({"evalset__yaml": HEAD + "tools_field: tools\n"}, "line 1: field 'tools' is missing in metadata"),
        ({"evalset__yaml": HEAD + "gold_document_field: d\n"}, "there are no documents"),
        ({"evalset__yaml": None}, "has no 'evalset.yaml'"),
    ],
)
def test_bad_folders(write: Write, files: dict[str, str | None], said: str) -> None:
    with pytest.raises(EvalSetError) as caught:
        load(str(write(**files)))
    assert said in str(caught.value)
    assert len(caught.value.args[0].splitlines()) == 1


def test_all_of_train_in_test(write: Write) -> None:
    with pytest.raises(EvalSetError, match="no example is left"):
        load(str(write(train__jsonl=[{"input": "test question 1", "target": "a"}])))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("harow_desk", "did you mean 'harrow_desk'"),
        ("no/such/folder", "there is no eval set 'no/such/folder'"),
        ("hf:org/name/more", "is not written hf:org/name@revision"),
        ("a\0b", "there is no eval set"),
        ("x" * 5000, "there is no eval set"),
        ("", "no 'evalset.yaml'"),
        ("/dev/zero", "a device, pipe or socket"),
    ],
)
def test_sources_that_do_not_exist(source: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EvalSetError) as caught:
        load(source)
    assert said in str(caught.value)
    assert caught.value.hint or "device" in said


def test_columns_that_do_not_fit(tmp_path: Path, write: Write) -> None:
    path = tmp_path / "data.csv"
    path.write_text("question,answer\na,b\n")
    with pytest.raises(EvalSetError, match=r"data.csv line 2: field 'qestion' is missing.*did you mean 'question'"):
        load(str(path), columns={"input": "qestion", "target": "answer"})
    with pytest.raises(EvalSetError, match=r"there is no field 'inptu'; did you mean 'input'"):
        load(str(path), columns={"inptu": "question"})
    with pytest.raises(EvalSetError, match="they are for single files"):
        load(str(write()), columns={"input": "question"})
    (tmp_path / "odd.csv").write_text("foo,bar\na,b\n")
    with pytest.raises(EvalSetError, match="cannot be told; there are 'bar', 'foo'"):
        load(str(tmp_path / "odd.csv"))
    (tmp_path / "data.xlsx").write_text("x")
    with pytest.raises(EvalSetError, match=r"no reader for '.xlsx'; allowed are .csv"):
        load(str(tmp_path / "data.xlsx"))


def test_a_file_of_one_group_cannot_be_split(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps({"input": f"q{n}", "target": "a", "group": "g"}) + "\n" for n in range(9)))
    with pytest.raises(EvalSetError, match="one group"):
        load(str(path))


def test_an_eval_set_from_a_users_function(tmp_path: Path) -> None:
    code = (
        "from advisor.core.types import EvalSet, Example\n"
        "def mine(size=2):\n"
        "    rows = tuple(Example(str(n), f'q{n}', 'a') for n in range(size))\n"
        "    return EvalSet('m', 'Answer.', 'exact_match', rows[:-1], (), rows[-1:])\n"
        "def wrong():\n    return 3\n"
    )
    (tmp_path / "sets.py").write_text(code)
    assert len(load(f"{tmp_path}/sets.py:mine(size=5)").train) == 4
    with pytest.raises(ConfigurationError, match="gave a int"):
        load(f"{tmp_path}/sets.py:wrong")


def test_reading_a_set_does_not_change_its_folder(write: Write) -> None:
    folder = write(
        evalset__yaml=HEAD + "tools: tools.py\n",
        tools__py='def f(a: int) -> int:\n    """Double."""\n    return 2 * a\n',
    )
    before = sorted(path.name for path in folder.iterdir())
    assert with_code(load(str(folder)), trust_code=True).tools[0].call({"a": 4}) == "8"
    assert sorted(path.name for path in folder.iterdir()) == before


def test_examples_keep_chat_inputs(write: Write) -> None:
    turns = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]
    example: Example = load(str(write(test__jsonl=[{"input": turns, "target": "Hello"}]))).test[0]
    assert isinstance(example.input, Chat)
    assert [message.role for message in example.input.messages] == ["system", "user"]


def test_a_metric_in_the_folder_is_found_from_anywhere(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    metric = b"class Mine:\n    name = 'mine'\n    def score(self, output, example): return 1.0\n"
    folder = write(
        evalset__yaml="instruction: x\nmetric: metric.py:Mine\n",
        metric__py=metric + b"    def summarise(self, pairs): return {}\n",
    )
    monkeypatch.chdir("/")
    found = with_code(load(str(folder)), trust_code=True)
    assert for_task(found.metric, found, found.origin).name == "mine"


def test_a_test_split_with_one_answer_is_said(write: Write) -> None:
    folder = write(test__jsonl=[{"input": f"t {n}", "target": "spam"} for n in range(5)])
    assert "all 5 test examples have the same target, 'spam'" in " ".join(load(str(folder)).notes)


METRIC = '''
class Loud:
    """1 if the answer is in capitals."""

    name = "loud"

    def score(self, output, example):
        return float(output.isupper())

    def summarise(self, pairs):
        return {}
'''


def test_a_metric_of_the_folder_is_part_of_the_fingerprint_and_its_place_is_not(write: Write, tmp_path: Path) -> None:
    folder = write(evalset__yaml="instruction: Answer.\nmetric: loud.py:Loud\n", loud__py=METRIC)
    before = load(str(folder))
    was = before.fingerprint
    agreed = with_code(before, trust_code=True)
    assert for_task(agreed.metric, agreed, agreed.origin).score("YES", before.test[0]) == 1.0
    shutil.copytree(folder, tmp_path / "elsewhere")
    assert load(str(tmp_path / "elsewhere")).fingerprint == was
    (folder / "loud.py").write_text(METRIC.replace("isupper", "islower"))
    assert load(str(folder)).fingerprint != was
