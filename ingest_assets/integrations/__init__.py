"""Let assistants, and programs built on their libraries, use the service through its Python client."""
