"""Bits ⇄ pixels and samples: invisible marks, found again blindly."""
