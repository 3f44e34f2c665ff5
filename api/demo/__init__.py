"""The demonstration: one story on bundled photos, told by what `verify` really says, and its report."""
