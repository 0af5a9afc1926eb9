"""Statistics on plain arrays and outcomes: bootstrap, intervals, tests, power, value of information."""
