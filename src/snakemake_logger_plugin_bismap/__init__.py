"""What a run of the workflow prints: on a terminal a live overview, elsewhere a line per finished stage.

Snakemake finds this package by its name (``--logger bismap``; ``profiles/default`` asks for it). All that it knows of
a running stage it reads from the stage's log file, so jobs on a cluster are shown like those of this machine.
"""

import sys
from collections.abc import Callable
from logging import LogRecord

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_bismap.panel import Panel
from snakemake_logger_plugin_bismap.run import Run

__all__ = ["LogHandler"]


_TAKEN: dict[LogEvent, Callable[[Run, dict], str | None]] = {
    LogEvent.RUN_INFO: Run.planned,
    LogEvent.JOB_INFO: Run.started,
    LogEvent.JOB_FINISHED: Run.finished,
    LogEvent.JOB_ERROR: Run.failed,
}
# All of it stands in Snakemake's own log, below .snakemake/log/.
_LEFT_OUT = (
    LogEvent.WORKFLOW_STARTED,
    LogEvent.RESOURCES_INFO,
    LogEvent.JOB_STARTED,
    LogEvent.PROGRESS,
    LogEvent.RULEGRAPH,
)
_CHATTER = (
    "Assuming unrestricted shared filesystem usage",
    "Building DAG of jobs",
    "Using shell",
    "Conda environments: ignored",
    "Select jobs to execute",
    "RuleException:\nCalledProcessError",  # what the job's own error says follows
)


def _is_left_out(event: LogEvent | None, message: str) -> bool:
    return event in _LEFT_OUT or message.startswith(_CHATTER)


class LogHandler(LogHandlerBase):
    """Prints the messages of one `snakemake`; a dry run and other questions are left to Snakemake's own words."""

    def __post_init__(self) -> None:
        # Snakemake's own handler for what it says best itself; importing it any earlier would be circular.
        from snakemake.logging import ColorizingTextHandler, DefaultFilter, DefaultFormatter

        common = self.common_settings
        self._own = ColorizingTextHandler(nocolor=common.nocolor, stream=sys.stdout if common.stdout else sys.stderr)
        self._own.setFormatter(DefaultFormatter(common.quiet, common.show_failed_logs))
        self._own.addFilter(
            DefaultFilter(common.quiet, common.debug_dag, common.verbose, common.dryrun, common.printshellcmds)
        )
        self._run = Run()
        live = self._own.can_color_tty() and not (common.quiet or self._is_told_all())
        self._panel = Panel(sys.stderr, self._run) if live else None

    def _is_told_all(self) -> bool:
        common = self.common_settings
        return common.dryrun or common.verbose or common.debug_dag

    def emit(self, record: LogRecord) -> None:
        """Show one record."""
        try:
            self._show(record)
        except Exception:  # it would end the thread that hands over all later records, errors among them
            self.handleError(record)

    def _show(self, record: LogRecord) -> None:
        event = getattr(record, "event", None)
        if self._is_told_all():
            self._pass_on(record)
        elif event in _TAKEN:
            self._take(event, record)
        elif not _is_left_out(event, str(record.msg)):
            self._pass_on(record)

    def _take(self, event: LogEvent, record: LogRecord) -> None:
        line = _TAKEN[event](self._run, record.__dict__)
        if event == LogEvent.JOB_ERROR and (line is None or self.common_settings.show_failed_logs):
            self._pass_on(record)
        elif line is not None:
            self._print(line, record)
        if event == LogEvent.JOB_INFO and self._panel:
            self._panel.start()

    def _print(self, line: str, record: LogRecord) -> None:
        if self._own.filter(record):
            self._above_panel(lambda: print(line, file=sys.stderr, flush=True))

    def _pass_on(self, record: LogRecord) -> None:
        if self._own.filter(record):
            self._above_panel(lambda: self._own.emit(record))

    def _above_panel(self, write: Callable[[], None]) -> None:
        if self._panel:
            self._panel.above(write)
        else:
            write()

    def close(self) -> None:
        """Take the live overview away."""
        if self._panel:
            self._panel.stop()
        super().close()

    @property
    def writes_to_stream(self) -> bool:
        return True

    @property
    def writes_to_file(self) -> bool:
        return False

    @property
    def has_filter(self) -> bool:
        return True

    @property
    def has_formatter(self) -> bool:
        return True

    @property
    def needs_rulegraph(self) -> bool:
        return False
