"""A strategy and a metric that import nothing from tuneworthy, as anybody may write them."""


class LastWord:
    """Answers with the target whose words are most like the question's, or the last word of the question."""

    name = "last_word"

    def __init__(self, upper=False):
        self.upper = upper

    def fit(self, train, ctx):
        self.targets = {str(example.input).split()[-1]: example.target for example in train}

    def predict(self, inputs):
        words = [str(asked).split()[-1] for asked in inputs]
        answers = [self.targets.get(word, word) for word in words]
        return [answer.upper() if self.upper else answer for answer in answers]


class SameLength:
    """1 where the answer is as long as the target."""

    name = "same_length"

    def score(self, output, example):
        return float(len(output) == len(example.target))

    def summarise(self, pairs):
        return {}
