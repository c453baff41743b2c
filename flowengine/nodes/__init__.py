"""The node types, one per file; the module's name is the type's key in YAML. Each provides ``NODE``."""
