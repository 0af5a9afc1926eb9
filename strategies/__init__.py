"""The built-in strategies, each written exactly as a user would write one: plain classes that know only the core.

Nothing is imported here: the registry loads a class when somebody asks for its name.
"""

BUILT_INS: dict[str, dict[str, str]] = {
    "strategies": {
        "majority": "advisor.strategies.floors:Majority",
        "nearest_example": "advisor.strategies.floors:NearestExample",
        "copy_input": "advisor.strategies.floors:CopyInput",
        "zero_shot": "advisor.strategies.prompting:ZeroShot",
        "few_shot": "advisor.strategies.prompting:FewShot",
        "optimised_prompt": "advisor.strategies.optimised_prompt:OptimisedPrompt",
        "rag": "advisor.strategies.rag:RAG",
        "function_calling": "advisor.strategies.function_calling:FunctionCalling",
        "embedding_classifier": "advisor.strategies.embedding_classifier:EmbeddingClassifier",
        "fine_tuning": "advisor.strategies.fine_tuning:FineTuning",
        "fine_tuning_rag": "advisor.strategies.fine_tuning_rag:FineTuningRAG",
        "fine_tuning_tools": "advisor.strategies.fine_tuning_tools:FineTuningTools",
    }
}
