raise RuntimeError("this plug-in cannot be imported")
