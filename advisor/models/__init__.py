"""Language models: scripted, behind an endpoint, or on this machine."""
