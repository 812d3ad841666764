"""The argument CHECKPOINT: a local file, or a URL that is downloaded with a progress bar."""

from pathlib import Path

from .output import Output


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
