"""From runs to a verdict: comparison, guards, reasons, sensitivity, next steps."""
