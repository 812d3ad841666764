import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ocrdeploy.errors import (
    CheckError,
    CheckpointError,
    ConfigError,
    ImageError,
    MachineError,
    MissingPackageError,
    OcrDeployError,
)
from ocrdeploy.mmocr_reference.session import MmocrSession

StandIn = Callable[[str], Path]
QUICK_SECONDS = 1.0
"""Long enough for a stand-in to start on a busy machine, short enough to wait for."""
START_SECONDS = 30.0


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_requests_are_answered_in_turn_by_one_process(make_stand_in: StandIn) -> None:
    with MmocrSession(make_stand_in("echo")) as session:
        assert session.versions["mmocr"] == "0.6.3"
        for number in range(3):
            request = {"command": "x", "number": number, "name": "größer\ud800"}
            assert session.request(request) == request


def test_closing_ends_the_process_and_removes_the_files(make_stand_in: StandIn) -> None:
    with MmocrSession(make_stand_in("echo")) as session:
        file = session.new_file()
        file.write_bytes(b"x")
        assert file != session.new_file()
        assert is_running(session._process.pid)
    assert session._process.returncode == 0
    assert not file.parent.exists()


def test_what_an_interpreter_prints_before_the_script_begins_is_left_out(make_stand_in: StandIn) -> None:
    with MmocrSession(make_stand_in("chatty")) as session:
        assert session.request({"command": "x"}) == {"command": "x"}


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [
        ("config", ConfigError, "MMOCR cannot use the config: ValueError: so it is"),
        ("checkpoint", CheckpointError, "MMOCR cannot use the checkpoint: ValueError: so it is"),
        ("image", ImageError, "MMOCR cannot prepare the image: ValueError: so it is"),
        ("operator", ConfigError, "MMOCR's network cannot be exported: ValueError: so it is"),
        ("mmocr", CheckError, "MMOCR failed in the request 'x': ValueError: so it is"),
    ],
)
def test_what_the_worker_reports_becomes_an_error_of_its_kind(
    kind: str, error: type[OcrDeployError], message: str, make_stand_in: StandIn
) -> None:
    with (
        MmocrSession(make_stand_in(f"fails-{kind}")) as session,
        pytest.raises(error) as caught,
    ):
        session.request({"command": "x"})
    assert type(caught.value) is error
    assert caught.value.message == message


def test_an_interpreter_without_onnx_says_how_to_install_it(make_stand_in: StandIn) -> None:
    python = make_stand_in("fails-onnx")
    with MmocrSession(python) as session, pytest.raises(MissingPackageError) as caught:
        session.request({"command": "export"})
    assert f"{python} -m pip install onnx==" in caught.value.fix


def test_a_process_that_dies_is_reported_with_its_last_words(make_stand_in: StandIn) -> None:
    python = make_stand_in("dies")
    with MmocrSession(python) as session:
        with pytest.raises(CheckError) as caught:
            session.request({"command": "infer"})
        expected = f"MMOCR ({python}) ended with code 3 in the request 'infer': terminate called after throwing"
        assert caught.value.message == expected
        # And it stays dead.
        with pytest.raises(CheckError, match="ended with code 3 in the request 'again'"):
            session.request({"command": "again"})


def test_an_answer_that_is_no_json_is_shown(make_stand_in: StandIn) -> None:
    with (
        MmocrSession(make_stand_in("garbage")) as session,
        pytest.raises(CheckError, match="no line of JSON, but 'Killed by nobody'"),
    ):
        session.request({"command": "x"})


def test_a_process_that_hangs_is_ended(make_stand_in: StandIn) -> None:
    with MmocrSession(make_stand_in("hangs"), request_seconds=0.2) as session:
        started = time.monotonic()
        with pytest.raises(MachineError, match=r"did not answer the request 'infer' within 0\.2 s, and was ended"):
            session.request({"command": "infer"})
        assert not is_running(session._process.pid)
        assert time.monotonic() - started < START_SECONDS


def test_leaving_in_the_middle_of_a_request_does_not_wait_for_it(
    make_stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(timeout: float) -> str:
        raise KeyboardInterrupt

    with MmocrSession(make_stand_in("hangs")) as session:
        monkeypatch.setattr(session, "_lines", type("Lines", (), {"get": staticmethod(interrupt)}))
        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            session.request({"command": "infer"})
    assert not is_running(session._process.pid)
    assert time.monotonic() - started < START_SECONDS


def test_the_answer_of_an_interrupted_request_is_given_to_nobody(
    make_stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(timeout: float) -> str:
        raise KeyboardInterrupt

    with MmocrSession(make_stand_in("slow")) as session:
        assert session.request({"command": "one"}) == {"command": "one"}
        with monkeypatch.context() as patch:
            patch.setattr(session, "_lines", type("Lines", (), {"get": staticmethod(interrupt)}))
            with pytest.raises(KeyboardInterrupt):
                session.request({"command": "slow", "sleep": 0.2})
        with pytest.raises(CheckError, match=r"was ended, because the request 'slow' was interrupted\. Open the model"):
            session.request({"command": "two"})
        assert not is_running(session._process.pid)


def test_threads_get_their_own_answers(make_stand_in: StandIn) -> None:
    with MmocrSession(make_stand_in("echo")) as session, ThreadPoolExecutor(3) as pool:
        requests = [{"command": "x", "number": number} for number in range(90)]
        assert list(pool.map(session.request, requests)) == requests
        assert len(set(pool.map(lambda _: session.new_file(), range(90)))) == 90


def test_an_interpreter_that_hangs_at_the_start_is_ended(make_stand_in: StandIn) -> None:
    with pytest.raises(MachineError, match="did not answer the request 'start'"):
        MmocrSession(make_stand_in("hangs-at-start"), start_seconds=QUICK_SECONDS)


def test_an_interpreter_that_fails_at_the_start_says_why(make_stand_in: StandIn) -> None:
    with pytest.raises(MachineError, match=r"ended with code 1 .*libGL\.so\.1: cannot open shared object file"):
        MmocrSession(make_stand_in("dies-at-start"))


def test_a_program_that_prints_without_end_is_no_interpreter(make_stand_in: StandIn) -> None:
    with pytest.raises(MachineError, match="does not run MMOCR: it prints without end"):
        MmocrSession(make_stand_in("endless"))


def test_an_interpreter_without_mmocr_is_told_how_to_get_it(make_stand_in: StandIn) -> None:
    with pytest.raises(MissingPackageError) as caught:
        MmocrSession(make_stand_in("lacks"))
    assert "No module named 'mmocr'" in caught.value.message
    assert "ocrdeploy setup-mmocr" in caught.value.fix
    assert caught.value.exit_code == 3


def test_this_interpreter_runs_the_worker_itself_and_says_what_it_lacks() -> None:
    try:
        import mmocr  # noqa: F401
    except ImportError:
        pass
    else:
        pytest.skip("this interpreter holds MMOCR")
    with pytest.raises(MissingPackageError, match="ModuleNotFoundError: No module named"):
        MmocrSession(Path(sys.executable))


def test_a_file_that_is_no_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "python"
    path.write_text("hello")
    path.chmod(0o755)
    with pytest.raises(MachineError, match="cannot be started: Exec format error"):
        MmocrSession(path)


def test_an_interpreter_with_the_other_generation_is_refused(make_stand_in: StandIn) -> None:
    python = make_stand_in("newer")
    with MmocrSession(python, "mmocr1") as session:
        assert session.versions["mmocr"] == "1.0.1"
    with pytest.raises(MachineError) as caught:
        MmocrSession(python)
    assert caught.value.message == f"MMOCR 0.x is needed, and {python} holds MMOCR 1.0.1"
    with pytest.raises(MachineError, match=r"ocrdeploy setup-mmocr --generation 1 builds one"):
        MmocrSession(make_stand_in("echo"), "mmocr1")
