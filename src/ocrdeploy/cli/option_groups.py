"""The headings under which the help lists options: one table for all commands, so that each option has one place."""

GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "Input",
        (
            "--config", "--checkpoint", "--trust-checkpoint", "--task", "--data", "--ann-file", "--img-prefix",
            "--from-predictions", "--read", "--preset", "--dictionary", "--spec", "--classifier",
            "--images", "--max-images", "--recursive", "--auto-orient", "--skip-broken", "--seed",
        ),
    ),
    (
        "Output",
        (
            "--output-file", "--output", "--output-folder", "--json", "--markdown", "--csv", "--html", "--text",
            "--draw", "--crop", "--show", "--worst", "--worst-folder", "--predictions", "--resume", "--save-onnx",
            "--quiet", "--verbose",
        ),
    ),
    (
        "Network",
        (
            "--dynamic", "--shape", "--opset", "--upsample", "--all-outputs", "--decode-in-graph", "--builder",
            "--fp16", "--tf32", "--precision", "--fp32-layers", "--min-shape", "--opt-shape", "--max-shape",
            "--profile", "--max-batch", "--workspace-size", "--optimization-level", "--timing-cache",
        ),
    ),
    (
        "Comparison",
        (
            "--reference", "--verify", "--bisect", "--atol", "--rtol", "--max-differing", "--min-score", "--eval",
            "--score-thr",
        ),
    ),
    ("Gates", ("--fail-under", "--fail-over", "--baseline", "--max-drop", "--max-slowdown", "--junit", "--github")),
    (
        "Runtime",
        (
            "--backend", "--runtime", "--compute-capability", "--device", "--device-id", "--custom-ops", "--plugin",
            "--other-libraries", "--mmocr-python", "--generation", "--python",
        ),
    ),
    (
        "Speed",
        (
            "--threads", "--batch-size", "--pad-batches", "--tight", "--optimized-model-cache", "--count", "--rounds",
            "--jobs",
        ),
    ),
)  # fmt: skip
"""Each heading with its options, by the first name of each, in the order in which they are listed."""
OTHERS = "Other"
"""Where options stand that are in no group: those of `ocrdeploy` itself, and --help."""


def group_of(name: str) -> str:
    """Return the heading of an option, by its first long name."""
    return next((heading for heading, names in GROUPS if name in names), OTHERS)


def place_of(name: str) -> int:
    """Return the place of an option within its group."""
    return next((names.index(name) for _, names in GROUPS if name in names), 0)
