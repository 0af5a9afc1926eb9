"""The contract as runnable checks, a toy task to run it on, and the self-test on simulated worlds."""
