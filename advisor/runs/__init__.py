"""Doing a comparison: preparing, running, metering, storing, probing, planning."""
