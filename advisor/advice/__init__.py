"""`advisor ask`: "should I fine-tune?" from published outcomes, without running anything, and honest about it."""
