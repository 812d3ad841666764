"""`python -m ocrdeploy` is the command `ocrdeploy`."""

from ocrdeploy.cli.main import main

main()
