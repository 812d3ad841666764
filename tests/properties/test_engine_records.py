"""The sidecar of an engine comes back from its file; model specs are tested beside their codec."""

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from ocrdeploy.engines.files import read_engine, write_engine
from ocrdeploy.model_spec import ENGINE_SCHEMA_VERSION, EngineRecord, FileRecord, ShapeProfile
from tests.model_spec.test_codec import detectors, recognizers

# A surrogate is no character, and UTF-8 has no bytes for it.
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
lengths = st.tuples(st.integers(1, 99), st.integers(1, 99), st.integers(1, 99)).map(sorted)
profiles = st.tuples(*[lengths] * 4).map(
    lambda sides: ShapeProfile(*(tuple(side[i] for side in sides) for i in range(3)))
)
files = st.builds(FileRecord, words, words)
plans = st.binary(max_size=20)
records = plans.flatmap(
    lambda plan: st.tuples(
        st.just(plan),
        st.builds(
            EngineRecord,
            schema=st.just(ENGINE_SCHEMA_VERSION),
            plan_sha256=st.just(hashlib.sha256(plan).hexdigest()),
            onnx=files,
            runtime=st.sampled_from(["tensorrt", "tensorrt-rtx"]),
            version=words,
            gpu_architectures=st.lists(words, min_size=1, max_size=3).map(tuple),
            precision=st.sampled_from(["fp32", "fp16"]),
            profiles=st.lists(profiles, min_size=1, max_size=2).map(tuple),
            rebuild=words,
            plugins=st.lists(files, max_size=2).map(tuple),
            spec=st.none() | detectors | recognizers,
            tools=st.dictionaries(words, words, max_size=2),
        ),
    )
)


@settings(max_examples=40)
@given(records)
def test_an_engine_comes_back(written: tuple[bytes, EngineRecord]) -> None:
    plan, record = written
    with TemporaryDirectory() as folder:
        engine = Path(folder) / "model.engine"
        write_engine(engine, plan, record)
        assert read_engine(engine) == (record, plan)
