"""The door of the command line, and the one place where errors become words and exit codes.

Importing the commands takes a tenth of a second and more. Signals are taken before, so that Ctrl-C in that time is no
traceback: this module imports nothing at its top that takes time, neither `typing` nor `signal`, which is `_signal`
with enumerations.
"""

import _signal  # type: ignore[import-not-found]
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

SIGHUP: int | None = getattr(_signal, "SIGHUP", None)
"""Windows has none."""
ENDINGS = {_signal.SIGINT: "interrupted", _signal.SIGTERM: "terminated", SIGHUP: "the terminal was closed"}
"""Signals that end a run, and what is said then."""
INTERRUPTED: int = 128 + _signal.SIGINT
"""Exit code of a program that Ctrl-C ended, as shells count it."""


class Interruption:
    """A handler of the signals that end a run, which remembers them.

    It interrupts what is running as Ctrl-C does, so that files which were begun are taken away. Compiled modules that
    are interrupted while they are imported turn the interruption into an error of theirs.

    Attributes:
        signal: The signal that came first; None before.
    """

    def __init__(self) -> None:
        self.signal: int | None = None

    def __call__(self, number: int, _frame: "FrameType | None") -> None:
        """Interrupt what is running; while it ends, only Ctrl-C interrupts again."""
        if self.signal is None or number == _signal.SIGINT:
            self.signal = self.signal or number
            raise KeyboardInterrupt

    def listen(self) -> None:
        """Take the signals, but for those that are ignored already, as `nohup` and a shell's `&` ask for."""
        for number in ENDINGS:
            if number is not None and _signal.getsignal(number) in (_signal.SIG_DFL, _signal.default_int_handler):
                _signal.signal(number, self)


def main() -> None:
    """Run the command line and exit with its code."""
    _open_closed_streams()
    interruption = Interruption()
    interruption.listen()
    from ocrdeploy.native_messages import separate

    separate()
    code = run(sys.argv[1:], interruption)

    from ocrdeploy.errors import OcrDeployError
    from ocrdeploy.standard_output import ReaderGoneError, standard_output_errors

    try:
        with standard_output_errors():
            if sys.stdout is not None:
                sys.stdout.flush()
    except (OcrDeployError, ReaderGoneError) as fault:
        # Python would try again at its end, and complain.
        sys.stdout = None
        if code == 0 and isinstance(fault, OcrDeployError):
            code = _explain(fault, [])
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
    except OSError:
        sys.stderr = None  # likewise: nobody reads it, and the exit code is ours
    if interruption.signal is not None:
        # All is cleaned up. Python's own end would wait for threads of compiled modules, and where one was interrupted
        # while it was imported it would kill the process by SIGINT, whatever the code.
        os._exit(code)
    sys.exit(code)


def run(arguments: list[str], interruption: Interruption | None = None) -> int:
    """Run one command line and return its exit code; errors are printed to standard error, see `faults`."""
    interruption = interruption or Interruption()
    _set_variables()
    try:
        import io

        if isinstance(sys.stdout, io.TextIOWrapper):
            # Names of files can hold bytes that are no text, and terminals can lack characters.
            sys.stdout.reconfigure(errors="backslashreplace")
        from .app import run_app

        result = run_app(arguments)
        # Typer makes this code of an interruption.
        if result != INTERRUPTED:
            return result if isinstance(result, int) else 0
    except KeyboardInterrupt:
        pass
    except BaseException as error:  # the boundary: no traceback that nobody asked for
        from ocrdeploy.standard_output import ReaderGoneError

        if isinstance(error, ReaderGoneError):
            return 0
        if not isinstance(error, Exception):
            raise
        if interruption.signal is None:
            return _explain(error, arguments)
    number: int = interruption.signal or _signal.SIGINT
    return _fail(ENDINGS[number], 128 + number)


def _set_variables() -> None:
    """Set what libraries read when they are loaded, unless the user has set it; processes that are started inherit it.

    What OpenCV would print about a broken image, our error says in one line. ONNX Runtime reports to its maker unless
    it is told not to. NumPy's linear algebra is not used, so it needs no threads, which a container may not have.
    """
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def _explain(error: Exception, arguments: list[str]) -> int:
    """Print an error and return its exit code: ours, wrong usage as the command-line parser finds it, or a bug."""
    from ocrdeploy.errors import OcrDeployError

    from .faults import print_error

    verbose = "--verbose" in arguments or "-v" in arguments
    if isinstance(error, OcrDeployError):
        print_error(error.message, error.fix, details=error.details if verbose else ())
        return error.exit_code
    # The parser's errors are click's, of which newer versions of Typer carry a private copy: known by what they do.
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()  # type: ignore[attr-defined]
        return 2
    if hasattr(error, "format_message"):
        from .usage import explain_misuse

        misuse = explain_misuse(error, arguments)
        print_error(misuse.message, misuse.hint, misuse.usage)
        return 2
    if isinstance(error, OSError) and _last_function(error) == "echo":
        # The parser prints its help: all that commands print is told from other files where it is written.
        return _fail(f"standard output cannot be written: {error.strerror}", 2)
    if verbose:
        import traceback

        traceback.print_exception(error)
    print_error(f"internal error: {type(error).__name__}: {error}", "" if verbose else "--verbose shows where.")
    return 1


def _last_function(error: Exception) -> str:
    """Return the name of the function that raised an error."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else trace.tb_frame.f_code.co_name


def _fail(message: str, code: int) -> int:
    """Print an error, where there is somebody to read it, and return the exit code."""
    from .faults import print_error

    print_error(message)
    return code


def _open_closed_streams() -> None:
    """Open standard streams that are closed to nowhere, so that no file which is opened later is taken for one."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
