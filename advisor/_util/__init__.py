"""Small tools that know nothing of the product: files, YAML, redaction, the environment, interrupts, formats."""
