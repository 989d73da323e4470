"""The exception with which spawners and hooks refuse a start."""


class SpawnException(Exception):
    """A start is refused for a reason that is nobody's fault: a quota, a bad option.

    ``message`` (or ``message_html``) is shown to people, ``reason`` is a short
    label for the metrics, ``log_message`` goes to the log, and ``status_code``
    answers whoever waits. No traceback is logged.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        log_message: str = "",
        message_html: str = "",
        status_code: int = 400,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.log_message = log_message
        self.message_html = message_html
        self.status_code = status_code

    @property
    def jupyterhub_message(self) -> str:
        """What people are shown."""
        return self.message

    @property
    def jupyterhub_html_message(self) -> str:
        """What people are shown, as HTML."""
        return self.message_html
