"""The command line: thin commands over the library's functions. Importing it imports no inference runtime."""
