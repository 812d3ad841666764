import io

import pytest
from rich.console import Console

from ocrdeploy.cli import build_display
from ocrdeploy.cli.build_display import WARNING_WORDS, BuildDisplay, in_our_words
from ocrdeploy.cli.output import Output


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A terminal of 100 columns."""
    stream = io.StringIO()
    monkeypatch.setattr(
        build_display, "make_console", lambda **_options: Console(file=stream, force_terminal=True, width=100)
    )
    return stream


def test_phases_are_bars_that_are_set_in(terminal: io.StringIO) -> None:
    display = BuildDisplay(Output())
    with display.shown():
        display.phase_started("Building engine", None, 3)
        display.step_done("Building engine", 0)
        display.phase_started("Optimizing graph", "Building engine", 10)
        display.step_done("Optimizing graph", 6)
        display._progress.refresh()
        shown = terminal.getvalue()
        display.phase_finished("Optimizing graph")
        display.phase_finished("Building engine")
        display.step_done("Building engine", 2)
    assert "Building engine" in shown
    assert "  Optimizing graph" in shown
    assert "1/3" in shown
    assert "7/10" in shown


def test_nothing_is_shown_in_a_log_or_when_quiet(capsys: pytest.CaptureFixture[str], terminal: io.StringIO) -> None:
    display = BuildDisplay(Output(quiet=True))
    with display.shown():
        display.phase_started("Building engine", None, 3)
        display.log("info", "details")
    assert terminal.getvalue() == ""
    assert capsys.readouterr() == ("", "")


def test_the_log_is_shown_on_request(terminal: io.StringIO) -> None:
    display = BuildDisplay(Output(verbose=True))
    with display.shown():
        display.log("warning", "[MemUsage] [red]100 MiB")
    assert "[MemUsage] [red]100 MiB" in terminal.getvalue()


def test_warnings_appear_once_in_our_words(capsys: pytest.CaptureFixture[str]) -> None:
    display = BuildDisplay(Output())
    with display.shown():
        for layer in ("conv1", "conv2", "conv3"):
            display.log("warning", f"Weights [name={layer}.weight] had the following issues: subnormal FP16 values")
        display.log("warning", "Something that nobody knows\nand more of it")
        display.log("error", "told by the error")
        display.log("info", "not told")
        assert capsys.readouterr() == ("", "")
    first, second = capsys.readouterr().err.splitlines()
    assert first == f"warning: TensorRT: {in_our_words('subnormal')} (3 times)"
    assert second == "warning: TensorRT: Something that nobody knows"


@pytest.mark.parametrize(
    ("message", "beginning"),
    [
        ("- 3 weights are affected by this issue: Detected subnormal FP16 values.", "some weights are so small"),
        ("Detected values less than smallest positive FP16 subnormal value", "some weights are so small"),
        ("Your ONNX model has been generated with INT64 weights", "the model counts in 64 bits"),
        ("Detected layernorm nodes in FP16: running them", "a layer normalisation computes in float16"),
        ("CUDA lazy loading is not enabled.", "start Python with CUDA_MODULE_LOADING=LAZY"),
        (
            "Tactic Device request: 4096MB Available: 2048MB. Device memory is insufficient",
            "some kernels were left out",
        ),
        ("Using a timing cache from another device", "the timing cache was made on another GPU"),
        ("Using default stream in enqueueV3()", "the default stream was used"),
        ("", "a warning without words"),
    ],
)
def test_warnings_of_tensorrt_that_are_known(message: str, beginning: str) -> None:
    assert in_our_words(message).startswith(beginning)


def test_every_known_warning_has_words() -> None:
    assert len({words for _, words in WARNING_WORDS}) == len(WARNING_WORDS)


def test_the_log_in_a_file_is_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    display = BuildDisplay(Output(verbose=True))
    for severity in ("error", "warning", "info", "verbose"):
        display.log(severity, "[dim] layer :on:\x1b[31m")
    assert capsys.readouterr().err.splitlines() == ["[dim] layer :on:\\x1b[31m"] * 4
