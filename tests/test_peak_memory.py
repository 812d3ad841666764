import sys
from types import SimpleNamespace

import pytest

from ocrdeploy.peak_memory import peak_rss_mib, reset_peak_rss


def test_the_peak_of_this_process_is_known() -> None:
    reset_peak_rss()
    assert 1 < peak_rss_mib() < 2**20


def test_windows_is_asked_through_psutil(monkeypatch: pytest.MonkeyPatch) -> None:
    process = SimpleNamespace(memory_info=lambda: SimpleNamespace(peak_wset=3 * 2**20))
    monkeypatch.setitem(sys.modules, "psutil", SimpleNamespace(Process=lambda: process))
    monkeypatch.setattr(sys, "platform", "win32")
    assert peak_rss_mib() == 3.0
