"""Checkpoints that are named: a local file, or a URL that is downloaded with a progress bar; and whether to run it."""

from pathlib import Path

from .output import Output


def warn_of_trust(trust: bool, output: Output) -> bool:
    """Say what --trust-checkpoint means where it is given, and return whether it is."""
    if trust:
        output.warn("--trust-checkpoint: the code that the checkpoint holds is run with your permissions")
    return trust


def local_checkpoint(checkpoint: str, output: Output) -> Path:
    """Return the checkpoint's local file.

    Raises:
        UsageError: The URL is not https.
        CheckpointError: The download failed, or its hash is wrong.
    """
    from ocrdeploy.mmocr_config.downloads import fetch_checkpoint, is_url

    if not is_url(checkpoint):
        return Path(checkpoint)
    with output.progress("downloading", total=None, bytes_=True) as bar:
        return fetch_checkpoint(checkpoint, bar.update)
