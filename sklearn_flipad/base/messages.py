"""Messages whose advice another interface can put into its own words."""

__all__ = ["Message", "Term", "translated"]


class Term(str):
    """A part of a message that names something of the Python interface.

    `key` says what is named, so that the command can name its own option instead.
    """

    def __new__(cls, text, key):
        """Text with a key."""
        self = super().__new__(cls, text)
        self.key = key
        return self


class Message(str):
    """Text of an error or a warning that remembers the parts it was made of."""

    def __new__(cls, *parts):
        """Text of all parts; those of messages count as parts of their own."""
        flat = []
        for part in parts:
            flat += part.parts if isinstance(part, Message) else [part]
        self = super().__new__(cls, "".join(flat))
        self.parts = flat
        return self


def translated(error, terms):
    """Text of an exception or a warning in which terms read as ``terms[key]`` says.

    What `terms` has for a key is a text, in which ``{}`` stands for the term as it was.
    """
    message = error.args[0] if error.args else ""
    if not isinstance(message, Message):
        return str(error)
    return "".join(
        terms.get(part.key, "{}").format(part) if isinstance(part, Term) else part
        for part in message.parts
    )
