"""flowengine: a declarative flow and IVR engine."""

__version__ = "0.1.0"
