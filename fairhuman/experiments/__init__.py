"""Code for individual notebooks and benchmarks, not imported by the library."""
