"""What can go wrong, as exceptions. Each says what failed and what to do, in the tool's words."""


class Error(Exception):
    """All errors of this package."""


class NotThere(Error, FileNotFoundError):
    """A file, a folder or a program is missing."""

    # OSError would show its arguments in another way.
    __str__ = Exception.__str__


class MissingPackage(Error, ImportError):
    """A Python package is missing; the message has the command that installs it."""


class ModelError(Error, ValueError):
    """A model folder is damaged, or of another format."""


class ImageError(Error, ValueError):
    """An image cannot be used."""


class ToolFailed(Error):
    """A program ended with an error."""

    def __init__(self, program: str, code: int, words: str) -> None:
        super().__init__(words or f"{program} ended with exit code {code} and said nothing")
        self.program = program
        self.code = code

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.program, self.code, str(self))


class StageFailed(ToolFailed):
    """A stage of the pipeline ended with an error; `program` is its name."""
