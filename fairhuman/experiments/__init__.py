"""Code of single notebooks and benchmarks. The library imports none of it."""
