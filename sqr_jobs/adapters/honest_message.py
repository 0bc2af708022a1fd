"""Reading messages from a broker that others may write to."""

from collections.abc import Container
from typing import Any

from dramatiq import Message

__all__ = ["honest_message"]


def honest_message(
    data: bytes, *, queue_name: str, actors: Container[str], own_option: str | None = None
) -> Message[Any]:
    """Decode a message that was sent to this queue for now; another would hold a thread, or end it.

    `own_option` names the one option that the broker itself sets: a text, which is kept. Raises whatever
    the bytes provoke.
    """
    message: Message[Any] = Message.decode(data)
    options = {} if own_option is None else {own_option: message.options[own_option]}
    is_ours = (
        message.queue_name == queue_name
        and message.actor_name in actors
        and isinstance(message.message_id, str)
        and all(isinstance(value, str) for value in options.values())
        and "eta" not in message.options
    )
    if not is_ours:
        raise ValueError(message.queue_name)
    # Made anew from what an honest message has: Dramatiq reads more options than we send.
    return Message(
        queue_name=queue_name,
        actor_name=message.actor_name,
        args=tuple(message.args[:1]),
        kwargs={},
        options=options,
        message_id=message.message_id,
    )
