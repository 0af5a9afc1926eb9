from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from advisor.core.shipped import shipped
from advisor.core.types import Chat, Document, Example, Message, Task, ToolSpec

shipped("strategies")
from advisor.strategies import prompts  # noqa: E402

TASK = Task("t", "Answer.", "exact_match")
TOOL = ToolSpec("area", "Area of a square.", {"type": "object", "properties": {"side": {"type": "number"}}})


def roles(messages: Any) -> Any:
    return [message.role for message in messages]


def test_instruction_then_demonstrations_then_question() -> None:
    shown = prompts.demonstration(Example("1", "two?", "2"))
    messages = prompts.task_messages(TASK, "three?", shown)
    assert roles(messages) == ["system", "user", "assistant", "user"]
    assert [message.content for message in messages] == ["Answer.", "two?", "2", "three?"]


def test_all_questions_share_everything_before_the_question() -> None:
    shown = prompts.demonstration(Example("1", "two?", "2"))
    first, second = (prompts.task_messages(TASK, text, shown) for text in ("a", "b"))
    assert first[:-1] == second[:-1]


def test_passages_stand_in_the_last_user_turn_before_the_question() -> None:
    messages = prompts.task_messages(TASK, "who?", context=[Document("d", "Title", "text")])
    assert messages[-1].content == "Passage: Title: text\n\nQuestion: who?"


def test_without_an_instruction_there_is_no_system_turn() -> None:
    assert roles(prompts.task_messages(Task("t", "", "exact_match"), "x")) == ["user"]


def test_labels_are_named_as_said_and_a_few_without_being_asked() -> None:
    task, many = Task("t", "Answer.", "label_accuracy", labels=("yes", "no")), tuple(f"label_{at}" for at in range(77))
    assert "Allowed answers: yes, no" in prompts.task_messages(task, "x")[0].content
    assert "Allowed answers: no" in prompts.task_messages(task, "x", labels=["no"])[0].content
    assert "Allowed" not in prompts.task_messages(task, "x", labels=())[0].content
    assert "Allowed" not in prompts.task_messages(replace(task, labels=many), "x")[0].content
    assert ", ".join(many) in prompts.task_messages(replace(task, labels=many), "x", labels=many)[0].content


def test_a_schema_is_shown() -> None:
    task = Task("t", "Answer.", "json_field_f1", schema={"type": "object"}, output="json")
    assert '{"type": "object"}' in prompts.task_messages(task, "x")[0].content


def test_a_conversation_keeps_its_turns_and_its_own_system_message() -> None:
    chat = Chat((Message("system", "Be brief."), Message("user", "a"), Message("assistant", "b"), Message("user", "c")))
    messages = prompts.task_messages(TASK, chat)
    assert roles(messages) == ["system", "user", "assistant", "user"]
    assert messages[0].content == "Answer.\n\nBe brief."


def test_a_system_message_that_repeats_the_instruction_is_not_said_twice() -> None:
    chat = Chat((Message("system", "Answer."), Message("user", "a")))
    assert prompts.task_messages(TASK, chat)[0].content == "Answer."


def test_an_inputs_own_tools_are_written_out_unless_the_request_carries_them() -> None:
    chat = Chat((Message("user", "side 2?"),), (TOOL,))
    assert "area" in prompts.question(chat)[0].content
    assert prompts.question(chat, show_tools=False) == (Message("user", "side 2?"),)
    assert chat.messages == (Message("user", "side 2?"),)


def test_tidy_takes_the_first_line_of_a_label_only() -> None:
    labelled = Task("t", "", "label_accuracy", labels=("ham", "spam"))
    assert prompts.tidy("\n spam \nbecause", labelled) == "spam"
    assert prompts.tidy(" one\ntwo ", TASK) == "one\ntwo"
    assert prompts.tidy("  ", labelled) == ""


def test_constraints_are_labels_before_a_schema_and_only_when_asked_for() -> None:
    labelled = Task("t", "", "label_accuracy", labels=("a", "b"))
    structured = Task("t", "", "json_field_f1", schema={"type": "object"})
    assert prompts.request_for(labelled, (), 5).choices == ()
    assert prompts.request_for(labelled, (), 5, constrained=True).choices == ("a", "b")
    assert prompts.request_for(structured, (), 5, constrained=True).schema == {"type": "object"}
    assert prompts.request_for(structured, (), 5).schema is None


@given(st.integers(0, 200), st.integers(1, 50))
def test_clip_keeps_the_first_words(words: int, most: int) -> None:
    document = Document("d", "t", " ".join(str(at) for at in range(words)))
    kept = prompts.clip(document, most).text.split()
    assert kept == document.text.split()[:most]
