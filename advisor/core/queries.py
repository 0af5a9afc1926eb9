"""What an input asks, as one text: for embedding it, for looking things up, and for finding others like it."""

from __future__ import annotations

from advisor.core.types import Input

MOST_BYTES = 1024
"""Of the turns around the last question: about as much as an embedding model reads at once."""


def query_text(input: Input) -> str:
    """Return what an input asks: plain text as it is, of a chat its last user turn and the turns around it that fit.

    Turns that answer the last user turn (the results of tools) come first, then those before it, the nearest first, as
    long as all stays within 1,024 bytes; the last user turn is always whole. A system prompt is left out: where many
    inputs share one it makes them all alike. A chat without a user turn gives all its turns, and one that is nothing
    but a system prompt gives that.
    """
    if isinstance(input, str):
        return input
    turns = [turn for turn in input.messages if turn.role != "system" and turn.content]
    if not turns:
        return str(input)
    last = max((at for at, turn in enumerate(turns) if turn.role == "user"), default=None)
    if last is None:
        return "\n".join(turn.content for turn in turns)
    kept, room = {last}, MOST_BYTES - len(turns[last].content.encode("utf-8", "replace"))
    for beside in (range(last + 1, len(turns)), range(last - 1, -1, -1)):
        for at in beside:
            room -= len(turns[at].content.encode("utf-8", "replace")) + 1
            if room < 0:
                break
            kept.add(at)
    return "\n".join(turns[at].content for at in sorted(kept))
