"""What a plug-in is written against: types, errors, protocols, metrics, tools, the registry."""
