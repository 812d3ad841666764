"""The web service of the documentation runs, as it stands there."""

import asyncio
import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "tutorials" / "web-service.md"
MOST_LINES = 35


def service(model: Path) -> types.ModuleType:
    """Return the module that the page shows, for a model."""
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    assert len(found[1].splitlines()) <= MOST_LINES
    module = types.ModuleType("service")
    # Types of requests are looked up in the module's names.
    sys.modules["service"] = module
    exec(compile(found[1], PAGE, "exec"), module.__dict__)  # noqa: S102  (the example is ours)
    module.MODEL = str(model)  # type: ignore[attr-defined]
    return module


def test_the_service_answers_with_polygons_and_refuses_what_is_no_image(sample_onnx: Path, sample_dir: Path) -> None:
    pytest.importorskip("fastapi", reason="FastAPI is not installed")
    httpx = pytest.importorskip("httpx", reason="httpx is not installed")
    app = service(sample_onnx).app
    image = (sample_dir / "imgs" / "syn_0022.jpg").read_bytes()

    async def ask(*bodies: bytes) -> list[Any]:
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
                return list(await asyncio.gather(*(client.post("/ocr", content=body) for body in bodies)))

    first, second, refused = asyncio.run(ask(image, image, b"no image"))
    assert first.status_code == second.status_code == 200
    assert first.json() == second.json() != []
    assert all(len(each["polygon"]) >= 6 and 0 < each["score"] <= 1 for each in first.json())
    assert refused.status_code == 422
    assert "in memory" in refused.json()["detail"]
