"""Private servers for tests, demos and benchmarks: on free ports of this host, in a folder of their own."""
