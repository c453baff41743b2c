"""``python -m flowengine`` is the command ``flowengine``."""

from flowengine.cli.main import run

run()
