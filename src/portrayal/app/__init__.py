"""A page and an HTTP API on the engines: jobs in a queue, each in a process of its own."""
