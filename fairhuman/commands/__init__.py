"""Commands of the command line, one a file; ``fairhuman.__main__`` registers them."""
