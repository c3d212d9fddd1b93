"""The commands of ``python -m fairhuman``, one per file."""
